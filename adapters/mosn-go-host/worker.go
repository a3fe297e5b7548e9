package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
	v1 "mosn.io/proxy-wasm-go-host/proxywasm/v1"
	v2 "mosn.io/proxy-wasm-go-host/proxywasm/v2"
	"mosn.io/proxy-wasm-go-host/wazero"
)

// reportsFile is the file descriptor that a child writes its reports to.
const reportsFile = 3

// worker runs scenarios in this process. It recovers no panic of the library once plugins are started.
type worker struct {
	vm      common.WasmVM
	kept    map[string]request
	modules map[string]common.WasmModule
	out     *json.Encoder
	proxy   *proxy
	failure string
}

// work runs the scenarios of the parent until it closes standard input.
func work() {
	w := &worker{
		vm: wazero.NewVM(), kept: map[string]request{}, modules: map[string]common.WasmModule{},
		out: json.NewEncoder(os.NewFile(reportsFile, "reports")),
	}
	for requests := json.NewDecoder(os.Stdin); ; {
		var r request
		if err := requests.Decode(&r); err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, "failed to read a request:", err)
			}
			return
		}
		switch r.Type {
		case "run":
			w.run(r)
		case "more":
			w.steps(r.Steps)
		default:
			w.kept[r.ID] = r
		}
	}
}

// event reports an event at once.
func (w *worker) event(event object) {
	line, err := json.Marshal(event)
	if err != nil {
		w.failure = err.Error()
		return
	}
	w.out.Encode(report{Event: line})
}

func (w *worker) run(r request) {
	w.failure = ""
	w.proxy = newProxy(w.event)
	for _, plugin := range r.Plugins {
		if err := w.start(plugin); err != nil {
			w.event(object{"event": "refused", "plugin": plugin.Settings.Name, "reason": err.Error()})
			w.done()
			return
		}
	}
	w.steps(r.Steps)
}

func (w *worker) steps(steps []step) {
	for index, step := range steps {
		w.event(object{"event": "step", "index": index})
		if err := w.proxy.step(step); err != nil {
			w.failure = err.Error()
			break
		}
	}
	w.done()
}

func (w *worker) done() {
	w.out.Encode(report{Done: true, Failure: w.failure, Spent: w.proxy.spent})
}

// start loads and starts a plugin.
func (w *worker) start(p pluginRequest) error {
	instance, abi, err := w.instance(p)
	if err != nil {
		return err
	}
	return w.proxy.start(p, instance, abi)
}

// instance makes an instance of a plugin's module as the library's example does: imports, then the start. The library
// panics over modules that the runtime refuses; that is recovered, as nothing but the load is lost. Instances are freed
// with the process: Instance.Stop works in the background, and takes the compiled code from other instances.
func (w *worker) instance(p pluginRequest) (instance common.WasmInstance, abi string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	kept := w.kept[p.module()]
	module := w.modules[kept.ID]
	if module == nil {
		module = w.vm.NewModule(kept.Wasm)
		w.modules[kept.ID] = module
	}
	instance = module.NewInstance()
	for _, name := range module.GetABINameList() {
		if name != v1.ProxyWasmABI_0_1_0 && name != v2.ProxyWasmABI_0_2_0 {
			continue
		}
		if err := instance.RegisterImports(name); err != nil {
			return nil, "", err
		}
		abi = name
	}
	if abi == "" {
		return nil, "", fmt.Errorf("no known ABI: %v", module.GetABINameList())
	}
	if err := instance.Start(); err != nil {
		return nil, "", err
	}
	// A shape is compiled once; its script is written before the first call.
	if script := p.Guest.Shape.Script; len(script) > 0 {
		err = instance.PutMemory(kept.Address, uint64(len(script)), script)
	}
	return instance, abi, err
}
