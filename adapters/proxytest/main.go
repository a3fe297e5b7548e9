// The program runs the scenarios of pw-conform on proxytest, the emulator of the Go SDK for Proxy-Wasm: a JSON object a line
// on standard input, an answer a line on standard output. The emulator has global state, and a panic of it ends its
// process. So each scenario has a process of its own: this program again, with the argument `child`.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// host says which host this is: proxytest is of the SDK's version.
var host = object{
	"type": "host", "protocol": 2, "name": "proxytest", "version": "0.0.0-20250212164326-ab4161dcf924",
	"abi":      []string{"0.2.0", "0.2.1"},
	"features": []string{"http", "concurrent_streams", "http_calls", "metrics", "time", "mixed_case_headers", "shutdown"},
}

// request is a message of the harness.
type request struct {
	Type, ID string
	Wasm     []byte
	Offset   int
	Plugins  []struct {
		Settings settings
		Guest    struct {
			Module string
			Shape  struct {
				ID     string
				Script []byte
			}
		}
	}
	Steps []step
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "child" {
		child()
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers requests until the last one.
func serve() error {
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	kept := map[string]request{}
	var children children
	defer children.stop()
	for {
		var r request
		err := requests.Decode(&r)
		switch {
		case err == io.EOF || err == nil && r.Type == "stop":
			return nil
		case err != nil:
			return fmt.Errorf("failed to read a request: %w", err)
		}
		if err := answers.Encode(answer(r, kept, &children)); err != nil {
			return fmt.Errorf("failed to write an answer: %w", err)
		}
	}
}

func answer(r request, kept map[string]request, children *children) object {
	switch r.Type {
	case "start":
		return host
	case "shape", "module":
		kept[r.ID] = r
		return object{"type": "kept"}
	case "run":
		if len(r.Plugins) != 1 {
			return object{"type": "skipped", "reason": "an emulator has one plugin"}
		}
		wasm, err := module(r, kept)
		if err != nil {
			return errored(r.ID, err)
		}
		events, err := children.run(job{Settings: r.Plugins[0].Settings, Wasm: wasm, Steps: r.Steps})
		if err != nil {
			return errored(r.ID, err)
		}
		return object{"type": "ran", "events": events}
	}
	return errored(r.ID, fmt.Errorf("this adapter does not know the request `%s`", r.Type))
}

// module is the module of the plugin: one that was kept, perhaps with a script at its offset.
func module(r request, kept map[string]request) ([]byte, error) {
	guest := r.Plugins[0].Guest
	id := guest.Module + guest.Shape.ID
	module, is := kept[id]
	if !is {
		return nil, fmt.Errorf("the module `%s` was not sent before it was named", id)
	}
	if module.Offset+len(guest.Shape.Script) > len(module.Wasm) {
		return nil, fmt.Errorf("the script does not fit into the module `%s`", id)
	}
	wasm := append([]byte{}, module.Wasm...)
	copy(wasm[module.Offset:], guest.Shape.Script)
	return wasm, nil
}

func errored(id string, err error) object {
	return object{"type": "errored", "context": id + ": " + err.Error()}
}
