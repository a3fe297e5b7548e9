#!/usr/bin/env python3
"""Runs the scenarios of pw-conform on your host: a JSON object a line on standard input, an answer a line on standard output.

Fill in the places marked TODO, in their order. `pw-conform smoke --host 'python3 adapter.py'` says which one is next,
docs/adapters.md describes every message. What this program prints to standard error is shown when it fails.
"""

import base64
import json
import sys

# TODO 1: the name and version of your host, the ABI versions that it implements, the features that this adapter can use.
# A host that runs in this process: add "in_process": True, and print each event at once where a request has "trace" (see "Crashes").
HOST = {"type": "host", "protocol": 2, "name": "my-host", "version": "0.1.0", "abi": ["0.2.1"], "features": ["http"]}


class Refused(Exception):
    """Your host did not accept a plugin: raise Refused(name of the plugin, words of the host)."""


class Died(Exception):
    """Your host crashed: raise Died("SIGSEGV") or Died("exit status 1")."""


class Host:
    """Your host, for one scenario. What is seen of it is added to `events`, in the order in which it was seen."""

    def __init__(self, events):
        self.events = events

    def start(self, plugins):
        """Starts the host with a chain of plugins: for each its settings and the bytes of its module."""
        for settings, wasm in plugins:
            # TODO 2: start your host, and have it load `wasm` with raw(settings["configuration"]) and
            # raw(settings["vm_configuration"]); the log level has to be TRACE. If it does not accept the module: raise Refused.
            raise NotImplementedError(f"TODO 2: load plugin {settings['name']}, a module of {len(wasm)} bytes")

    def settle(self):
        """Waits until nothing more is going to happen, and adds what was seen since the last time."""
        # TODO 3: the lines that plugins logged, each without what your host puts in front of it:
        #   {"event": "log", "plugin": "plugin", "level": "INFO", "message": text(line)}
        # TODO 5: what your upstream and your client received, piece by piece:
        #   {"event": "upstream", "stream": 0, "part": {"part": "headers", "headers": [[":path", "/"]], "end_of_stream": True}}
        #   {"event": "client", "stream": 0, "part": {"part": "body", "body": text(piece), "end_of_stream": True}}
        raise NotImplementedError("TODO 3: read the log, and wait until nothing more is going to happen")

    def do(self, step):
        """Does a step, and does not wait for its consequences. If the host is gone: raise Died."""
        # TODO 4: the client sends `request_headers` to your host, the upstream sends `response_headers`, and so on.
        raise NotImplementedError(f"TODO 4: do the step {step['do']}")

    def stop(self):
        """Stops the host, whatever happened before."""
        # TODO 6: end every process that start() has started.


def module(guest, kept):
    """The module of a plugin: one that was kept, perhaps with a script at its offset."""
    if "module" in guest:
        return base64.b64decode(kept[guest["module"]]["wasm"])
    shape, script = kept[guest["shape"]["id"]], base64.b64decode(guest["shape"]["script"])
    wasm = bytearray(base64.b64decode(shape["wasm"]))
    wasm[shape["offset"] : shape["offset"] + len(script)] = script
    return bytes(wasm)


def raw(data):
    """The bytes of a string of the protocol, or of {"hex": "00ff"}."""
    return data.encode() if isinstance(data, str) else bytes.fromhex(data["hex"])


def text(data):
    """Bytes as the protocol has them: a string if they are UTF-8, else {"hex": "00ff"}."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def run(request, kept):
    """Runs a scenario, and answers what was seen."""
    events = []
    host = Host(events)
    try:
        host.start([(plugin["settings"], module(plugin["guest"], kept)) for plugin in request["plugins"]])
        host.settle()
        for index, step in enumerate(request["steps"]):
            events.append({"event": "step", "index": index})
            host.do(step)
            host.settle()
    except Refused as refusal:
        plugin, reason = refusal.args
        events.append({"event": "refused", "plugin": plugin, "reason": reason})
    except Died as crash:
        events.append({"event": "died", "how": str(crash)})
    finally:
        host.stop()
    return {"type": "ran", "events": events}


def answer(request, kept):
    """Answers a request. What this program cannot do is an answer, too; it never guesses."""
    try:
        if request["type"] == "start":
            return HOST
        if request["type"] in ("shape", "module"):
            kept[request["id"]] = request
            return {"type": "kept"}
        if request["type"] == "run":
            return run(request, kept)
        return {"type": "errored", "context": f"this adapter does not know the request {request['type']}"}
    except Exception as error:
        return {"type": "errored", "context": f"{request.get('id', '')}: {type(error).__name__}: {error}"}


def main():
    """Answers requests until the harness says `stop` or is gone."""
    kept = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["type"] == "stop":
            break
        print(json.dumps(answer(request, kept)), flush=True)


if __name__ == "__main__":
    main()
