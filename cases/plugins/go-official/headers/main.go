// Reads, adds, replaces and removes headers and trailers, both ways.
package main

import (
	"strconv"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &stream{} })
}

type stream struct {
	types.DefaultHttpContext
	// The request's x-echo, if it had one.
	echo    string
	hasEcho bool
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if echo, err := proxywasm.GetHttpRequestHeader("x-echo"); err == nil {
		s.echo, s.hasEcho = echo, true
	}

	if headers, err := proxywasm.GetHttpRequestHeaders(); err == nil {
		for _, header := range headers {
			if name, found := strings.CutPrefix(header[0], "x-copy-"); found {
				_ = proxywasm.AddHttpRequestHeader("x-copied-"+name, header[1])
			}
		}
	}

	if _, err := proxywasm.GetHttpRequestHeader("x-replace"); err == nil {
		_ = proxywasm.ReplaceHttpRequestHeader("x-replace", "replaced")
	}
	_ = proxywasm.RemoveHttpRequestHeader("x-remove")
	return types.ActionContinue
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if trailers, err := proxywasm.GetHttpRequestTrailers(); err == nil {
		_ = proxywasm.AddHttpRequestTrailer("x-trailer-fields", strconv.Itoa(len(trailers)))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.hasEcho {
		_ = proxywasm.AddHttpResponseHeader("x-echoed", s.echo)
	}
	if headers, err := proxywasm.GetHttpResponseHeaders(); err == nil {
		_ = proxywasm.ReplaceHttpResponseHeaders(append(headers, [2]string{"x-all", "set"}))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseTrailers(int) types.Action {
	if trailers, err := proxywasm.GetHttpResponseTrailers(); err == nil {
		_ = proxywasm.AddHttpResponseTrailer("x-trailer-fields", strconv.Itoa(len(trailers)))
	}
	return types.ActionContinue
}
