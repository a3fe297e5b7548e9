// Large headers and bodies.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues,
  Context,
  FilterDataStatusValues,
  FilterHeadersStatusValues,
  FilterTrailersStatusValues,
  RootContext,
  get_buffer_bytes,
  registerRootContext,
  set_buffer_bytes,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues, add_header_map_value } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";
import { repeated } from "./bytes";

class LargeRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Large(context_id, this);
  }
}

class Large extends Context {
  // The number in `x-size`; -1 if the request has none.
  private size: i32 = -1;
  // How much of each body is held, in bytes; -1 if none is.
  private request_held: i32 = -1;
  private response_held: i32 = -1;

  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    let largest = 0;
    const headers = stream_context.headers.request.get_headers();
    for (let i = 0; i < headers.length; i++) largest = max(largest, headers[i].value.byteLength);
    stream_context.headers.request.add("x-largest", largest.toString());

    const size = stream_context.headers.request.get("x-size");
    if (size != "") this.size = I32.parseInt(size);
    stream_context.headers.request.remove("content-length");
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    this.request_held = body_buffer_length as i32;
    if (!end_of_stream) return FilterDataStatusValues.StopIterationAndBuffer;
    this.replaceRequest();
    return FilterDataStatusValues.Continue;
  }

  onRequestTrailers(a: u32): FilterTrailersStatusValues {
    this.replaceRequest();
    return FilterTrailersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    if (this.size >= 0) {
      const value = repeated(0x68, this.size);
      add_header_map_value(HeaderMapTypeValues.ResponseHeaders, String.UTF8.encode("x-large"), value);
      stream_context.headers.response.remove("content-length");
    }
    return FilterHeadersStatusValues.Continue;
  }

  onResponseBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    if (this.size < 0) return FilterDataStatusValues.Continue;
    this.response_held = body_buffer_length as i32;
    if (!end_of_stream) return FilterDataStatusValues.StopIterationAndBuffer;
    this.replaceResponse();
    return FilterDataStatusValues.Continue;
  }

  onResponseTrailers(a: u32): FilterTrailersStatusValues {
    this.replaceResponse();
    return FilterTrailersStatusValues.Continue;
  }

  private replaceRequest(): void {
    if (this.request_held < 0) return;
    const body = get_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, this.request_held);
    const length = String.UTF8.encode(body.byteLength.toString());
    set_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, this.request_held, length);
    this.request_held = -1;
  }

  private replaceResponse(): void {
    if (this.response_held < 0) return;
    set_buffer_bytes(BufferTypeValues.HttpResponseBody, 0, this.response_held, repeated(0x62, this.size));
    this.response_held = -1;
  }
}

registerRootContext((context_id: u32) => {
  return new LargeRoot(context_id);
}, "large");
