package main

import (
	"fmt"
	"sort"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
)

// maxWork is how often a step may find something left to do, so that plugins that never come to an end do not stop it.
const maxWork = 1000

// proxy is a proxy around the library, in memory: the plugins, streams and calls of one scenario.
type proxy struct {
	report  func(object)
	plugins []*plugin
	streams map[int]*stream
	calls   []*call
	metrics metrics
	// readers are the plugins that have registered a queue, by its id.
	readers map[uint32][]*plugin
	// later is what is to be done when no callback runs.
	later []func()
	// now is the time since the beginning, in milliseconds.
	now int64
	// spent says that the library's global stores have been used.
	spent bool
}

func newProxy(report func(object)) *proxy {
	return &proxy{report: report, streams: map[int]*stream{}, readers: map[uint32][]*plugin{}}
}

// start starts a plugin whose module is instantiated.
func (p *proxy) start(r pluginRequest, instance common.WasmInstance, abi string) error {
	plugin := newPlugin(p, r, instance, abi)
	p.plugins = append(p.plugins, plugin)
	if err := plugin.start(); err != nil {
		return err
	}
	p.settle()
	return nil
}

// step does a step, and all that follows from it.
func (p *proxy) step(s step) error {
	headers := piece{kind: headersPiece, fields: s.Headers.clone(), end: s.EndOfStream}
	body := piece{kind: bodyPiece, body: s.Body, end: s.EndOfStream}
	trailers := piece{kind: trailersPiece, fields: s.Trailers.clone(), end: true}
	bytes := piece{kind: bodyPiece, body: s.Data, end: s.EndOfStream}
	switch s.Do {
	case "request_headers":
		p.open(s.Stream, false, headers)
	case "request_body":
		p.arrive(s.Stream, toUpstream, body)
	case "request_trailers":
		p.arrive(s.Stream, toUpstream, trailers)
	case "response_headers":
		p.arrive(s.Stream, toClient, headers)
	case "response_body":
		p.arrive(s.Stream, toClient, body)
	case "response_trailers":
		p.arrive(s.Stream, toClient, trailers)
	case "connect":
		p.open(s.Stream, true, piece{kind: headersPiece, fields: &fields{}})
	case "client_data":
		p.arrive(s.Stream, toUpstream, bytes)
	case "upstream_data":
		p.arrive(s.Stream, toClient, bytes)
	case "client_reset":
		p.with(s.Stream, (*stream).clientReset)
	case "upstream_reset":
		p.with(s.Stream, (*stream).upstreamReset)
	case "call_response":
		p.answer(s.Call, answer{s.Headers.clone(), s.Body, s.Trailers.clone()})
	case "call_reset":
		p.answer(s.Call, failedAnswer())
	case "advance":
		p.advance(s.Milliseconds)
	case "read_metrics":
		p.metrics.report(p.report)
	case "shutdown":
		p.shutdown()
	default:
		return fmt.Errorf("this adapter does not know the step %q", s.Do)
	}
	p.settle()
	return nil
}

func (p *proxy) with(number int, do func(*stream)) {
	if stream := p.streams[number]; stream != nil && !stream.over {
		do(stream)
	}
}

// each does something to all streams that are not over, in their order.
func (p *proxy) each(do func(*stream)) {
	numbers := []int{}
	for number := range p.streams {
		numbers = append(numbers, number)
	}
	sort.Ints(numbers)
	for _, number := range numbers {
		p.with(number, do)
	}
}

func (p *proxy) arrive(number int, way direction, piece piece) {
	p.with(number, func(s *stream) { s.arrive(way, piece) })
}

// settle does what callbacks have left to be done when they have returned.
func (p *proxy) settle() {
	for range [maxWork]struct{}{} {
		todo := p.later
		p.later = nil
		if len(todo) == 0 {
			return
		}
		for _, do := range todo {
			do()
		}
	}
}

// advance lets time pass: what falls due happens at its time, ticks before timeouts.
func (p *proxy) advance(milliseconds int64) {
	until := p.now + milliseconds
	for {
		due := until + 1
		for _, plugin := range p.plugins {
			if plugin.period > 0 && plugin.due < due {
				due = plugin.due
			}
		}
		for _, call := range p.calls {
			if call.due > 0 && call.due < due {
				due = call.due
			}
		}
		if due > until {
			break
		}
		p.now = due
		for _, plugin := range p.plugins {
			if plugin.period > 0 && plugin.due <= due {
				plugin.due = due + plugin.period
				plugin.tick()
				p.settle()
			}
		}
		for number, call := range p.calls {
			if call.due > 0 && call.due <= due {
				p.answer(number, failedAnswer())
				p.settle()
			}
		}
	}
	p.now = until
}

// shutdown ends the streams, then the plugins.
func (p *proxy) shutdown() {
	p.each((*stream).reset)
	p.settle()
	for _, plugin := range p.plugins {
		plugin.root.done()
	}
}
