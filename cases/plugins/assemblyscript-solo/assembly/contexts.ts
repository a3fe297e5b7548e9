// Keeps several streams apart.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  HeaderPair,
  LogLevelValues,
  RootContext,
  WasmResultValues,
  continue_request,
  log,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";
import {
  BufferTypeValues,
  HeaderMapTypeValues,
  add_header_map_value,
  get_buffer_bytes,
  get_header_map_value,
  replace_header_map_value,
} from "@solo-io/proxy-runtime/runtime";
import { pair } from "./pairs";

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
      pair(":method", "GET"),
      new HeaderPair(String.UTF8.encode(":path"), this.path),
      pair(":authority", "callout"),
      pair(":scheme", "http"),
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
    replace_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-answer"), answer);
    replace_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-asked"), this.path);
  }
}

function onAnswer(origin: Context, headers: u32, body_size: usize, trailers: u32): void {
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
}, "");
