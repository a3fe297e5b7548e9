// Works on TCP connections.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues,
  Context,
  FilterStatusValues,
  LogLevelValues,
  RootContext,
  get_buffer_bytes,
  log,
  registerRootContext,
  set_buffer_bytes,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { PeerTypeValues } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";
import { upperCase } from "./bytes";

class TcpRoot extends RootContext {
  createContext(context_id: u32): Context {
    return new Tcp(context_id, this);
  }
}

class Tcp extends Context {
  onNewConnection(): FilterStatusValues {
    log(LogLevelValues.info, "open");
    return FilterStatusValues.Continue;
  }

  onDownstreamData(size: usize, end: bool): FilterStatusValues {
    if (size > 0) {
      const bytes = get_buffer_bytes(BufferTypeValues.NetworkDownstreamData, 0, size as u32);
      set_buffer_bytes(BufferTypeValues.NetworkDownstreamData, 0, size as u32, upperCase(bytes));
    }
    return FilterStatusValues.Continue;
  }

  onUpstreamData(size: usize, end: bool): FilterStatusValues {
    if (size > 0) set_buffer_bytes(BufferTypeValues.NetworkUpstreamData, 0, 0, String.UTF8.encode("> "));
    return FilterStatusValues.Continue;
  }

  onDownstreamConnectionClose(t: PeerTypeValues): void {
    log(LogLevelValues.info, "client closed");
  }

  onUpstreamConnectionClose(t: PeerTypeValues): void {
    log(LogLevelValues.info, "upstream closed");
  }

  onLog(): void {
    log(LogLevelValues.info, "finished");
  }
}

registerRootContext((context_id: u32) => {
  return new TcpRoot(context_id);
}, "tcp");
