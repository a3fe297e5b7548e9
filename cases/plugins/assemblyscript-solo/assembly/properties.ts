// Reads and sets properties. A property that is not there reads as no bytes.

export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";
import {
  HeaderMapTypeValues,
  add_header_map_value,
  get_header_map_value,
  get_property,
  set_property,
} from "@solo-io/proxy-runtime/runtime";

class PropertiesRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Properties(context_id, this);
  }
}

class Properties extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    addProperty(HeaderMapTypeValues.RequestHeaders, "x-path", "request\0path");
    const note = get_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-note"));
    if (note.byteLength > 0) set_property("kit.note", note);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    addProperty(HeaderMapTypeValues.ResponseHeaders, "x-plugin-name", "plugin_name");
    addProperty(HeaderMapTypeValues.ResponseHeaders, "x-note", "kit.note");
    if (get_property("kit.missing").byteLength == 0) stream_context.headers.response.add("x-missing", "yes");
    return FilterHeadersStatusValues.Continue;
  }
}

function addProperty(map: HeaderMapTypeValues, name: string, path: string): void {
  const value = get_property(path);
  if (value.byteLength > 0) add_header_map_value(map, String.UTF8.encode(name), value);
}

registerRootContext((context_id: u32) => {
  return new PropertiesRoot(context_id);
}, "");
