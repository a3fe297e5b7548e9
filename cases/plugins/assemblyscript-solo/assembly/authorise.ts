// Asks a server over HTTP whether a request may pass.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  HeaderPair,
  RootContext,
  WasmResultValues,
  continue_request,
  registerRootContext,
  send_local_response,
  stream_context,
} from "@solo-io/proxy-runtime";
import {
  BufferTypeValues,
  HeaderMapTypeValues,
  get_buffer_bytes,
  get_header_map_value,
  replace_header_map_value,
} from "@solo-io/proxy-runtime/runtime";
import { pair } from "./pairs";

const TIMEOUT_MS: u32 = 1000;

class AuthoriseRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Authorise(context_id, this);
  }
}

class Authorise extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const question = [
      pair(":method", "GET"),
      pair(":path", "/check"),
      pair(":authority", "auth"),
      pair(":scheme", "http"),
    ];
    const name = String.UTF8.encode("x-token");
    const token = get_header_map_value(HeaderMapTypeValues.RequestHeaders, name);
    if (token.byteLength > 0) question.push(new HeaderPair(name, token));

    const called = this.root_context.httpCall("auth", question, new ArrayBuffer(0), [], TIMEOUT_MS, this, onAnswer);
    if (called != WasmResultValues.Ok) refuse(503, new ArrayBuffer(0));
    return FilterHeadersStatusValues.StopIteration;
  }
}

function onAnswer(origin: Context, headers: u32, body_size: usize, trailers: u32): void {
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
  if (user.byteLength > 0) {
    replace_header_map_value(HeaderMapTypeValues.RequestHeaders, name, user);
  } else {
    stream_context.headers.request.remove("x-user");
  }
  continue_request();
}

function refuse(status: u32, body: ArrayBuffer): void {
  send_local_response(status, "", body, [pair("x-denied-by", "authorise")], GrpcStatusValues.InvalidCode);
}

registerRootContext((context_id: u32) => {
  return new AuthoriseRoot(context_id);
}, "");
