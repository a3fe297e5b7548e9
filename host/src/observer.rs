//! What somebody who wants to see every call gets to see. Costs one branch per call where there is nobody.

use pw_abi::Function;

use crate::PluginId;

/// Sees callbacks and calls as they happen.
pub trait Observer: Send {
    /// The host calls a plugin.
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]);

    /// The callback returned; with none, it has no result.
    fn returned(&mut self, plugin: PluginId, name: &'static str, result: Option<u32>);

    /// A plugin called the host, and the call is about to return. `lanes` are the arguments as bits, `result` is none
    /// where the function has none, and `memory` is what the call left.
    fn call(
        &mut self,
        plugin: PluginId,
        function: &'static Function,
        lanes: &[u64],
        result: Option<u32>,
        memory: &[u8],
    );
}
