// Reads its configurations, and refuses bad ones.
package main

import (
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetVMContext(&vm{})
}

type vm struct {
	types.DefaultVMContext
	configuration string
}

func (v *vm) OnVMStart(int) types.OnVMStartStatus {
	configuration, err := proxywasm.GetVMConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		return types.OnVMStartStatusFailed
	}
	if string(configuration) == "refuse" {
		return types.OnVMStartStatusFailed
	}
	v.configuration = string(configuration)
	return types.OnVMStartStatusOK
}

func (v *vm) NewPluginContext(uint32) types.PluginContext {
	return &plugin{vm: v}
}

type plugin struct {
	types.DefaultPluginContext
	vm            *vm
	configuration string
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		return types.OnPluginStartStatusFailed
	}
	if strings.HasPrefix(string(configuration), "refuse") {
		return types.OnPluginStartStatusFailed
	}
	p.configuration = string(configuration)
	return types.OnPluginStartStatusOK
}

// A stream has the configuration that holds when it begins.
func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	return &stream{configuration: p.configuration, vmConfiguration: p.vm.configuration}
}

type stream struct {
	types.DefaultHttpContext
	configuration, vmConfiguration string
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	_ = proxywasm.AddHttpResponseHeader("x-configuration", s.configuration)
	_ = proxywasm.AddHttpResponseHeader("x-vm-configuration", s.vmConfiguration)
	return types.ActionContinue
}
