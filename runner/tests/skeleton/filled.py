"""The skeleton in Python with the reference host in the places marked TODO, for tests: filled.py FOLDER PROGRAM [MODE].

A MODE makes a mistake that authors of adapters make.
"""

import base64
import json
import subprocess
import sys

FOLDER, PROGRAM, MODE = (sys.argv + [""])[1:4]
sys.path.insert(0, FOLDER)
import adapter  # noqa: E402

adapter.HOST["name"] = "filled"
adapter.HOST["features"] = ["chains"] if MODE == "no_http" else ["http", "chains", "faults", "metrics"]


class Filled(adapter.Host):
    process = None

    def ask(self, request):
        if not Filled.process:
            pipe = subprocess.PIPE
            Filled.process = subprocess.Popen([PROGRAM, "adapter", "reference"], stdin=pipe, stdout=pipe)
            self.ask({"type": "start", "protocol": 2})
        Filled.process.stdin.write(json.dumps(request).encode() + b"\n")
        Filled.process.stdin.flush()
        return json.loads(Filled.process.stdout.readline())

    def see(self, answer):
        if answer["type"] != "ran":
            raise RuntimeError(answer["context"])
        for event in answer["events"]:
            if event["event"] == "refused" and MODE != "accepts_all":
                raise adapter.Refused(event["plugin"], event["reason"])
            if event["event"] not in ("step", "refused") and not self.has_died():
                self.events.extend(mistaken(event))

    def has_died(self):
        return any(event["event"] == "died" for event in self.events)

    def start(self, plugins):
        chain = []
        for settings, wasm in plugins:
            wasm = base64.b64encode(wasm).decode()
            self.ask({"type": "module", "id": settings["name"], "wasm": wasm})
            chain.append({"settings": settings, "guest": {"module": settings["name"]}})
        run = {"type": "run", "id": "scenario", "abi": "0.2.1", "plugins": chain, "steps": []}
        self.see(self.ask({**run, "hazard": False, "keep": True}))

    def settle(self):
        pass

    def do(self, step):
        self.see(self.ask({"type": "more", "steps": [step]}))
        if MODE == "no_steps":
            self.events[:] = [event for event in self.events if event["event"] != "step"]
        if MODE == "waits_for_upstream" and not any(event["event"] == "upstream" for event in self.events):
            raise TimeoutError("nothing reached the upstream")

    def stop(self):
        pass


def mistaken(event):
    """An event as it is reported: with the mistake of the mode, in place of itself."""
    if event["event"] == "log" and MODE == "no_log":
        return []
    if event["event"] == "log" and MODE == "prefix":
        return [{**event, "message": "[wasm] " + event["message"]}]
    if event["event"] == "log" and MODE == "cut":
        return [{**event, "message": event["message"][:1024]}]
    if event["event"] == "client" and MODE == "no_client":
        return []
    if event["event"] == "upstream" and MODE == "no_headers":
        part = event["part"]
        kept = [field for field in part.get("headers", []) if field[0] != "x-added"]
        return [{**event, "part": {**part, "headers": kept}}] if "headers" in part else [event]
    if event["event"] == "log" and MODE == "one_plugin":
        return [{**event, "plugin": "first"}] if event["plugin"] == "second" else [event]
    if event["event"] == "fault" and MODE == "no_fault":
        return []
    if event["event"] == "fault" and MODE == "dies":
        return [{"event": "died", "how": "SIGILL"}]
    return [event]


adapter.Host = Filled
adapter.main()
