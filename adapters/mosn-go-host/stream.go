package main

import "mosn.io/proxy-wasm-go-host/proxywasm/common"

// direction is a side of a stream: the request, or what the client of a connection sends, and the response.
type direction int

const (
	toUpstream direction = iota
	toClient
)

// kind is what a piece is. A TCP connection begins with headers without fields.
type kind int

const (
	headersPiece kind = iota
	bodyPiece
	trailersPiece
)

// piece is a piece of a message.
type piece struct {
	kind   kind
	fields *fields
	body   []byte
	end    bool
}

// message is one direction of a stream.
type message struct {
	// headers and trailers are as the plugins that they reached last have left them.
	headers, trailers *fields
	size              int
	// arrived: all of it came; sent: its headers have left; complete: all of it has left.
	arrived, sent, complete bool
}

// stream is an HTTP exchange, or a TCP connection.
type stream struct {
	proxy    *proxy
	number   int
	isTCP    bool
	places   []*place
	messages [2]message
	opened   int64
	// own are the properties that plugins have set.
	own  map[string]string
	over bool
	// isClosing says that a plugin has closed it, in a callback that has not returned yet.
	isClosing bool
	// upstreamGone says that the upstream has reset it.
	upstreamGone bool
	// closers say who has closed the connection to the client, and the one to the upstream.
	closers [2]int32
}

// Peers, as TCP callbacks name them.
const (
	peerLocal  int32 = 1
	peerRemote int32 = 2
)

// place is a plugin's place in the chain of a stream.
type place struct {
	stream  *stream
	context *context
	// piece is the one that the running callback is about, way its direction.
	piece *piece
	way   direction
	// buffer has the piece's bytes for the library; added are trailers that the callback adds.
	buffer common.IoBuffer
	added  *fields
}

// open opens a stream: its contexts are created, then its first piece moves.
func (p *proxy) open(number int, isTCP bool, first piece) {
	s := &stream{proxy: p, number: number, isTCP: isTCP, opened: p.now, own: map[string]string{}, closers: [2]int32{peerLocal, peerLocal}}
	p.streams[number] = s
	for _, plugin := range p.plugins {
		if plugin.background {
			continue
		}
		place := &place{stream: s}
		place.context = plugin.newContext(place)
		s.places = append(s.places, place)
		c := place.context
		if !c.call("proxy_on_context_create", func(e exports) error { return e.contextCreate(c.id, plugin.root.id) }) {
			s.fail()
			return
		}
	}
	s.arrive(toUpstream, first)
}

// has says whether a plugin is on the stream.
func (s *stream) has(p *plugin) bool {
	for _, place := range s.places {
		if place.context.plugin == p {
			return true
		}
	}
	return false
}

// arrive takes a piece from the client or the upstream.
func (s *stream) arrive(way direction, p piece) {
	message := &s.messages[way]
	if message.arrived || way == toClient && !s.messages[toUpstream].sent {
		return
	}
	message.arrived = p.end
	message.size += len(p.body)
	s.feed(way, 0, p)
}

// feed passes a piece to the nth plugin of its direction, and so on, and out of the chain.
func (s *stream) feed(way direction, nth int, p piece) {
	message := &s.messages[way]
	for ; nth < len(s.places); nth++ {
		switch p.kind {
		case headersPiece:
			message.headers = p.fields
		case trailersPiece:
			message.trailers = p.fields
		}
		place := s.places[nth]
		if way == toClient {
			place = s.places[len(s.places)-1-nth]
		}
		// A plugin that could not be called, for all that the library says, has not seen the piece: it moves on, as in MOSN.
		place.filter(way, &p)
		switch {
		case place.context.plugin.crashed:
			s.fail()
		case s.isClosing:
			s.reset()
		}
		if s.over {
			return
		}
		if added := place.added; added != nil && len(added.list) > 0 {
			// Trailers end the message instead of its body.
			place.added, p.end = nil, false
			if len(p.body) > 0 {
				s.feed(way, nth+1, p)
			}
			p = piece{kind: trailersPiece, fields: added, end: true}
		}
	}
	s.send(way, p)
}

// filter calls a plugin for a piece, which it may change. What the callback returns is lost: the library returns the
// action of Imports.Wait in its place.
func (l *place) filter(way direction, p *piece) {
	c, size, end := l.context, int32(len(p.body)), int32(0)
	if p.fields != nil {
		size = int32(len(p.fields.list))
	}
	if p.end {
		end = 1
	}
	l.piece, l.way, l.buffer = p, way, common.NewIoBufferBytes(append([]byte{}, p.body...))
	callback := callbackOf(l.stream.isTCP, way, p.kind)
	if c.call(callback, func(e exports) error { return e.filter(callback, c.id, size, end) }) {
		p.body = l.buffer.Bytes()
	}
	l.piece = nil
}

