// Keeps several streams apart.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// Milliseconds to wait for the server's answer.
const callTimeout = 1000

func main() {}

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &stream{} })
}

type stream struct {
	types.DefaultHttpContext
	path string
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if path, err := proxywasm.GetHttpRequestHeader(":path"); err == nil {
		s.path = path
	}
	headers := [][2]string{{":method", "GET"}, {":path", s.path}, {":authority", "callout"}, {":scheme", "http"}}
	if _, err := proxywasm.DispatchHttpCall("callout", headers, nil, nil, callTimeout, s.answered); err != nil {
		s.mark("failed")
		return types.ActionContinue
	}
	return types.ActionPause
}

func (s *stream) answered(numHeaders, bodySize, _ int) {
	if numHeaders == 0 {
		s.mark("failed")
	} else {
		body, _ := proxywasm.GetHttpCallResponseBody(0, bodySize)
		s.mark(string(body))
	}
	_ = proxywasm.ResumeHttpRequest()
}

func (s *stream) mark(answer string) {
	_ = proxywasm.ReplaceHttpRequestHeader("x-answer", answer)
	_ = proxywasm.ReplaceHttpRequestHeader("x-asked", s.path)
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	_ = proxywasm.AddHttpResponseHeader("x-asked", s.path)
	return types.ActionContinue
}

func (s *stream) OnHttpStreamDone() {
	proxywasm.LogInfo("finished: " + s.path)
}
