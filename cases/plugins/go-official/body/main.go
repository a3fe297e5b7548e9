// Changes bodies to upper case, both ways.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	// Whether pieces of a body are changed as they come.
	streaming bool
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		return types.OnPluginStartStatusFailed
	}
	p.streaming = string(configuration) == "stream"
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	return &stream{streaming: p.streaming}
}

type stream struct {
	types.DefaultHttpContext
	streaming bool
	// Sizes of the bodies that are held.
	request, response int
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	_ = proxywasm.RemoveHttpRequestHeader("content-length")
	return types.ActionContinue
}

func (s *stream) OnHttpRequestBody(size int, endOfStream bool) types.Action {
	if !s.streaming && !endOfStream {
		s.request = size
		return types.ActionPause
	}
	changeRequest(size)
	return types.ActionContinue
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.request > 0 {
		changeRequest(s.request)
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	_ = proxywasm.RemoveHttpResponseHeader("content-length")
	return types.ActionContinue
}

func (s *stream) OnHttpResponseBody(size int, endOfStream bool) types.Action {
	if !s.streaming && !endOfStream {
		s.response = size
		return types.ActionPause
	}
	changeResponse(size)
	return types.ActionContinue
}

func (s *stream) OnHttpResponseTrailers(int) types.Action {
	if s.response > 0 {
		changeResponse(s.response)
	}
	return types.ActionContinue
}

func changeRequest(size int) {
	if body, err := proxywasm.GetHttpRequestBody(0, size); err == nil {
		_ = proxywasm.ReplaceHttpRequestBody(upper(body))
	}
}

func changeResponse(size int) {
	if body, err := proxywasm.GetHttpResponseBody(0, size); err == nil {
		_ = proxywasm.ReplaceHttpResponseBody(upper(body))
	}
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
