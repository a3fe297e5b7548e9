// The program runs the scenarios of pw-conform on the library mosn.io/proxy-wasm-go-host: a JSON object a line on standard
// input, an answer a line on standard output. The scenarios run in a child, the same program, so that a crash of the
// library is seen, and so is a plugin that never returns.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// workerArgument makes the program the child that runs scenarios.
const workerArgument = "worker"

// about says which host this is.
var about = object{
	"type": "host", "protocol": 2, "name": "mosn-go-host", "version": "0.2.1-0.20230626122511-25a9e133320e",
	"abi": []string{"0.1.0", "0.2.0"},
	"features": []string{
		"http", "tcp", "concurrent_streams", "chains", "http_calls", "metrics", "background", "time", "faults", "shutdown", "keep",
	},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		work()
		return
	}
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	parent := &parent{kept: map[string]request{}}
	defer parent.end()
	for {
		var r request
		if requests.Decode(&r) != nil || r.Type == "stop" || answers.Encode(parent.answer(r)) != nil {
			return
		}
	}
}

// errored is the answer for a failure of this program.
func errored(format string, args ...any) object {
	return object{"type": "errored", "context": fmt.Sprintf(format, args...)}
}
