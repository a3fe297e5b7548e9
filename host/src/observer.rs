//! A tracing hook, called for every callback and host call. Costs one branch per call if there is no observer.

use pw_abi::Function;

use crate::ids::PluginId;

/// Sees callbacks and calls as they happen.
pub trait Observer: Send {
    /// The host calls a plugin.
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]);

    /// The callback has returned; `result` is `None` if it has no result.
    fn returned(&mut self, plugin: PluginId, name: &'static str, result: Option<u32>);

    /// A plugin called the host, and the call is about to return. `lanes` are the bits of the core values of the arguments, `result` is
    /// `None` if the function has none, and `memory` is the guest's memory after the call.
    fn call(
        &mut self,
        plugin: PluginId,
        function: &'static Function,
        lanes: &[u64],
        result: Option<u32>,
        memory: &[u8],
    );
}
