// Asks a server over HTTP whether a request may pass.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BaseContext,
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  HeaderPair,
  RootContext,
  WasmResultValues,
  continue_request,
  get_buffer_bytes,
  makeHeaderPair,
  registerRootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import {
  HeaderMapTypeValues,
  add_header_map_value,
  get_header_map_value,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const TIMEOUT_MS: u32 = 1000;

class AuthoriseRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Authorise(context_id, this);
  }
}

class Authorise extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const question = [
      makeHeaderPair(":method", "GET"),
      makeHeaderPair(":path", "/check"),
      makeHeaderPair(":authority", "auth"),
      makeHeaderPair(":scheme", "http"),
    ];
    const name = String.UTF8.encode("x-token");
    const token = get_header_map_value(HeaderMapTypeValues.RequestHeaders, name);
    if (token.byteLength > 0) question.push(new HeaderPair(name, token));

    const called = this.root_context.httpCall("auth", question, new ArrayBuffer(0), [], TIMEOUT_MS, this, onAnswer);
    if (called != WasmResultValues.Ok) refuse(503, new ArrayBuffer(0));
    return FilterHeadersStatusValues.StopIteration;
  }
}

function onAnswer(origin: BaseContext, headers: u32, body_size: usize, trailers: u32): void {
  if (headers == 0) {
    refuse(503, new ArrayBuffer(0));
    return;
  }
  if (stream_context.headers.http_callback.get(":status") != "200") {
    refuse(403, get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, body_size as u32));
    return;
  }
  const name = String.UTF8.encode("x-user");
  const user = get_header_map_value(HeaderMapTypeValues.HttpCallResponseHeaders, name);
  stream_context.headers.request.remove("x-user");
  if (user.byteLength > 0) add_header_map_value(HeaderMapTypeValues.RequestHeaders, name, user);
  continue_request();
}

function refuse(status: u32, body: ArrayBuffer): void {
  send_http_response(status, "", body, [makeHeaderPair("x-denied-by", "authorise")]);
}

registerRootContext((context_id: u32) => {
  return new AuthoriseRoot(context_id);
}, "authorise");
