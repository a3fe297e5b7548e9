// Answers from the phase that its configuration names.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterDataStatusValues,
  FilterHeadersStatusValues,
  FilterTrailersStatusValues,
  GrpcStatusValues,
  RootContext,
  registerRootContext,
  send_local_response,
} from "@solo-io/proxy-runtime";
import { pair } from "./pairs";

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
    const headers = [pair("x-local", "yes"), pair("x-local-phase", phase)];
    send_local_response(418, "", String.UTF8.encode("teapot"), headers, GrpcStatusValues.InvalidCode);
    return true;
  }
}

registerRootContext((context_id: u32) => {
  return new LocalResponseRoot(context_id);
}, "");
