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
    const holds = this.phase() == "request_body" || this.phase() == "request_trailers";
    return this.answers("request_headers") || (holds && !end_of_stream)
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
    const holds = this.phase() == "response_body" && !this.answered && !end_of_stream;
    return this.answers("response_headers") || holds
      ? FilterHeadersStatusValues.StopIteration
      : FilterHeadersStatusValues.Continue;
  }

  onResponseBody(body_buffer_length: usize, end_of_stream: bool): FilterDataStatusValues {
    return this.answers("response_body")
      ? FilterDataStatusValues.StopIterationAndBuffer
      : FilterDataStatusValues.Continue;
  }

  private phase(): string {
    return this.root_context.getConfiguration();
  }

  /** Answers if `phase` is the one to answer from, and it has not answered before. */
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
