// Changes bodies, both ways: whole ones (`buffer`) or piece by piece (`stream`).

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
import { upperCase } from "./bytes";

class BodyRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new BodyContext(context_id, this);
  }
}

class BodyContext extends Context {
  // How much of each body is held, in bytes.
  private request_held: u32 = 0;
  private response_held: u32 = 0;

  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.request.remove("content-length");
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    if (this.buffers() && !end_of_stream) {
      this.request_held = body_buffer_length as u32;
      return FilterDataStatusValues.StopIterationAndBuffer;
    }
    this.request_held = 0;
    change(BufferTypeValues.HttpRequestBody, body_buffer_length as u32);
    return FilterDataStatusValues.Continue;
  }

  // Trailers end a body that no piece has ended.
  onRequestTrailers(a: u32): FilterTrailersStatusValues {
    change(BufferTypeValues.HttpRequestBody, this.request_held);
    return FilterTrailersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.remove("content-length");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    if (this.buffers() && !end_of_stream) {
      this.response_held = body_buffer_length as u32;
      return FilterDataStatusValues.StopIterationAndBuffer;
    }
    this.response_held = 0;
    change(BufferTypeValues.HttpResponseBody, body_buffer_length as u32);
    return FilterDataStatusValues.Continue;
  }

  onResponseTrailers(a: u32): FilterTrailersStatusValues {
    change(BufferTypeValues.HttpResponseBody, this.response_held);
    return FilterTrailersStatusValues.Continue;
  }

  private buffers(): bool {
    return this.root_context.getConfiguration() != "stream";
  }
}

function change(body: BufferTypeValues, size: u32): void {
  if (size > 0) set_buffer_bytes(body, 0, size, upperCase(get_buffer_bytes(body, 0, size)));
}

registerRootContext((context_id: u32) => {
  return new BodyRoot(context_id);
}, "body");
