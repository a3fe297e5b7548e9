// Answers from the phase that its configuration names.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterDataStatusValues,
  FilterHeadersStatusValues,
  FilterTrailersStatusValues,
  RootContext,
  makeHeaderPair,
  registerRootContext,
  send_http_response,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class LocalResponseRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new LocalResponse(context_id, this);
  }
}

class LocalResponse extends Context {
  private answered: bool = false;

  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    return this.answers("request_headers")
      ? FilterHeadersStatusValues.StopIteration
      : FilterHeadersStatusValues.Continue;
  }

  onRequestBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    const holds = this.answered || (this.phase() == "request_trailers" && !end_of_stream);
    return this.answers("request_body") || holds
      ? FilterDataStatusValues.StopIterationAndBuffer
      : FilterDataStatusValues.Continue;
  }

  onRequestTrailers(a: u32): FilterTrailersStatusValues {
    return this.answers("request_trailers") || this.answered
      ? FilterTrailersStatusValues.StopIteration
      : FilterTrailersStatusValues.Continue;
  }

  // The local response may pass here, too: by then, this has answered.
  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    return this.answers("response_headers")
      ? FilterHeadersStatusValues.StopIteration
      : FilterHeadersStatusValues.Continue;
  }

  private phase(): string {
    return this.root_context.getConfiguration();
  }

  /** Answers if `phase` is the configured one, unless it has answered before. */
  private answers(phase: string): bool {
    if (this.answered || phase != this.phase()) return false;
    this.answered = true;
    send_http_response(418, "", String.UTF8.encode("teapot"), [
      makeHeaderPair("x-local", "yes"),
      makeHeaderPair("x-local-phase", phase),
    ]);
    return true;
  }
}

registerRootContext((context_id: u32) => {
  return new LocalResponseRoot(context_id);
}, "local_response");
