// Calls foreign functions. The SDK does not say whether a call succeeds, and does not pass calls on to the plugin: there is
// no `x-failed`, and nothing is logged.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  call_foreign_function,
  registerRootContext,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues, add_header_map_value } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

class ForeignRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Foreign(context_id, this);
  }
}

class Foreign extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const name = stream_context.headers.request.get("x-function");
    if (name != "") {
      const results = call_foreign_function(name, stream_context.headers.request.get("x-arguments"));
      add_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-results"), results);
    }
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => {
  return new ForeignRoot(context_id);
}, "foreign");
