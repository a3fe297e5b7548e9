#!/usr/bin/env bash
# Builds every target into $OUT, with its seeds and its dictionary beside it under the names that the engines look for.
set -euo pipefail
cd "$SRC/project"
cargo fuzz build
for target in $(cargo fuzz list); do
    cp "target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip --quiet --junk-paths --recurse-paths "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"
    if [ -f "fuzz/dictionaries/$target.dict" ]; then
        cp "fuzz/dictionaries/$target.dict" "$OUT/"
    fi
done
