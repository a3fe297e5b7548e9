package main

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"mosn.io/mosn/pkg/types"
	"mosn.io/proxy-wasm-go-host/wazero"
)

// engine is MOSN's engine wazero for one plugin. It notes when code of the plugin runs, and how that fails.
type engine struct {
	types.WasmVM
	plugin string
}

type module struct {
	types.WasmModule
	plugin string
}

type instance struct {
	types.WasmInstance
	plugin string
}

type function struct {
	types.WasmFunction
	plugin string
}

func newEngine(plugin string) types.WasmVM {
	return &engine{wazero.NewVM(), plugin}
}

// NewModule compiles a module. MOSN's engine panics if it is not valid.
func (e *engine) NewModule(guest []byte) types.WasmModule {
	defer running.enter(e.plugin)()
	return &module{e.WasmVM.NewModule(guest), e.plugin}
}

func (m *module) NewInstance() types.WasmInstance {
	return &instance{m.WasmModule.NewInstance(), m.plugin}
}

func (i *instance) Start() error {
	defer running.enter(i.plugin)()
	err := i.WasmInstance.Start()
	if err != nil {
		line{Plugin: i.plugin, Failed: err.Error()}.write()
	}
	return err
}

// GetModule is what MOSN calls before it looks for a version of the ABI.
func (i *instance) GetModule() types.WasmModule {
	running.enter(i.plugin)()
	return i.WasmInstance.GetModule()
}

func (i *instance) GetExportsFunc(name string) (types.WasmFunction, error) {
	exported, err := i.WasmInstance.GetExportsFunc(name)
	if err != nil {
		return nil, err
	}
	return &function{exported, i.plugin}, nil
}

func (f *function) Call(arguments ...interface{}) (interface{}, error) {
	defer running.enter(f.plugin)()
	result, err := f.WasmFunction.Call(arguments...)
	if err != nil && !isMismatch(err) {
		// Stack traces of the plugin and of Go follow.
		reason, _, _ := strings.Cut(err.Error(), "\n")
		line{Plugin: f.plugin, Fault: reason}.write()
	}
	return result, err
}

// isMismatch says whether MOSN's number of arguments was wrong, so that no code of the plugin was run.
func isMismatch(err error) bool {
	return strings.HasPrefix(err.Error(), "expected ") && strings.Contains(err.Error(), " params, but passed ")
}

// plugins has the plugin whose code each goroutine runs.
type plugins struct {
	lock sync.Mutex
	by   map[uint64]string
	// latest is the plugin that was run or looked at last.
	latest string
}

var running = plugins{by: map[uint64]string{}}

// enter notes that this goroutine runs code of a plugin, until the function that is returned is called.
func (p *plugins) enter(plugin string) (leave func()) {
	goroutine := goroutine()
	p.lock.Lock()
	defer p.lock.Unlock()
	before, nested := p.by[goroutine]
	p.by[goroutine], p.latest = plugin, plugin
	return func() {
		p.lock.Lock()
		defer p.lock.Unlock()
		if nested {
			p.by[goroutine] = before
		} else {
			delete(p.by, goroutine)
		}
	}
}

// plugin returns the name of the plugin whose code this goroutine runs, or nothing.
func (p *plugins) plugin() string {
	goroutine := goroutine()
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.by[goroutine]
}

// goroutine returns the number of this goroutine, which its stack trace begins with: "goroutine 7 [running]:".
func goroutine() uint64 {
	var trace [64]byte
	words := bytes.Fields(trace[:runtime.Stack(trace[:], false)])
	if len(words) < 2 {
		return 0
	}
	number, _ := strconv.ParseUint(string(words[1]), 10, 64)
	return number
}
