package main

import (
	"encoding/binary"
	"strings"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
)

// What the calls of a context reach, for both versions of the ABI: what the library leaves to its embedder.

// exports are the callbacks of both versions of the library's ABI objects.
type exports interface {
	ProxyOnVmStart(rootID, size int32) (int32, error)
	ProxyOnConfigure(rootID, size int32) (int32, error)
	ProxyOnDone(id int32) (int32, error)
	ProxyOnDelete(id int32) error
	ProxyOnHttpCallResponse(rootID, call, headers, size, trailers int32) error

	contextCreate(id, parent int32) error
	log(id int32) error
	tick(rootID int32) error
	queueReady(rootID, queue int32) error
	upstreamClose(id, peer int32) error
	downstreamClose(id, peer int32) error
	// filter calls the callback for a piece of a message.
	filter(callback string, id, size, end int32) error
}

// asMap makes no map the library's nil.
func asMap(f *fields) common.HeaderMap {
	if f == nil {
		return nil
	}
	return f
}

// headers are those of a message: in their callback, and a copy of them when the stream is logged.
func (c *context) headers(way direction) common.HeaderMap {
	if c.place == nil || c.place.stream.isTCP {
		return nil
	}
	if c.is("proxy_on_log") {
		return logged(c.place.stream.messages[way].headers)
	}
	return asMap(c.current(way, headersPiece))
}

// trailers are as headers are; at the end of a body there is an empty map, for trailers that a plugin adds.
func (c *context) trailers(way direction) common.HeaderMap {
	if c.place == nil || c.place.stream.isTCP {
		return nil
	}
	if c.is("proxy_on_log") {
		return logged(c.place.stream.messages[way].trailers)
	}
	if piece := c.piece(way); piece != nil && piece.kind == bodyPiece && piece.end {
		if c.place.added == nil {
			c.place.added = &fields{}
		}
		return c.place.added
	}
	return asMap(c.current(way, trailersPiece))
}

func logged(f *fields) common.HeaderMap {
	if f == nil {
		return &fields{}
	}
	return f.clone()
}

// piece is the one that the running callback is about, if it is of that direction.
func (c *context) piece(way direction) *piece {
	if c.place == nil || c.plugin.running != c || c.place.way != way {
		return nil
	}
	return c.place.piece
}

func (c *context) current(way direction, kind kind) *fields {
	if piece := c.piece(way); piece != nil && piece.kind == kind {
		return piece.fields
	}
	return nil
}

// bytes are those of the body or of the connection that the running callback is about.
func (c *context) bytes(way direction, isTCP bool) common.IoBuffer {
	if piece := c.piece(way); piece != nil && piece.kind == bodyPiece && c.place.stream.isTCP == isTCP {
		return c.place.buffer
	}
	return nil
}

func (c *context) vmConfiguration() common.IoBuffer {
	if !c.is("proxy_on_vm_start") {
		return nil
	}
	return common.NewIoBufferBytes(append([]byte{}, c.plugin.vmConfiguration...))
}

func (c *context) configuration() common.IoBuffer {
	if !c.is("proxy_on_configure") {
		return nil
	}
	return common.NewIoBufferBytes(append([]byte{}, c.plugin.configuration...))
}

// answered is the response to an HTTP call, in its callback.
func (c *context) answered() *answer {
	if !c.is("proxy_on_http_call_response") {
		return nil
	}
	return c.plugin.answer
}

func (c *context) answerHeaders() common.HeaderMap {
	if answer := c.answered(); answer != nil {
		return answer.headers
	}
	return nil
}

func (c *context) answerTrailers() common.HeaderMap {
	if answer := c.answered(); answer != nil {
		return answer.trailers
	}
	return nil
}

func (c *context) answerBody() common.IoBuffer {
	if answer := c.answered(); answer != nil {
		return common.NewIoBufferBytes(append([]byte{}, answer.body...))
	}
	return nil
}

// setEffective makes another context the one that the next calls act on.
func (c *context) setEffective(id int32) bool {
	other := c.plugin.contexts[id]
	if other != nil {
		c.plugin.instance.SetData(other.data)
	}
	return other != nil
}

// finalize is proxy_done: the context has waited for it.
func (c *context) finalize() bool {
	if !c.isWaiting {
		return false
	}
	c.isWaiting = false
	c.plugin.proxy.later = append(c.plugin.proxy.later, c.finish)
	return true
}

// property is one of the properties of the specification that a proxy without TLS has, or one that a plugin has set.
func (c *context) property(path string) (string, bool) {
	switch path {
	case "plugin_name", "plugin_root_id":
		return c.plugin.name, true
	case "plugin_vm_id":
		return c.plugin.vmID, true
	}
	if c.place == nil {
		return "", false
	}
	s := c.place.stream
	if own, ok := s.own[path]; ok {
		return own, true
	}
	integer := func(value int64) (string, bool) {
		return string(binary.LittleEndian.AppendUint64(nil, uint64(value))), true
	}
	total := func(m message) int64 {
		return int64(m.size) + int64(logged(m.headers).ByteSize()+logged(m.trailers).ByteSize())
	}
	request, response := s.messages[toUpstream], s.messages[toClient]
	switch strings.ReplaceAll(path, "\x00", ".") {
	case "connection.id":
		return integer(int64(s.number) + 1)
	case "connection.mtls":
		return "\x00", true
	case "source.address", "destination.address", "upstream.address", "upstream.local_address":
		return "127.0.0.1", true
	case "source.port":
		return integer(40000)
	case "destination.port":
		return integer(8080)
	case "upstream.port":
		return integer(8081)
	case "upstream.local_port":
		return integer(40001)
	case "request.protocol":
		return "HTTP/2", !s.isTCP
	case "request.time":
		return integer((startTime + s.opened) * 1_000_000)
	case "request.duration":
		return integer((s.proxy.now - s.opened) * 1_000_000)
	case "request.size":
		return integer(int64(request.size))
	case "request.total_size":
		return integer(total(request))
	case "response.size":
		return integer(int64(response.size))
	case "response.total_size":
		return integer(total(response))
	}
	return "", false
}

// startTime is when a scenario begins, in milliseconds since 1970.
const startTime = 1_577_836_800_000

// setProperty sets a property of the stream that is not one of the proxy's.
func (c *context) setProperty(path, value string) bool {
	root, _, _ := strings.Cut(path, "\x00")
	switch root {
	case "connection", "source", "destination", "upstream", "request", "response", "plugin_name", "plugin_root_id", "plugin_vm_id":
		return false
	}
	if c.place == nil {
		return false
	}
	c.place.stream.own[path] = value
	return true
}

// levels are the names of log levels.
var levels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"}

// log reports a line of a plugin. False if the level is unknown.
func (p *plugin) log(level int, message string) bool {
	if level < 0 || level >= len(levels) {
		return false
	}
	p.proxy.report(object{"event": "log", "plugin": p.name, "level": levels[level], "message": data(message)})
	return true
}

// setPeriod sets the period of a plugin's ticks, in milliseconds; 0 ends them.
func (p *plugin) setPeriod(period int32) {
	p.period = int64(uint32(period))
	p.due = p.proxy.now + p.period
}

// close closes the stream, when the callback has returned. False without one.
func (c *context) close() bool {
	if c.place == nil {
		return false
	}
	stream := c.place.stream
	stream.isClosing = true
	c.plugin.proxy.later = append(c.plugin.proxy.later, stream.reset)
	return true
}