// callbackOf is the name of the callback for a piece.
func callbackOf(isTCP bool, way direction, kind kind) string {
	if isTCP {
		if kind == headersPiece {
			return "proxy_on_new_connection"
		}
		return [2]string{"proxy_on_downstream_data", "proxy_on_upstream_data"}[way]
	}
	return [2][3]string{
		{"proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers"},
		{"proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers"},
	}[way][kind]
}

// send passes a piece out of the chain.
func (s *stream) send(way direction, p piece) {
	if s.over {
		return
	}
	message := &s.messages[way]
	part := object{"part": "opened"}
	switch {
	case p.kind == headersPiece && !s.isTCP:
		if !isHead(way, p.fields) {
			s.fail()
			return
		}
		message.headers = p.fields
		part = headersPart(p.fields, p.end)
	case p.kind == bodyPiece:
		if len(p.body) == 0 && !p.end {
			return
		}
		part = object{"part": "body", "body": data(p.body), "end_of_stream": p.end}
	case p.kind == trailersPiece:
		message.trailers = p.fields
		part = object{"part": "trailers", "trailers": p.fields}
	}
	message.sent, message.complete = true, p.end
	s.report(way, part)
	requested, answered := s.messages[toUpstream].complete, s.messages[toClient].complete
	switch {
	case p.end && s.isTCP && requested && answered:
		s.end()
	case p.end && !s.isTCP && answered:
		s.resetUpstream()
		s.end()
	case p.end && way == toUpstream:
		s.closers = [2]int32{peerRemote, peerLocal}
	case p.end:
		s.closers = [2]int32{peerLocal, peerRemote}
	}
}

// isHead says whether a message can be sent with these headers.
func isHead(way direction, headers *fields) bool {
	if way == toUpstream {
		return headers.has(":method") && headers.has(":path")
	}
	status, _ := headers.Get(":status")
	return len(status) == 3 && status[0] >= '1' && status[0] <= '9'
}

func headersPart(headers *fields, end bool) object {
	return object{"part": "headers", "headers": headers, "end_of_stream": end}
}

func (s *stream) report(way direction, part object) {
	receiver := [2]string{"upstream", "client"}[way]
	s.proxy.report(object{"event": receiver, "stream": s.number, "part": part})
}

// fail answers 503, or resets the stream if the client has a part of the response.
func (s *stream) fail() {
	if s.over {
		return
	}
	if s.isTCP || s.messages[toClient].sent {
		s.reset()
		return
	}
	s.resetUpstream()
	headers := &fields{[]field{{":status", "503"}}}
	s.messages[toClient].headers = headers
	s.report(toClient, headersPart(headers, true))
	s.end()
}

// reset resets the stream on both sides.
func (s *stream) reset() {
	if s.over {
		return
	}
	s.resetUpstream()
	s.report(toClient, object{"part": "reset"})
	s.end()
}

// resetUpstream resets the request at the upstream, unless both sides of the exchange have ended.
func (s *stream) resetUpstream() {
	request, response := s.messages[toUpstream], s.messages[toClient]
	if request.sent && !s.upstreamGone && !(request.complete && response.arrived) {
		s.report(toUpstream, object{"part": "reset"})
	}
}

func (s *stream) clientReset() {
	s.closers = [2]int32{peerRemote, peerLocal}
	s.resetUpstream()
	s.end()
}

func (s *stream) upstreamReset() {
	if s.messages[toUpstream].sent {
		s.closers = [2]int32{peerLocal, peerRemote}
		s.upstreamGone = true
		s.fail()
	}
}

// end ends the contexts of a stream on which nothing moves any more.
func (s *stream) end() {
	if s.over {
		return
	}
	s.over = true
	for _, place := range s.places {
		c := place.context
		if s.isTCP && s.messages[toUpstream].sent {
			c.call("proxy_on_upstream_connection_close", func(e exports) error { return e.upstreamClose(c.id, s.closers[1]) })
		}
		if s.isTCP {
			c.call("proxy_on_downstream_connection_close", func(e exports) error { return e.downstreamClose(c.id, s.closers[0]) })
		}
	}
	for _, place := range s.places {
		place.context.done()
	}
}
