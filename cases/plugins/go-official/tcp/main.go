// Works on TCP connections.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

// SetTcpContext would do, but with it the SDK calls a function that is nil when a connection opens (internal/entrypoints.go:47).
func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
}

func (p *plugin) NewTcpContext(uint32) types.TcpContext {
	return &connection{}
}

type connection struct {
	types.DefaultTcpContext
}

func (c *connection) OnNewConnection() types.Action {
	proxywasm.LogInfo("open")
	return types.ActionContinue
}

func (c *connection) OnDownstreamData(size int, _ bool) types.Action {
	if size == 0 {
		return types.ActionContinue
	}
	if data, err := proxywasm.GetDownstreamData(0, size); err == nil {
		_ = proxywasm.ReplaceDownstreamData(upper(data))
	}
	return types.ActionContinue
}

func (c *connection) OnUpstreamData(size int, _ bool) types.Action {
	if size > 0 {
		_ = proxywasm.PrependUpstreamData([]byte("> "))
	}
	return types.ActionContinue
}

func (c *connection) OnDownstreamClose(types.PeerType) {
	proxywasm.LogInfo("client closed")
}

func (c *connection) OnUpstreamClose(types.PeerType) {
	proxywasm.LogInfo("upstream closed")
}

func (c *connection) OnStreamDone() {
	proxywasm.LogInfo("finished")
}

// ASCII only: bytes.ToUpper takes bytes for UTF-8.
func upper(data []byte) []byte {
	for i, b := range data {
		if 'a' <= b && b <= 'z' {
			data[i] = b - 'a' + 'A'
		}
	}
	return data
}
