// Answers from the phase that its configuration names.
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
	phase string
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil {
		return types.OnPluginStartStatusFailed
	}
	p.phase = string(configuration)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	return &stream{phase: p.phase}
}

type stream struct {
	types.DefaultHttpContext
	phase    string
	answered bool
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if s.phase == "request_headers" {
		return s.answer()
	}
	return types.ActionContinue
}

func (s *stream) OnHttpRequestBody(_ int, endOfStream bool) types.Action {
	switch {
	case s.phase == "request_body":
		return s.answer()
	case s.phase == "request_trailers" && !endOfStream:
		return types.ActionPause
	}
	return types.ActionContinue
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.phase == "request_trailers" {
		return s.answer()
	}
	return types.ActionContinue
}

// The host may show the plugin its own answer: that one passes.
func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.phase == "response_headers" && !s.answered {
		return s.answer()
	}
	return types.ActionContinue
}

func (s *stream) answer() types.Action {
	if !s.answered {
		s.answered = true
		headers := [][2]string{{"x-local", "yes"}, {"x-local-phase", s.phase}}
		if err := proxywasm.SendHttpResponse(418, headers, []byte("teapot"), -1); err != nil {
			return types.ActionContinue
		}
	}
	return types.ActionPause
}
