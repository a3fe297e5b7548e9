// The program runs the scenarios of pw-conform on your host: a JSON object a line on standard input, an answer a line on
// standard output. Fill in the places marked TODO, in their order: `pw-conform smoke --host ./adapter` says which one is
// next, docs/adapters.md describes every message. What it prints to standard error is shown when it fails.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"unicode/utf8"
)

// object is a JSON object, such as an event.
type object map[string]any

// TODO 1: the name and version of your host, the ABI versions that it implements, the features that this adapter can use.
var about = object{"type": "host", "protocol": 2, "name": "my-host", "version": "0.1.0",
	"abi": []string{"0.2.1"}, "features": []string{"http"}}

// plugin is a plugin of a chain: how it is set up, and the bytes of its module.
type plugin struct {
	settings object
	wasm     []byte
}

// host is your host, for one scenario. What is seen of it is added to events, in the order in which it was seen.
type host struct{ events []object }

// last is an error that is the last event of a scenario: the host refused a plugin, or crashed.
//
//	last{"event": "refused", "plugin": "plugin", "reason": "the words of your host"}
//	last{"event": "died", "how": "SIGSEGV"}
type last object

func (l last) Error() string { return fmt.Sprint(map[string]any(l)) }

// start starts the host with a chain of plugins.
func (h *host) start(plugins []plugin) error {
	for _, p := range plugins {
		// TODO 2: start your host, and have it load p.wasm with raw(p.settings["configuration"]) and
		// raw(p.settings["vm_configuration"]); the log level has to be TRACE. If it does not accept it: return last{...}.
		return fmt.Errorf("TODO 2: load plugin %v, a module of %d bytes", p.settings["name"], len(p.wasm))
	}
	return nil
}

// settle waits until nothing more is going to happen, and adds what was seen since the last time.
func (h *host) settle() error {
	// TODO 3: the lines that plugins logged, each without what your host puts in front of it:
	//   object{"event": "log", "plugin": "plugin", "level": "INFO", "message": text(line)}
	// TODO 5: what your upstream and your client received, piece by piece:
	//   object{"event": "upstream", "stream": 0, "part": object{"part": "headers", "headers": fields, "end_of_stream": true}}
	//   object{"event": "client", "stream": 0, "part": object{"part": "body", "body": text(piece), "end_of_stream": true}}
	return fmt.Errorf("TODO 3: read the log, and wait until nothing more is going to happen")
}

// do does a step, and does not wait for its consequences.
func (h *host) do(step object) error {
	// TODO 4: the client sends `request_headers` to your host, the upstream sends `response_headers`, and so on.
	return fmt.Errorf("TODO 4: do the step %v", step["do"])
}

// stop stops the host, whatever happened before.
func (h *host) stop() {
	// TODO 6: end every process that start has started.
}

// raw gives the bytes of a string of the protocol, or of {"hex": "00ff"}.
func raw(data any) []byte {
	if coded, is := data.(map[string]any); is {
		bytes, _ := hex.DecodeString(fmt.Sprint(coded["hex"]))
		return bytes
	}
	return []byte(fmt.Sprint(data))
}

// text gives bytes as the protocol has them: a string if they are UTF-8, else {"hex": "00ff"}.
func text(data []byte) any {
	if utf8.Valid(data) {
		return string(data)
	}
	return object{"hex": hex.EncodeToString(data)}
}

// request is a message of the harness. Go reads bytes from base64 on its own.
type request struct {
	Type, ID string
	Wasm     []byte
	Offset   int
	Plugins  []struct {
		Settings object
		Guest    struct {
			Module string
			Shape  struct {
				ID     string
				Script []byte
			}
		}
	}
	Steps []object
}

// chain gives the plugins of a run their modules: those that were kept, perhaps with a script at their offset.
func (r request) chain(kept map[string]request) (plugins []plugin) {
	for _, p := range r.Plugins {
		module := kept[p.Guest.Module+p.Guest.Shape.ID]
		wasm := append([]byte{}, module.Wasm...)
		copy(wasm[module.Offset:], p.Guest.Shape.Script)
		plugins = append(plugins, plugin{p.Settings, wasm})
	}
	return plugins
}

// run runs a scenario.
func (h *host) run(plugins []plugin, steps []object) error {
	defer h.stop()
	err := h.start(plugins)
	if err == nil {
		err = h.settle()
	}
	for index := 0; err == nil && index < len(steps); index++ {
		h.events = append(h.events, object{"event": "step", "index": index})
		if err = h.do(steps[index]); err == nil {
			err = h.settle()
		}
	}
	return err
}

// answer answers a request. What this program cannot do is an answer, too; it never guesses.
func answer(r request, kept map[string]request) object {
	switch r.Type {
	case "start":
		return about
	case "shape", "module":
		kept[r.ID] = r
		return object{"type": "kept"}
	case "run":
		h := &host{events: []object{}}
		switch err := h.run(r.chain(kept), r.Steps).(type) {
		case nil:
		case last:
			h.events = append(h.events, object(err))
		default:
			return object{"type": "errored", "context": r.ID + ": " + err.Error()}
		}
		return object{"type": "ran", "events": h.events}
	}
	return object{"type": "errored", "context": "this adapter does not know the request " + r.Type}
}

func main() {
	requests, answers, kept := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout), map[string]request{}
	for {
		var r request
		if requests.Decode(&r) != nil || r.Type == "stop" || answers.Encode(answer(r, kept)) != nil {
			return
		}
	}
}
