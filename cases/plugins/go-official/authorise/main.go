// Asks a server over HTTP whether a request may pass.
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
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	headers := [][2]string{{":method", "GET"}, {":path", "/check"}, {":authority", "auth"}, {":scheme", "http"}}
	if token, err := proxywasm.GetHttpRequestHeader("x-token"); err == nil {
		headers = append(headers, [2]string{"x-token", token})
	}
	if _, err := proxywasm.DispatchHttpCall("auth", headers, nil, nil, callTimeout, answered); err != nil {
		refuse(503, nil)
	}
	return types.ActionPause
}

func answered(numHeaders, bodySize, _ int) {
	headers, err := proxywasm.GetHttpCallResponseHeaders()
	if numHeaders == 0 || err != nil {
		refuse(503, nil)
		return
	}
	status, _ := find(headers, ":status")
	if status != "200" {
		body, _ := proxywasm.GetHttpCallResponseBody(0, bodySize)
		refuse(403, body)
		return
	}
	// To replace a header may leave a second one of that name.
	_ = proxywasm.RemoveHttpRequestHeader("x-user")
	if user, found := find(headers, "x-user"); found {
		_ = proxywasm.AddHttpRequestHeader("x-user", user)
	}
	_ = proxywasm.ResumeHttpRequest()
}

func refuse(status uint32, body []byte) {
	_ = proxywasm.SendHttpResponse(status, [][2]string{{"x-denied-by", "authorise"}}, body, -1)
}

// The SDK reads the headers of an answer all at once only.
func find(headers [][2]string, name string) (value string, found bool) {
	for _, header := range headers {
		if header[0] == name {
			return header[1], true
		}
	}
	return "", false
}
