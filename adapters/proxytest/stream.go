package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// kind is a kind of piece.
type kind int

const (
	headers kind = iota
	body
	trailers
)

// side is one direction of a stream.
type side int

const (
	toUpstream side = iota
	toClient
)

// piece is a piece of a message.
type piece struct {
	kind   kind
	fields fields
	body   data
	end    bool
}

// direction is a request or a response on its way through the plugin.
type direction struct {
	// paused are the pieces that the plugin has paused: one, or a body and its trailers.
	paused []piece
	// queue has the pieces that wait.
	queue []piece
	// arrived: the last piece has come from its sender.
	arrived bool
	// begun and ended: the headers and the last piece have gone to the receiver.
	begun, ended bool
}

// stream is a request and its response.
type stream struct {
	number     int
	id         uint32
	host       proxytest.HostEmulator
	directions [2]direction
	// answered is the local response that was sent, or came too late.
	answered *proxytest.LocalHttpResponse
	local    bool
	over     bool
}

// arrive brings a piece from the client or the upstream to the plugin. If the stream is over, or has no upstream, it is lost.
func (s *stream) arrive(side side, piece piece) {
	if s.over || s.local || side == toClient && !s.directions[toUpstream].begun {
		return
	}
	direction := &s.directions[side]
	direction.arrived = direction.arrived || piece.end
	direction.queue = append(direction.queue, piece)
	s.drain(side)
	s.finish()
}

// drain brings waiting pieces to the plugin, until it pauses headers or trailers. More of a paused body, and its trailers, do
// not wait: the emulator adds pieces of a body to what is paused, and the action that counts is the last one.
func (s *stream) drain(side side) {
	direction := &s.directions[side]
	for len(direction.queue) > 0 && !s.over && !s.local {
		if at := len(direction.paused) - 1; at >= 0 && direction.paused[at].kind != body {
			return
		}
		next := direction.queue[0]
		direction.queue = direction.queue[1:]
		action := s.call(side, next)
		if s.respond() {
			return
		}
		if next.kind == body {
			direction.paused = nil
		}
		direction.paused = append(direction.paused, next)
		if action != types.ActionPause {
			s.forward(side)
		}
	}
}

// call calls the plugin with a piece.
func (s *stream) call(side side, piece piece) types.Action {
	switch {
	case piece.kind == headers && side == toUpstream:
		return s.host.CallOnRequestHeaders(s.id, piece.fields.pairs(), piece.end)
	case piece.kind == headers:
		return s.host.CallOnResponseHeaders(s.id, piece.fields.pairs(), piece.end)
	case piece.kind == body && side == toUpstream:
		return s.host.CallOnRequestBody(s.id, []byte(piece.body), piece.end)
	case piece.kind == body:
		return s.host.CallOnResponseBody(s.id, []byte(piece.body), piece.end)
	case side == toUpstream:
		return s.host.CallOnRequestTrailers(s.id, piece.fields.pairs())
	default:
		return s.host.CallOnResponseTrailers(s.id, piece.fields.pairs())
	}
}

// forward sends what is paused to its receiver.
func (s *stream) forward(side side) {
	direction := &s.directions[side]
	for _, piece := range direction.paused {
		if piece.kind == headers && !s.writable(side, piece) {
			s.fail()
			return
		}
		direction.begun = true
		direction.ended = piece.end
		s.send(side, piece)
	}
	direction.paused = nil
}

// writable says whether a proxy could write the headers that the plugin has left: it keeps the pseudo headers that came, and a
// status is a number.
func (s *stream) writable(side side, piece piece) bool {
	if side == toClient {
		return number.MatchString(value(s.host.GetCurrentResponseHeaders(s.id), ":status"))
	}
	for _, field := range piece.fields {
		name := string(field[0])
		if strings.HasPrefix(name, ":") && value(s.host.GetCurrentRequestHeaders(s.id), name) == "" {
			return false
		}
	}
	return true
}

// number is how a status has to look.
var number = regexp.MustCompile(`^[1-9][0-9][0-9]$`)

