// Reads its configurations, and refuses bad ones.

export * from "@solo-io/proxy-runtime/proxy";
import { Context, FilterHeadersStatusValues, RootContext, registerRootContext } from "@solo-io/proxy-runtime";
import {
  BufferTypeValues,
  HeaderMapTypeValues,
  add_header_map_value,
  get_buffer_bytes,
} from "@solo-io/proxy-runtime/runtime";

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
}, "");
