// Writes a line about each stream.
package main

import (
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
}

func (s *stream) OnHttpStreamDone() {
	proxywasm.LogInfo(strings.Join([]string{
		orDash(proxywasm.GetHttpRequestHeader(":path")),
		orDash(proxywasm.GetHttpResponseHeader(":status")),
		orDash(proxywasm.GetHttpRequestTrailer("x-sum")),
		orDash(proxywasm.GetHttpResponseTrailer("x-sum")),
	}, " "))
}

func orDash(value string, err error) string {
	if err != nil {
		return "-"
	}
	return value
}
