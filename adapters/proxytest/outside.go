package main

import (
	"reflect"
	"sort"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
)

// calls are the HTTP calls of the plugin.
type calls struct {
	host proxytest.HostEmulator
	// seen is the number of calls that were seen of each context.
	seen map[uint32]int
	// ids are the emulator's ids of calls that have reached a server, by their number.
	ids []uint32
	// answered are the numbers of those that got their response.
	answered map[int]bool
}

// settle reports new calls of these contexts, and lets those fail that reach no server. It says whether it called the plugin.
func (c *calls) settle(contexts []uint32) bool {
	var made []proxytest.HttpCalloutAttribute
	for _, context := range contexts {
		of := c.host.GetCalloutAttributesFromContext(context)
		made = append(made, of[c.seen[context]:]...)
		c.seen[context] = len(of)
	}
	sort.SliceStable(made, func(i, j int) bool { return made[i].CalloutID < made[j].CalloutID })
	var lost []uint32
	for _, call := range made {
		if !servers[call.Upstream] {
			lost = append(lost, call.CalloutID)
			continue
		}
		seen(object{
			"event": "http_call", "call": len(c.ids), "upstream": call.Upstream, "headers": fieldsOf(call.Headers),
			"body": data(call.Body), "trailers": fieldsOf(call.Trailers),
		})
		c.ids = append(c.ids, call.CalloutID)
	}
	for _, id := range lost {
		c.host.CallOnHttpCallResponse(id, nil, nil, nil)
	}
	return len(lost) > 0
}

// answer gives the response to a call; an empty one if it failed.
func (c *calls) answer(number int, headers, trailers fields, body data) {
	if number >= len(c.ids) || c.answered[number] {
		return
	}
	if c.answered == nil {
		c.answered = map[int]bool{}
	}
	c.answered[number] = true
	c.host.CallOnHttpCallResponse(c.ids[number], headers.pairs(), trailers.pairs(), []byte(body))
}

// ticks is the time, in milliseconds: the emulator has only the period that the plugin has set.
type ticks struct {
	host      proxytest.HostEmulator
	now, next uint64
	period    uint32
}

// settle notices a new period.
func (t *ticks) settle() {
	if period := t.host.GetTickPeriod(); period != t.period {
		t.period = period
		t.next = t.now + uint64(period)
	}
}

// advance lets time pass, and calls settle after each tick.
func (t *ticks) advance(milliseconds uint64, settle func()) {
	for until := t.now + milliseconds; ; {
		if t.period == 0 || t.next > until {
			t.now = until
			return
		}
		t.now = t.next
		t.next += uint64(t.period)
		t.host.Tick()
		settle()
	}
}

// readMetrics reports all metrics. A test knows their names; here they are those that the emulator knows.
func readMetrics(host proxytest.HostEmulator) {
	var names []string
	for _, name := range inside(host, "rootHostEmulator", "metricNameToID").MapKeys() {
		names = append(names, name.String())
	}
	sort.Strings(names)
	for _, name := range names {
		for _, read := range []func(string) (uint64, error){host.GetCounterMetric, host.GetGaugeMetric, host.GetHistogramMetric} {
			if value, err := read(name); err == nil {
				seen(object{"event": "metric", "name": name, "value": value})
			}
		}
	}
}

// currentTrailers are the trailers as the plugin has left them. The emulator has no function that returns them.
func currentTrailers(host proxytest.HostEmulator, id uint32, side side) fields {
	stream := inside(host, "httpHostEmulator", "httpStreams").MapIndex(reflect.ValueOf(id)).Elem()
	values := stream.FieldByName([...]string{"requestTrailers", "responseTrailers"}[side])
	pairs := make([][2]string, values.Len())
	for i := range pairs {
		pairs[i] = [2]string{values.Index(i).Index(0).String(), values.Index(i).Index(1).String()}
	}
	return fieldsOf(pairs)
}

// inside is a field of a part of the emulator, to be read only.
func inside(host proxytest.HostEmulator, part, field string) reflect.Value {
	return reflect.ValueOf(host).Elem().FieldByName(part).Elem().FieldByName(field)
}
