// Writes a line about each stream.

export * from "@solo-io/proxy-runtime/proxy";
import { Context, LogLevelValues, RootContext, log, registerRootContext } from "@solo-io/proxy-runtime";
import { HeaderMapTypeValues, get_header_map_value } from "@solo-io/proxy-runtime/runtime";

class AccessLogRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new AccessLog(context_id, this);
  }
}

class AccessLog extends Context {
  onLog(): void {
    const path = field(HeaderMapTypeValues.RequestHeaders, ":path");
    const status = field(HeaderMapTypeValues.ResponseHeaders, ":status");
    const request = field(HeaderMapTypeValues.RequestTrailers, "x-sum");
    const response = field(HeaderMapTypeValues.ResponseTrailers, "x-sum");
    log(LogLevelValues.info, path + " " + status + " " + request + " " + response);
  }
}

function field(map: HeaderMapTypeValues, name: string): string {
  const value = get_header_map_value(map, String.UTF8.encode(name));
  return value.byteLength > 0 ? String.UTF8.decode(value) : "-";
}

registerRootContext((context_id: u32) => {
  return new AccessLogRoot(context_id);
}, "");
