package main

import (
	"mosn.io/proxy-wasm-go-host/proxywasm/common"
	v1 "mosn.io/proxy-wasm-go-host/proxywasm/v1"
)

// newV1 makes the library's ABI object for a context of ABI v0.1.0.
func newV1(c *context) (*v1.ABIContext, exports) {
	abi := &v1.ABIContext{Imports: &importsV1{context: c}, Instance: c.plugin.instance}
	return abi, exportsV1{abi.GetExports()}
}

// exportsV1 are the callbacks of ABI v0.1.0.
type exportsV1 struct{ v1.Exports }

func (e exportsV1) contextCreate(id, parent int32) error { return e.ProxyOnContextCreate(id, parent) }

func (e exportsV1) log(id int32) error { return e.ProxyOnLog(id) }

func (e exportsV1) tick(rootID int32) error { return e.ProxyOnTick(rootID) }

func (e exportsV1) queueReady(rootID, queue int32) error { return e.ProxyOnQueueReady(rootID, queue) }

func (e exportsV1) upstreamClose(id, peer int32) error {
	return e.ProxyOnUpstreamConnectionClose(id, peer)
}

func (e exportsV1) downstreamClose(id, peer int32) error {
	return e.ProxyOnDownstreamConnectionClose(id, peer)
}

func (e exportsV1) filter(callback string, id, size, end int32) (err error) {
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
		_, err = e.ProxyOnRequestTrailers(id, size)
	case "proxy_on_response_headers":
		_, err = e.ProxyOnResponseHeaders(id, size, end)
	case "proxy_on_response_body":
		_, err = e.ProxyOnResponseBody(id, size, end)
	case "proxy_on_response_trailers":
		_, err = e.ProxyOnResponseTrailers(id, size)
	}
	return err
}

// importsV1 are the functions of ABI v0.1.0 for a context. Shared data, queues and the clock are the library's own.
type importsV1 struct {
	v1.DefaultImportsHandler
	context *context
}

// status makes an outcome a status.
func status(ok bool, otherwise v1.WasmResult) v1.WasmResult {
	if ok {
		return v1.WasmResultOk
	}
	return otherwise
}

func (i *importsV1) GetRootContextID() int32 { return i.context.plugin.root.id }

func (i *importsV1) GetVmConfig() common.IoBuffer { return i.context.vmConfiguration() }

func (i *importsV1) GetPluginConfig() common.IoBuffer { return i.context.configuration() }

func (i *importsV1) Log(level v1.LogLevel, message string) v1.WasmResult {
	return status(i.context.plugin.log(int(level), message), v1.WasmResultBadArgument)
}

func (i *importsV1) SetEffectiveContextID(id int32) v1.WasmResult {
	return status(i.context.setEffective(id), v1.WasmResultBadArgument)
}

func (i *importsV1) SetTickPeriodMilliseconds(period int32) v1.WasmResult {
	i.context.plugin.setPeriod(period)
	return v1.WasmResultOk
}

func (i *importsV1) Done() v1.WasmResult {
	return status(i.context.finalize(), v1.WasmResultNotFound)
}

func (i *importsV1) GetDownStreamData() common.IoBuffer { return i.context.bytes(toUpstream, true) }

func (i *importsV1) GetUpstreamData() common.IoBuffer { return i.context.bytes(toClient, true) }

func (i *importsV1) GetHttpRequestHeader() common.HeaderMap { return i.context.headers(toUpstream) }

func (i *importsV1) GetHttpRequestBody() common.IoBuffer { return i.context.bytes(toUpstream, false) }

func (i *importsV1) GetHttpRequestTrailer() common.HeaderMap { return i.context.trailers(toUpstream) }

func (i *importsV1) GetHttpResponseHeader() common.HeaderMap { return i.context.headers(toClient) }

func (i *importsV1) GetHttpResponseBody() common.IoBuffer { return i.context.bytes(toClient, false) }

func (i *importsV1) GetHttpResponseTrailer() common.HeaderMap { return i.context.trailers(toClient) }

func (i *importsV1) GetHttpCallResponseHeaders() common.HeaderMap { return i.context.answerHeaders() }

func (i *importsV1) GetHttpCallResponseBody() common.IoBuffer { return i.context.answerBody() }

func (i *importsV1) GetHttpCallResponseTrailer() common.HeaderMap { return i.context.answerTrailers() }

func (i *importsV1) HttpCall(
	upstream string, headers common.HeaderMap, body common.IoBuffer, trailers common.HeaderMap, timeout int32,
) (int32, v1.WasmResult) {
	id, ok := i.context.httpCall(upstream, headers, body.Bytes(), trailers, uint32(timeout))
	return id, status(ok, v1.WasmResultBadArgument)
}

func (i *importsV1) CallForeignFunction(name string, argument []byte) ([]byte, v1.WasmResult) {
	result, ok := foreign(name, argument)
	return result, status(ok, v1.WasmResultNotFound)
}

func (i *importsV1) GetProperty(path string) (string, v1.WasmResult) {
	value, ok := i.context.property(path)
	return value, status(ok, v1.WasmResultNotFound)
}

func (i *importsV1) SetProperty(path, value string) v1.WasmResult {
	return status(i.context.setProperty(path, value), v1.WasmResultNotFound)
}

func (i *importsV1) DefineMetric(kind v1.MetricType, name string) (int32, v1.WasmResult) {
	id, ok := i.context.plugin.proxy.metrics.define(int32(kind), name)
	return id, status(ok, v1.WasmResultBadArgument)
}

func (i *importsV1) IncrementMetric(id int32, offset int64) v1.WasmResult {
	metric := i.context.plugin.proxy.metrics.find(id)
	switch {
	case metric == nil:
		return v1.WasmResultNotFound
	case metric.kind == histogram, metric.kind == counter && offset < 0:
		return v1.WasmResultBadArgument
	}
	metric.value += offset
	return v1.WasmResultOk
}

func (i *importsV1) RecordMetric(id int32, value int64) v1.WasmResult {
	metric := i.context.plugin.proxy.metrics.find(id)
	if metric == nil {
		return v1.WasmResultNotFound
	}
	metric.value = value
	return v1.WasmResultOk
}

func (i *importsV1) GetMetric(id int32) (int64, v1.WasmResult) {
	metric := i.context.plugin.proxy.metrics.find(id)
	if metric == nil {
		return 0, v1.WasmResultNotFound
	}
	return metric.value, v1.WasmResultOk
}

// The library's stores are global: the process that has used them cannot serve another scenario.

func (i *importsV1) SetSharedData(key, value string, cas uint32) v1.WasmResult {
	i.context.plugin.proxy.spent = true
	return i.DefaultImportsHandler.SetSharedData(key, value, cas)
}

func (i *importsV1) RegisterSharedQueue(name string) (uint32, v1.WasmResult) {
	i.context.plugin.proxy.spent = true
	id, result := i.DefaultImportsHandler.RegisterSharedQueue(name)
	if result == v1.WasmResultOk {
		i.context.plugin.registered(id)
	}
	return id, result
}

func (i *importsV1) EnqueueSharedQueue(id uint32, value string) v1.WasmResult {
	result := i.DefaultImportsHandler.EnqueueSharedQueue(id, value)
	if result == v1.WasmResultOk {
		i.context.plugin.proxy.enqueued(id)
	}
	return result
}