// value is that of a header; empty if there is none.
func value(pairs [][2]string, name string) string {
	for _, pair := range pairs {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// fail ends a stream whose headers cannot be written, as a proxy does.
func (s *stream) fail() {
	s.resetUpstream()
	s.seen(toClient, object{"part": "headers", "headers": fields{{":status", "500"}}, "end_of_stream": true})
	s.close()
}

// send reports what the plugin has left of a piece. A message that ends may have got trailers from the plugin.
func (s *stream) send(side side, piece piece) {
	left := currentTrailers(s.host, s.id, side)
	end := piece.end && len(left) == 0
	switch piece.kind {
	case headers:
		pairs := s.host.GetCurrentRequestHeaders(s.id)
		if side == toClient {
			pairs = s.host.GetCurrentResponseHeaders(s.id)
		}
		s.seen(side, object{"part": "headers", "headers": fieldsOf(pairs), "end_of_stream": end})
	case body:
		bytes := s.host.GetCurrentRequestBody(s.id)
		if side == toClient {
			bytes = s.host.GetCurrentResponseBody(s.id)
		}
		if len(bytes) > 0 || end {
			s.seen(side, object{"part": "body", "body": data(bytes), "end_of_stream": end})
		}
	}
	if piece.end && (piece.kind == trailers || len(left) > 0) {
		s.seen(side, object{"part": "trailers", "trailers": left})
	}
}

// settle does what the plugin has asked for since: it says whether there was anything.
func (s *stream) settle() bool {
	if s.over {
		return false
	}
	busy := s.respond()
	busy = s.resume(toUpstream) || busy
	busy = s.resume(toClient) || busy
	s.finish()
	return busy
}

// resume continues a paused direction if the action of the stream says so. There is one for both directions.
func (s *stream) resume(side side) bool {
	if len(s.directions[side].paused) == 0 || s.over || s.host.GetCurrentHttpStreamAction(s.id) != types.ActionContinue {
		return false
	}
	s.forward(side)
	s.drain(side)
	return true
}

// respond sends the local response of the plugin, if there is one: it passes no callbacks. One that is too late is lost.
func (s *stream) respond() bool {
	response := s.host.GetSentLocalResponse(s.id)
	if response == nil || response == s.answered || s.over {
		return false
	}
	s.answered = response
	if s.directions[toClient].begun {
		return false
	}
	s.resetUpstream()
	s.local = true
	s.directions = [2]direction{{}, {begun: true, arrived: true, ended: true}}
	head := append(fields{{":status", data(strconv.Itoa(int(response.StatusCode)))}}, fieldsOf(response.Headers)...)
	s.seen(toClient, object{"part": "headers", "headers": head, "end_of_stream": len(response.Data) == 0})
	if len(response.Data) > 0 {
		s.seen(toClient, object{"part": "body", "body": data(response.Data), "end_of_stream": true})
	}
	s.finish()
	return true
}

func (s *stream) clientReset() {
	if !s.over {
		s.resetUpstream()
		s.close()
	}
}

func (s *stream) upstreamReset() {
	if !s.over && !s.local && s.directions[toUpstream].begun {
		s.seen(toClient, object{"part": "reset"})
		s.close()
	}
}

// resetUpstream resets the exchange with the upstream, if it has begun and is not complete.
func (s *stream) resetUpstream() {
	request, response := s.directions[toUpstream], s.directions[toClient]
	if request.begun && !(request.ended && response.arrived) {
		s.seen(toUpstream, object{"part": "reset"})
	}
}

// finish ends the stream once both messages are complete.
func (s *stream) finish() {
	request, response := s.directions[toUpstream], s.directions[toClient]
	if !s.over && response.ended && (request.arrived || s.local) {
		s.close()
	}
}

func (s *stream) close() {
	s.over = true
	s.host.CompleteHttpContext(s.id)
}

// seen reports a part of a message at its receiver.
func (s *stream) seen(side side, part object) {
	seen(object{"event": [...]string{"upstream", "client"}[side], "stream": s.number, "part": part})
}
