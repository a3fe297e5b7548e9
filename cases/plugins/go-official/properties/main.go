// Reads and sets properties.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &stream{} })
}

type stream struct {
	types.DefaultHttpContext
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if path, err := proxywasm.GetProperty([]string{"request", "path"}); err == nil {
		_ = proxywasm.AddHttpRequestHeader("x-path", string(path))
	}
	if note, err := proxywasm.GetHttpRequestHeader("x-note"); err == nil {
		_ = proxywasm.SetProperty([]string{"kit.note"}, []byte(note))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if name, err := proxywasm.GetProperty([]string{"plugin_name"}); err == nil {
		_ = proxywasm.AddHttpResponseHeader("x-plugin-name", string(name))
	}
	if note, err := proxywasm.GetProperty([]string{"kit.note"}); err == nil {
		_ = proxywasm.AddHttpResponseHeader("x-note", string(note))
	}
	if _, err := proxywasm.GetProperty([]string{"kit.missing"}); err == types.ErrorStatusNotFound {
		_ = proxywasm.AddHttpResponseHeader("x-missing", "yes")
	}
	return types.ActionContinue
}
