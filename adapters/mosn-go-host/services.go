package main

import (
	"sort"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
)

// call is an HTTP call of a plugin.
type call struct {
	plugin *plugin
	id     int32
	// due is when it times out, if it does, in milliseconds since the beginning.
	due int64
	// isOver says that it has been answered.
	isOver bool
}

// answer is a response to an HTTP call.
type answer struct {
	headers  *fields
	body     []byte
	trailers *fields
}

func failedAnswer() answer { return answer{headers: &fields{}, trailers: &fields{}} }

// servers are the upstreams that answer when a step says so; deadServer refuses connections.
var servers = map[string]bool{"upstream": true, "auth": true, "callout": true}

const deadServer = "dead"

// httpCall makes an HTTP call. It fails for unknown upstreams, and if a pseudo header is missing.
func (c *context) httpCall(upstream string, headers common.HeaderMap, body []byte, trailers common.HeaderMap, timeout uint32) (int32, bool) {
	p := c.plugin.proxy
	for _, name := range []string{":method", ":authority", ":path"} {
		if value, _ := headers.Get(name); value == "" {
			return 0, false
		}
	}
	if !servers[upstream] && upstream != deadServer {
		return 0, false
	}
	call := &call{plugin: c.plugin, id: int32(len(p.calls) + 1)}
	if upstream == deadServer {
		p.later = append(p.later, func() { call.answer(failedAnswer()) })
		return call.id, true
	}
	if timeout > 0 {
		call.due = p.now + int64(timeout)
	}
	number := len(p.calls)
	p.calls = append(p.calls, call)
	p.report(object{
		"event": "http_call", "call": number, "upstream": upstream, "headers": sorted(headers),
		"body": data(append([]byte{}, body...)), "trailers": sorted(trailers),
	})
	return call.id, true
}

// answer responds to an HTTP call by its number.
func (p *proxy) answer(number int, answer answer) {
	if number < len(p.calls) {
		p.calls[number].answer(answer)
	}
}

func (c *call) answer(answer answer) {
	if c.isOver {
		return
	}
	c.isOver, c.due = true, 0
	root := c.plugin.root
	c.plugin.answer = &answer
	root.call("proxy_on_http_call_response", func(e exports) error {
		return e.ProxyOnHttpCallResponse(root.id, c.id, int32(len(answer.headers.list)), int32(len(answer.body)), int32(len(answer.trailers.list)))
	})
	c.plugin.answer = nil
}

// foreign calls a foreign function.
func foreign(name string, argument []byte) ([]byte, bool) {
	if name != "echo" {
		return nil, false
	}
	return append([]byte{}, argument...), true
}

// registered notes that a plugin is to be called for the items of a queue.
func (p *plugin) registered(queue uint32) {
	for _, reader := range p.proxy.readers[queue] {
		if reader == p {
			return
		}
	}
	p.proxy.readers[queue] = append(p.proxy.readers[queue], p)
}

// enqueued calls the plugins that have registered a queue.
func (p *proxy) enqueued(queue uint32) {
	p.later = append(p.later, func() {
		for _, reader := range p.readers[queue] {
			root := reader.root
			root.call("proxy_on_queue_ready", func(e exports) error { return e.queueReady(root.id, int32(queue)) })
		}
	})
}

// metrics are those of all plugins; a metric's id is its place.
type metrics struct{ list []*metric }

type metric struct {
	name  string
	kind  int32
	value int64
}

// Types of metrics.
const (
	counter   int32 = 0
	histogram int32 = 2
)

// define finds a metric of that name and type, or adds one. False if the type is unknown.
func (m *metrics) define(kind int32, name string) (int32, bool) {
	if kind < counter || kind > histogram {
		return 0, false
	}
	for id, metric := range m.list {
		if metric.name == name && metric.kind == kind {
			return int32(id), true
		}
	}
	m.list = append(m.list, &metric{name: name, kind: kind})
	return int32(len(m.list) - 1), true
}

// find gives the metric with that id, or nil.
func (m *metrics) find(id int32) *metric {
	if id < 0 || int(id) >= len(m.list) {
		return nil
	}
	return m.list[id]
}

// report reports the metrics that have a single value.
func (m *metrics) report(report func(object)) {
	named := append([]*metric{}, m.list...)
	sort.SliceStable(named, func(i, j int) bool { return named[i].name < named[j].name })
	for _, metric := range named {
		if metric.kind != histogram {
			report(object{"event": "metric", "name": metric.name, "value": metric.value})
		}
	}
}
