package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
)

// servers are the upstreams that respond to calls when a step says so. Calls to others fail.
var servers = map[string]bool{"upstream": true, "auth": true, "callout": true}

// scenario is what a test of a plugin does: it calls the emulator, and looks at what the plugin has done to it.
type scenario struct {
	host    proxytest.HostEmulator
	streams map[int]*stream
	calls   calls
	ticks   ticks
}

// run runs a scenario. An error is one of the adapter.
func run(j job) error {
	s := scenario{streams: map[int]*stream{}}
	reason := s.start(j)
	if reason != "" {
		seen(object{"event": "refused", "plugin": j.Settings.Name, "reason": reason})
		return nil
	}
	s.settle()
	for index, step := range j.Steps {
		seen(object{"event": "step", "index": index})
		if err := s.do(step); err != nil {
			return err
		}
		s.settle()
	}
	return nil
}

// start loads and starts the plugin. It returns why the emulator refuses it, if it does.
func (s *scenario) start(j job) (refusal string) {
	vm, err := proxytest.NewWasmVMContext(j.Wasm)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return short(reason)
	}
	options := proxytest.NewEmulatorOption().WithVMContext(vm).
		WithVMConfiguration([]byte(j.Settings.VMConfiguration)).WithPluginConfiguration([]byte(j.Settings.Configuration))
	for name, value := range map[string]string{
		"plugin_name": j.Settings.Name, "plugin_root_id": j.Settings.Name, "plugin_vm_id": j.Settings.VMID,
	} {
		if value != "" {
			options.WithProperty([]string{name}, []byte(value))
		}
	}
	// What ends the emulator is not called: this process ends with its scenario.
	s.host, _ = proxytest.NewHostEmulator(options)
	s.calls = calls{host: s.host, seen: map[uint32]int{}}
	s.ticks = ticks{host: s.host}
	s.host.RegisterForeignFunction("echo", func(arguments []byte) []byte { return arguments })
	if !s.host.StartVM() {
		return "OnVMStart failed: proxy_on_vm_start returned false"
	}
	if !s.host.StartPlugin() {
		return "OnPluginStart failed: proxy_on_configure returned false"
	}
	return ""
}

func (s *scenario) do(step step) error {
	end := step.EndOfStream
	switch step.Do {
	case "request_headers":
		stream := &stream{number: step.Stream, host: s.host, id: s.host.InitializeHttpContext()}
		s.streams[step.Stream] = stream
		stream.arrive(toUpstream, piece{kind: headers, fields: step.Headers, end: end})
		return nil
	case "call_response":
		s.calls.answer(step.Call, step.Headers, step.Trailers, step.Body)
		return nil
	case "call_reset":
		s.calls.answer(step.Call, nil, nil, "")
		return nil
	case "advance":
		s.ticks.advance(step.Milliseconds, s.settle)
		return nil
	case "read_metrics":
		readMetrics(s.host)
		return nil
	case "shutdown":
		s.shutdown()
		return nil
	}
	stream := s.streams[step.Stream]
	if stream == nil {
		return fmt.Errorf("step `%s`: stream %d was not opened, or the adapter does not know the step", step.Do, step.Stream)
	}
	switch step.Do {
	case "request_body":
		stream.arrive(toUpstream, piece{kind: body, body: step.Body, end: end})
	case "request_trailers":
		stream.arrive(toUpstream, piece{kind: trailers, fields: step.Trailers, end: true})
	case "response_headers":
		stream.arrive(toClient, piece{kind: headers, fields: step.Headers, end: end})
	case "response_body":
		stream.arrive(toClient, piece{kind: body, body: step.Body, end: end})
	case "response_trailers":
		stream.arrive(toClient, piece{kind: trailers, fields: step.Trailers, end: true})
	case "client_reset":
		stream.clientReset()
	case "upstream_reset":
		stream.upstreamReset()
	default:
		return fmt.Errorf("this adapter does not know the step `%s`", step.Do)
	}
	return nil
}

// settle does what the plugin has asked for, until there is no more of it.
func (s *scenario) settle() {
	for busy := true; busy; {
		busy = s.calls.settle(s.contexts())
		for _, stream := range s.inOrder() {
			busy = stream.settle() || busy
		}
	}
	s.ticks.settle()
}

// contexts are the ids of all contexts that may have made calls.
func (s *scenario) contexts() []uint32 {
	ids := []uint32{proxytest.PluginContextID}
	for _, stream := range s.inOrder() {
		ids = append(ids, stream.id)
	}
	return ids
}

func (s *scenario) inOrder() []*stream {
	streams := make([]*stream, 0, len(s.streams))
	for _, stream := range s.streams {
		streams = append(streams, stream)
	}
	sort.Slice(streams, func(i, j int) bool { return streams[i].number < streams[j].number })
	return streams
}

// shutdown ends the streams, then the plugin.
func (s *scenario) shutdown() {
	for _, stream := range s.inOrder() {
		stream.clientReset()
	}
	s.host.FinishVM()
}
