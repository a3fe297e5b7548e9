package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tetratelabs/wazero/sys"
	"mosn.io/proxy-wasm-go-host/proxywasm/common"
	v1 "mosn.io/proxy-wasm-go-host/proxywasm/v1"
)

// rootID is the id of a plugin context, MOSN's default.
const rootID = 1

// plugin is an instance of a module, and its contexts.
type plugin struct {
	proxy    *proxy
	name     string
	vmID     string
	instance common.WasmInstance
	isV1     bool
	// vmConfiguration and configuration are in reach while the callbacks run that are about them.
	vmConfiguration, configuration []byte
	background                     bool
	root                           *context
	contexts                       map[int32]*context
	lastID                         int32
	// period and due are those of its ticks, in milliseconds; no ticks if the period is 0.
	period, due int64
	// running and callback are the context that is called, and what for.
	running  *context
	callback string
	// answer is the response that proxy_on_http_call_response is about.
	answer *answer
	// cause is why it could not be called the last time; crashed says that it has trapped: it is not called any more.
	cause   error
	crashed bool
}

// context is a plugin context or a stream context: what its callbacks reach.
type context struct {
	plugin *plugin
	id     int32
	// place is the context's place on its stream; nil if it is a plugin context.
	place *place
	// data is the ABI object that the library finds its imports by, exports are its calls.
	data    any
	exports exports
	// isWaiting says that the plugin has delayed the end of the context.
	isWaiting, isDeleted bool
}

func newPlugin(proxy *proxy, r pluginRequest, instance common.WasmInstance, abi string) *plugin {
	p := &plugin{
		proxy: proxy, name: r.Settings.Name, vmID: string(r.Settings.VMID), instance: instance, isV1: abi == v1.ProxyWasmABI_0_1_0,
		vmConfiguration: r.Settings.VMConfiguration, configuration: r.Settings.Configuration,
		background: r.Settings.Background, contexts: map[int32]*context{}, lastID: rootID - 1,
	}
	p.root = p.newContext(nil)
	return p
}

func (p *plugin) newContext(place *place) *context {
	p.lastID++
	c := &context{plugin: p, id: p.lastID, place: place}
	if p.isV1 {
		c.data, c.exports = newV1(c)
	} else {
		c.data, c.exports = newV2(c)
	}
	p.contexts[c.id] = c
	return c
}

// start calls what a plugin is started with. It is refused if it says so, or traps.
func (p *plugin) start() error {
	root := p.root
	if !root.call("proxy_on_context_create", func(e exports) error { return e.contextCreate(root.id, 0) }) {
		return fmt.Errorf("proxy_on_context_create: %w", p.cause)
	}
	err := root.accept("proxy_on_vm_start", func(e exports) (int32, error) {
		return e.ProxyOnVmStart(root.id, int32(len(p.vmConfiguration)))
	})
	if err != nil {
		return err
	}
	return root.accept("proxy_on_configure", func(e exports) (int32, error) {
		return e.ProxyOnConfigure(root.id, int32(len(p.configuration)))
	})
}

// accept calls a callback whose result says whether the plugin starts.
func (c *context) accept(callback string, call func(exports) (int32, error)) error {
	accepted := int32(1)
	called := c.call(callback, func(e exports) (err error) {
		accepted, err = call(e)
		return err
	})
	switch {
	case !called:
		return fmt.Errorf("%s: %w", callback, c.plugin.cause)
	case accepted == 0:
		return fmt.Errorf("%s returned false", callback)
	}
	return nil
}

func (p *plugin) tick() {
	p.root.call("proxy_on_tick", func(e exports) error { return e.tick(p.root.id) })
}

// call runs a callback with the context as the one that its calls act on. It says whether the plugin was called, or has
// no such callback, which the library reports as an error.
//
// An error that is no trap means that the library did not call the plugin; a trap is the plugin's end.
func (c *context) call(callback string, call func(exports) error) bool {
	p := c.plugin
	if p.crashed {
		return false
	}
	if _, err := p.instance.GetExportsFunc(callback); err != nil {
		return true
	}
	p.instance.Lock(c.data)
	p.running, p.callback = c, callback
	err := call(c.exports)
	p.running, p.callback = nil, ""
	p.instance.Unlock()
	if err == nil {
		return true
	}
	p.cause = err
	fmt.Fprintf(os.Stderr, "%s: %s: %v\n", p.name, callback, err)
	if isTrap(err) {
		p.crash(err)
	}
	return false
}

// isTrap says whether the error comes from within the plugin. Others come before the call: a wrong number of arguments, a
// callback that the plugin does not have by the library's name, or that the library does not have.
func isTrap(err error) bool {
	var exit *sys.ExitError
	return errors.As(err, &exit) || strings.Contains(err.Error(), "wasm stack trace")
}

// crash reports a trap, and ends what the plugin has to do with: its streams fail, now and later.
func (p *plugin) crash(cause error) {
	p.crashed, p.period = true, 0
	reason, _, _ := strings.Cut(cause.Error(), "\n")
	p.proxy.report(object{"event": "fault", "plugin": p.name, "reason": reason})
	p.proxy.later = append(p.proxy.later, func() {
		p.proxy.each(func(stream *stream) {
			if stream.has(p) {
				stream.fail()
			}
		})
	})
}

// is says whether the context's callback is running, and one of these.
func (c *context) is(callbacks ...string) bool {
	if c.plugin.running != c {
		return false
	}
	for _, callback := range callbacks {
		if c.plugin.callback == callback {
			return true
		}
	}
	return false
}

// done ends the context, unless its plugin delays that.
func (c *context) done() {
	finished := int32(1)
	called := c.call("proxy_on_done", func(e exports) (err error) {
		finished, err = e.ProxyOnDone(c.id)
		return err
	})
	if called && finished == 0 {
		c.isWaiting = true
		return
	}
	c.finish()
}

// finish logs a stream, and deletes the context.
func (c *context) finish() {
	if c.isDeleted {
		return
	}
	c.isWaiting, c.isDeleted = false, true
	if c.place != nil {
		c.call("proxy_on_log", func(e exports) error { return e.log(c.id) })
	}
	c.call("proxy_on_delete", func(e exports) error { return e.ProxyOnDelete(c.id) })
	delete(c.plugin.contexts, c.id)
	if c == c.plugin.root {
		c.plugin.period = 0
	}
}
