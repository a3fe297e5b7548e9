// Calls foreign functions. The SDK has no callback for being called as one.
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
	function, err := proxywasm.GetHttpRequestHeader("x-function")
	if err != nil {
		return types.ActionContinue
	}
	arguments, _ := proxywasm.GetHttpRequestHeader("x-arguments")
	if results, err := proxywasm.CallForeignFunction(function, []byte(arguments)); err == nil {
		_ = proxywasm.AddHttpRequestHeader("x-results", string(results))
	} else {
		_ = proxywasm.AddHttpRequestHeader("x-failed", "yes")
	}
	return types.ActionContinue
}
