// Sends paths from one VM to another by a shared queue.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const (
	queueName  = "kit.jobs"
	consumerVM = "consumer"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	producer bool
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil {
		return types.OnPluginStartStatusFailed
	}
	switch string(configuration) {
	case "producer":
		p.producer = true
	case "consumer":
		_, _ = proxywasm.RegisterSharedQueue(queueName)
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) OnQueueReady(queueID uint32) {
	for {
		job, err := proxywasm.DequeueSharedQueue(queueID)
		if err != nil {
			return
		}
		proxywasm.LogInfo("job: " + string(job))
	}
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	if p.producer {
		return &producer{}
	}
	return &types.DefaultHttpContext{}
}

type producer struct {
	types.DefaultHttpContext
}

func (*producer) OnHttpRequestHeaders(int, bool) types.Action {
	queued := "yes"
	if err := enqueue(); err != nil {
		queued = "no"
	}
	_ = proxywasm.AddHttpRequestHeader("x-queued", queued)
	return types.ActionContinue
}

func enqueue() error {
	queueID, err := proxywasm.ResolveSharedQueue(consumerVM, queueName)
	if err != nil {
		return err
	}
	job, err := proxywasm.GetHttpRequestHeader("x-job")
	if err != nil {
		// There is nothing to put in.
		return nil
	}
	return proxywasm.EnqueueSharedQueue(queueID, []byte(job))
}
