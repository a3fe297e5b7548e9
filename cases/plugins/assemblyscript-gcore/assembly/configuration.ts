// Reads its configurations, and refuses bad ones.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues,
  Context,
  FilterHeadersStatusValues,
  RootContext,
  get_buffer_bytes,
  registerRootContext,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues, add_header_map_value } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

// The VM starts once, for all of its plugins.
let vm_configuration: ArrayBuffer = new ArrayBuffer(0);

class ConfigurationRoot extends RootContext {
  plugin: ArrayBuffer = new ArrayBuffer(0);

  onStart(vm_configuration_size: usize): bool {
    const configuration = get_buffer_bytes(BufferTypeValues.VmConfiguration, 0, vm_configuration_size as u32);
    if (String.UTF8.decode(configuration) == "refuse") return false;
    vm_configuration = configuration;
    return true;
  }

  onConfigure(configuration_size: u32): bool {
    const configuration = get_buffer_bytes(BufferTypeValues.PluginConfiguration, 0, configuration_size);
    if (String.UTF8.decode(configuration).startsWith("refuse")) return false;
    this.plugin = configuration;
    return true;
  }

  createContext(context_id: u32): Context {
    return new Configuration(context_id, this);
  }
}

class Configuration extends Context {
  onResponseHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const root = this.root_context as ConfigurationRoot;
    add_header_map_value(HeaderMapTypeValues.ResponseHeaders, String.UTF8.encode("x-configuration"), root.plugin);
    add_header_map_value(HeaderMapTypeValues.ResponseHeaders, String.UTF8.encode("x-vm-configuration"), vm_configuration);
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => {
  return new ConfigurationRoot(context_id);
}, "configuration");
