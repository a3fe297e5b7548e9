package main

import (
	"errors"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
	v2 "mosn.io/proxy-wasm-go-host/proxywasm/v2"
)

// newV2 makes the library's ABI object for a context of what it takes for ABI v0.2.0, a draft of a later version.
func newV2(c *context) (*v2.ABIContext, exports) {
	abi := &v2.ABIContext{Imports: &importsV2{context: c}, Instance: c.plugin.instance}
	return abi, exportsV2{abi.GetExports()}
}

// exportsV2 are the callbacks of that draft: it has no proxy_on_log and no proxy_on_tick.
type exportsV2 struct{ v2.Exports }

// errNoCallback is for callbacks that the draft does not have.
var errNoCallback = errors.New("the library does not have this callback")

func (e exportsV2) contextCreate(id, parent int32) error {
	kind := v2.ContextTypeStreamContext
	if parent == 0 {
		kind = v2.ContextTypePluginContext
	}
	return e.ProxyOnContextCreate(id, parent, kind)
}

func (e exportsV2) log(int32) error { return errNoCallback }

func (e exportsV2) tick(int32) error { return errNoCallback }

func (e exportsV2) queueReady(_, queue int32) error { return e.ProxyOnQueueReady(queue) }

func (e exportsV2) upstreamClose(id, peer int32) error {
	return e.ProxyOnUpstreamClose(id, v2.CloseSourceType(peer))
}

func (e exportsV2) downstreamClose(id, peer int32) error {
	return e.ProxyOnDownstreamClose(id, v2.CloseSourceType(peer))
}

func (e exportsV2) filter(callback string, id, size, end int32) (err error) {
	switch callback {
	case "proxy_on_new_connection":
		_, err = e.ProxyOnNewConnection(id)
	case "proxy_on_downstream_data":
		_, err = e.ProxyOnDownstreamData(id, size, end)
	case "proxy_on_upstream_data":
		_, err = e.ProxyOnUpstreamData(id, size, end)
	case "proxy_on_request_headers":
		_, err = e.ProxyOnRequestHeaders(id, size, end)
	case "proxy_on_request_body":
		_, err = e.ProxyOnRequestBody(id, size, end)
	case "proxy_on_request_trailers":
		_, err = e.ProxyOnRequestTrailers(id, size, end)
	case "proxy_on_response_headers":
		_, err = e.ProxyOnResponseHeaders(id, size, end)
	case "proxy_on_response_body":
		_, err = e.ProxyOnResponseBody(id, size, end)
	case "proxy_on_response_trailers":
		_, err = e.ProxyOnResponseTrailers(id, size, end)
	}
	return err
}

// importsV2 are those functions of the draft that ABI v0.2.0 has, too.
type importsV2 struct {
	v2.DefaultImportsHandler
	context *context
}

// result makes an outcome a status of the draft.
func result(ok bool, otherwise v2.Result) v2.Result {
	if ok {
		return v2.ResultOk
	}
	return otherwise
}

func (i *importsV2) Log(level v2.LogLevel, message string) v2.Result {
	return result(i.context.plugin.log(int(level), message), v2.ResultBadArgument)
}

func (i *importsV2) SetEffectiveContext(id int32) v2.Result {
	return result(i.context.setEffective(id), v2.ResultBadArgument)
}

func (i *importsV2) GetVmConfig() common.IoBuffer { return i.context.vmConfiguration() }

func (i *importsV2) GetPluginConfig() common.IoBuffer { return i.context.configuration() }

func (i *importsV2) GetDownStreamData() common.IoBuffer { return i.context.bytes(toUpstream, true) }

func (i *importsV2) GetUpstreamData() common.IoBuffer { return i.context.bytes(toClient, true) }

func (i *importsV2) CloseDownStream() v2.Result { return i.close(true) }

func (i *importsV2) CloseUpStream() v2.Result { return i.close(true) }

func (i *importsV2) CloseHttpRequest() v2.Result { return i.close(false) }

func (i *importsV2) CloseHttpResponse() v2.Result { return i.close(false) }

// close closes the stream: one of TCP only if that is asked for, as it has no request and no response.
func (i *importsV2) close(tcpToo bool) v2.Result {
	c := i.context
	return result((tcpToo || c.place != nil && !c.place.stream.isTCP) && c.close(), v2.ResultBadArgument)
}

func (i *importsV2) GetHttpRequestHeader() common.HeaderMap { return i.context.headers(toUpstream) }

func (i *importsV2) GetHttpRequestBody() common.IoBuffer { return i.context.bytes(toUpstream, false) }

func (i *importsV2) GetHttpRequestTrailer() common.HeaderMap { return i.context.trailers(toUpstream) }

func (i *importsV2) GetHttpResponseHeader() common.HeaderMap { return i.context.headers(toClient) }

func (i *importsV2) GetHttpResponseBody() common.IoBuffer { return i.context.bytes(toClient, false) }

func (i *importsV2) GetHttpResponseTrailer() common.HeaderMap { return i.context.trailers(toClient) }

func (i *importsV2) GetHttpCallResponseHeaders() common.HeaderMap { return i.context.answerHeaders() }

func (i *importsV2) GetHttpCalloutResponseBody() common.IoBuffer { return i.context.answerBody() }

func (i *importsV2) GetHttpCallResponseTrailer() common.HeaderMap { return i.context.answerTrailers() }

func (i *importsV2) DispatchHttpCall(
	upstream string, headers common.HeaderMap, body common.IoBuffer, trailers common.HeaderMap, timeout uint32,
) (uint32, v2.Result) {
	id, ok := i.context.httpCall(upstream, headers, body.Bytes(), trailers, timeout)
	return uint32(id), result(ok, v2.ResultBadArgument)
}
