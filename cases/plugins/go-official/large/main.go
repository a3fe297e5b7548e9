// Large headers and bodies.
package main

import (
	"bytes"
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
	// Size of the request's body that is held.
	request int
	// The request's x-size, if it had one.
	size    int
	hasSize bool
	// Whether a piece of the response's body is held.
	response bool
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if value, err := proxywasm.GetHttpRequestHeader("x-size"); err == nil {
		size, err := strconv.Atoi(value)
		s.size, s.hasSize = size, err == nil && size >= 0
	}
	if headers, err := proxywasm.GetHttpRequestHeaders(); err == nil {
		largest := 0
		for _, header := range headers {
			largest = max(largest, len(header[1]))
		}
		_ = proxywasm.AddHttpRequestHeader("x-largest", strconv.Itoa(largest))
	}
	_ = proxywasm.RemoveHttpRequestHeader("content-length")
	return types.ActionContinue
}

func (s *stream) OnHttpRequestBody(size int, endOfStream bool) types.Action {
	if !endOfStream {
		s.request = size
		return types.ActionPause
	}
	measureRequest(size)
	return types.ActionContinue
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	if s.request > 0 {
		measureRequest(s.request)
	}
	return types.ActionContinue
}

func measureRequest(size int) {
	if body, err := proxywasm.GetHttpRequestBody(0, size); err == nil {
		_ = proxywasm.ReplaceHttpRequestBody([]byte(strconv.Itoa(len(body))))
	}
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.hasSize {
		_ = proxywasm.AddHttpResponseHeader("x-large", strings.Repeat("h", s.size))
		_ = proxywasm.RemoveHttpResponseHeader("content-length")
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseBody(_ int, endOfStream bool) types.Action {
	if !s.hasSize {
		return types.ActionContinue
	}
	if !endOfStream {
		s.response = true
		return types.ActionPause
	}
	s.fillResponse()
	return types.ActionContinue
}

func (s *stream) OnHttpResponseTrailers(int) types.Action {
	if s.response {
		s.fillResponse()
	}
	return types.ActionContinue
}

func (s *stream) fillResponse() {
	_ = proxywasm.ReplaceHttpResponseBody(bytes.Repeat([]byte("b"), s.size))
}
