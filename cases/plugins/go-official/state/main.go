// Ticks, shared data, metrics.
package main

import (
	"strconv"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const ticksKey = "kit.ticks"

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	ticks proxywasm.MetricCounter
	level proxywasm.MetricGauge
	sizes proxywasm.MetricHistogram
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil && err != types.ErrorStatusNotFound {
		return types.OnPluginStartStatusFailed
	}
	if len(configuration) > 0 {
		period, err := strconv.ParseUint(string(configuration), 10, 32)
		if err != nil {
			return types.OnPluginStartStatusFailed
		}
		_ = proxywasm.SetTickPeriodMilliSeconds(uint32(period))
	}
	p.ticks = proxywasm.DefineCounterMetric("kit_ticks")
	p.level = proxywasm.DefineGaugeMetric("kit_level")
	p.sizes = proxywasm.DefineHistogramMetric("kit_sizes")
	return types.OnPluginStartStatusOK
}

func (p *plugin) OnTick() {
	ticks, err := incrementTicks()
	if err != nil {
		return
	}
	p.ticks.Increment(1)
	// A gauge can only be added to.
	p.level.Add(ticks - p.level.Value())
}

// Reads again as long as another VM was faster.
func incrementTicks() (int64, error) {
	for {
		value, cas, err := proxywasm.GetSharedData(ticksKey)
		if err != nil && err != types.ErrorStatusNotFound {
			return 0, err
		}
		ticks, _ := strconv.ParseInt(string(value), 10, 64)
		ticks++
		err = proxywasm.SetSharedData(ticksKey, []byte(strconv.FormatInt(ticks, 10)), cas)
		if err != types.ErrorStatusCasMismatch {
			return ticks, err
		}
	}
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	return &stream{plugin: p}
}

type stream struct {
	types.DefaultHttpContext
	plugin *plugin
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if path, err := proxywasm.GetHttpRequestHeader(":path"); err == nil {
		s.plugin.sizes.Record(uint64(len(path)))
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	ticks, _, err := proxywasm.GetSharedData(ticksKey)
	if err == types.ErrorStatusNotFound {
		ticks, err = []byte("0"), nil
	}
	if err == nil {
		_ = proxywasm.AddHttpResponseHeader("x-ticks", string(ticks))
	}
	_ = proxywasm.AddHttpResponseHeader("x-level", strconv.FormatInt(s.plugin.level.Value(), 10))
	return types.ActionContinue
}
