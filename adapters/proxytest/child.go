package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
)

// empty is the smallest module. Running it makes the next one start faster.
var empty = []byte("\x00asm\x01\x00\x00\x00")

// child reads a scenario, runs it, and writes each event at once.
func child() {
	if vm, err := proxytest.NewWasmVMContext(empty); err == nil {
		_ = vm.Close()
	}
	var j job
	err := json.NewDecoder(os.Stdin).Decode(&j)
	switch {
	case err == io.EOF:
		return
	case err != nil:
		write(message{Failed: "failed to read a scenario: " + err.Error()})
		return
	}
	// An address that is not there is a panic like any other: then its place is known.
	debug.SetPanicOnFault(true)
	log.SetFlags(0)
	log.SetOutput(logs{j.Settings.Name})
	defer func() {
		if reason := recover(); reason != nil {
			report(reason, string(debug.Stack()))
		}
	}()
	if err := run(j); err != nil {
		write(message{Failed: err.Error()})
		return
	}
	write(message{Done: true})
}

// seen reports an event.
func seen(event object) {
	write(message{Event: encode(event)})
}

func write(m message) {
	if _, err := os.Stdout.Write(append(encode(m), '\n')); err != nil {
		os.Exit(1)
	}
}

// report reports a panic: of the emulator, as a crash of the host, else of the adapter.
func report(reason any, stack string) {
	text := fmt.Sprint(reason)
	place := place(text + "\n" + stack)
	if place == "" {
		write(message{Failed: "panic: " + text + "\n" + stack})
		return
	}
	first, _, _ := strings.Cut(text, "\n")
	how := "panic: " + strings.TrimSuffix(short(first), " (recovered by wazero)") + ", in " + place
	if called := called.FindStringSubmatch(text); called != nil {
		how += ", by " + called[1]
	}
	seen(object{"event": "died", "how": how})
	write(message{Done: true})
}

// called is the host function that wazero has recovered from.
var called = regexp.MustCompile(`\(recovered by wazero\)\nwasm stack trace:\n\t\w+\.(\w+)\(`)

// call is a function in a stack trace, of this program or of the SDK.
var call = regexp.MustCompile(`(?m)^\t?(main|\S*/proxywasm/\w+)\.(\S+)\(.*\)$`)

// place is the function of the emulator that a panic comes from, with its package. It is empty if one of the adapter panics.
func place(stack string) string {
	for _, found := range call.FindAllStringSubmatch(stack, -1) {
		name := found[1][strings.LastIndex(found[1], "/")+1:] + "." + found[2]
		switch {
		case strings.HasPrefix(name, "main.child") || strings.HasPrefix(name, "proxytest.handle"):
		case found[1] == "main":
			return ""
		default:
			return name
		}
	}
	return ""
}

// logs is what the emulator's log goes to. The emulator also keeps the lines in memory, by level, without their order, and
// as views of the plugin's memory, whose content changes; so its log is the better source.
type logs struct{ plugin string }

// line is how the emulator logs a line of a plugin, in one write.
var line = regexp.MustCompile(`(?s)^proxy_(trace|debug|info|warn|error|critical)_log: (.*)\n$`)

func (l logs) Write(text []byte) (int, error) {
	found := line.FindSubmatch(text)
	if found == nil {
		return io.WriteString(os.Stderr, string(text))
	}
	level := strings.ToUpper(string(found[1]))
	seen(object{"event": "log", "plugin": l.plugin, "level": level, "message": data(found[2])})
	return len(text), nil
}
