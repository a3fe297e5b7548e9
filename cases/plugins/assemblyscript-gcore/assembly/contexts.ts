// Keeps several streams apart.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BaseContext,
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  HeaderPair,
  LogLevelValues,
  RootContext,
  WasmResultValues,
  continue_request,
  get_buffer_bytes,
  log,
  makeHeaderPair,
  registerRootContext,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import {
  HeaderMapTypeValues,
  add_header_map_value,
  get_header_map_value,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const TIMEOUT_MS: u32 = 1000;
const FAILED = String.UTF8.encode("failed");

class ContextsRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Contexts(context_id, this);
  }
}

class Contexts extends Context {
  path: ArrayBuffer = new ArrayBuffer(0);

  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    this.path = get_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode(":path"));
    const question = [
      makeHeaderPair(":method", "GET"),
      new HeaderPair(String.UTF8.encode(":path"), this.path),
      makeHeaderPair(":authority", "callout"),
      makeHeaderPair(":scheme", "http"),
    ];
    const called = this.root_context.httpCall("callout", question, new ArrayBuffer(0), [], TIMEOUT_MS, this, onAnswer);
    if (called == WasmResultValues.Ok) return FilterHeadersStatusValues.StopIteration;
    this.setAnswer(FAILED);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    add_header_map_value(HeaderMapTypeValues.ResponseHeaders, String.UTF8.encode("x-asked"), this.path);
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    log(LogLevelValues.info, "finished: " + String.UTF8.decode(this.path));
  }

  setAnswer(answer: ArrayBuffer): void {
    stream_context.headers.request.remove("x-answer");
    stream_context.headers.request.remove("x-asked");
    add_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-answer"), answer);
    add_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-asked"), this.path);
  }
}

function onAnswer(origin: BaseContext, headers: u32, body_size: usize, trailers: u32): void {
  const context = origin as Contexts;
  if (headers == 0) {
    context.setAnswer(FAILED);
  } else {
    context.setAnswer(get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, body_size as u32));
  }
  continue_request();
}

registerRootContext((context_id: u32) => {
  return new ContextsRoot(context_id);
}, "contexts");
