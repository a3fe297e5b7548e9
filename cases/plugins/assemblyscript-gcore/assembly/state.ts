// Ticks, shared data, metrics.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  Counter,
  FilterHeadersStatusValues,
  Gauge,
  GetSharedData,
  Histogram,
  RootContext,
  WasmResultValues,
  get_shared_data,
  registerRootContext,
  set_shared_data,
  set_tick_period_milliseconds,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues, get_header_map_value, get_metric } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const TICKS = "kit.ticks";

class StateRoot extends RootContext {
  ticks: Counter | null = null;
  level: Gauge | null = null;
  sizes: Histogram | null = null;

  onConfigure(configuration_size: u32): bool {
    super.onConfigure(configuration_size);
    const period = this.getConfiguration();
    if (period != "") set_tick_period_milliseconds(U32.parseInt(period));
    this.ticks = new Counter("kit_ticks");
    this.level = new Gauge("kit_level");
    this.sizes = new Histogram("kit_sizes");
    return true;
  }

  onTick(): void {
    let before = get_shared_data(TICKS);
    let after = count(before) + 1;
    while (set_shared_data(TICKS, String.UTF8.encode(after.toString()), before.cas) == WasmResultValues.CasMismatch) {
      before = get_shared_data(TICKS);
      after = count(before) + 1;
    }
    this.ticks!.increment(1);
    const level = this.level!;
    level.record(level.metric_id, after);
  }

  createContext(context_id: u32): Context {
    return new State(context_id, this);
  }
}

class State extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const path = get_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode(":path"));
    const sizes = (this.root_context as StateRoot).sizes!;
    sizes.record(sizes.metric_id, path.byteLength);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add("x-ticks", count(get_shared_data(TICKS)).toString());
    const level = get_metric((this.root_context as StateRoot).level!.metric_id);
    if (level.result == WasmResultValues.Ok) stream_context.headers.response.add("x-level", level.data.toString());
    return FilterHeadersStatusValues.Continue;
  }
}

function count(data: GetSharedData): u64 {
  return data.result == WasmResultValues.Ok ? U64.parseInt(String.UTF8.decode(data.value!)) : 0;
}

registerRootContext((context_id: u32) => {
  return new StateRoot(context_id);
}, "state");
