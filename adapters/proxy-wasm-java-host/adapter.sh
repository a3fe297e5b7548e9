#!/usr/bin/env bash
# Starts the adapter with the classes and jars beside this file.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec java -Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$here/classes:$here/lib/*" pwconform.Adapter
