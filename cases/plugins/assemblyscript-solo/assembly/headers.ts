// Reads, adds, replaces and removes headers and trailers, both ways. It does not set all headers: a plugin that calls
// `set_headers` does not compile.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  FilterTrailersStatusValues,
  RootContext,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";
import { HeaderMapTypeValues, add_header_map_value, get_header_map_value } from "@solo-io/proxy-runtime/runtime";

const COPY = "x-copy-";
const COPIED = "x-copied-";

class HeadersRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new HeadersContext(context_id, this);
  }
}

class HeadersContext extends Context {
  // Empty if the request has no `x-echo`: the SDK returns the same for both.
  private echo: ArrayBuffer = new ArrayBuffer(0);

  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    this.echo = get_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-echo"));
    const headers = stream_context.headers.request.get_headers();
    for (let i = 0; i < headers.length; i++) {
      const name = String.UTF8.decode(headers[i].key);
      if (name.startsWith(COPY)) {
        const copied = String.UTF8.encode(COPIED + name.substring(COPY.length));
        add_header_map_value(HeaderMapTypeValues.RequestHeaders, copied, headers[i].value);
      }
    }
    if (stream_context.headers.request.get("x-replace") != "") {
      stream_context.headers.request.replace("x-replace", "replaced");
    }
    stream_context.headers.request.remove("x-remove");
    return FilterHeadersStatusValues.Continue;
  }

  onRequestTrailers(a: u32): FilterTrailersStatusValues {
    const count = stream_context.trailers.request.get_headers().length;
    stream_context.trailers.request.add("x-trailer-fields", count.toString());
    return FilterTrailersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    if (this.echo.byteLength > 0) {
      add_header_map_value(HeaderMapTypeValues.ResponseHeaders, String.UTF8.encode("x-echoed"), this.echo);
    }
    return FilterHeadersStatusValues.Continue;
  }

  onResponseTrailers(a: u32): FilterTrailersStatusValues {
    const count = stream_context.trailers.response.get_headers().length;
    stream_context.trailers.response.add("x-trailer-fields", count.toString());
    return FilterTrailersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => {
  return new HeadersRoot(context_id);
}, "");
