//! What is known of a plugin before it runs.

use pw_adapter_kit::job::Plugin;
use pw_cases::scenario::Failure;

use crate::config;

/// A plugin.
pub(super) struct Known {
    pub(super) name: String,
    /// What follows `wasm log`, up to the message: of its streams, and of its root.
    pub(super) marks: [Vec<u8>; 2],
    /// Which of the distinct VMs it lives in.
    pub(super) home: usize,
    /// It is on no stream.
    pub(super) background: bool,
    /// The module, whose bytes contain the names of its exports.
    wasm: Vec<u8>,
    /// The functions that it gets, if not all.
    capabilities: Option<Vec<String>>,
    /// It is started again after a fault.
    pub(super) reloads: bool,
}

/// The plugins of a scenario.
pub(super) fn known(plugins: &[Plugin]) -> Vec<Known> {
    let home = |plugin| plugins.iter().position(|other| config::home(other) == config::home(plugin));
    let known = plugins.iter().map(|plugin| {
        let root_id = config::root_id(plugin, plugins.len() == 1);
        let marks =
            [[plugin.settings.name.as_str(), root_id, &plugin.settings.vm_id], ["", root_id, &plugin.settings.vm_id]];
        Known {
            name: plugin.settings.name.clone(),
            marks: marks.map(mark),
            home: home(plugin).unwrap_or_default(),
            background: plugin.settings.background,
            wasm: plugin.wasm.clone(),
            capabilities: plugin.settings.capabilities.clone(),
            reloads: plugin.settings.failure == Failure::Reload,
        }
    });
    known.collect()
}

impl Known {
    /// Whether the plugin has a callback, and gets it.
    pub(super) fn has(&self, function: &[u8]) -> bool {
        let allowed = |names: &Vec<String>| names.iter().any(|name| name.as_bytes() == function);
        self.capabilities.as_ref().is_none_or(allowed) && contains(&self.wasm, function)
    }
}

/// A mark of these words: those that are not empty, each after a space, and a colon.
fn mark(words: [&str; 3]) -> Vec<u8> {
    let words = words.into_iter().filter(|word| !word.is_empty()).map(|word| format!(" {word}"));
    (words.collect::<String>() + ": ").into_bytes()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}
