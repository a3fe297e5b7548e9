//! A scenario as it is run here: the modules are bytes.

use pw_abi::Version;
use pw_cases::scenario::{PluginSettings, Scenario, Step};

/// A scenario, and what is asked of its run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The id of the case, for messages.
    pub id: String,
    /// The version of the ABI.
    pub abi: Version,
    /// The chain of plugins.
    pub plugins: Vec<Plugin>,
    /// What the world does.
    pub steps: Vec<Step>,
    /// It needs its own Envoy.
    pub hazard: bool,
    /// The client and the upstream speak HTTP/1.1.
    pub http1: bool,
    /// More steps may follow.
    pub keep: bool,
}

/// A plugin and its module.
#[derive(Clone, Debug, Default)]
pub struct Plugin {
    /// How it is set up.
    pub settings: PluginSettings,
    /// The bytes of the module.
    pub wasm: Vec<u8>,
}

impl Run {
    /// The run of a scenario.
    ///
    /// # Errors
    ///
    /// A module cannot be put together.
    pub fn new(id: &str, abi: Version, scenario: &Scenario, keep: bool) -> Result<Run, String> {
        let plugins = scenario.plugins.iter().map(|plugin| {
            let wasm = plugin.guest.wasm()?;
            Ok(Plugin { settings: plugin.settings.clone(), wasm })
        });
        let (id, steps) = (id.to_owned(), scenario.steps.clone());
        let Scenario { hazard, http1, .. } = *scenario;
        Ok(Run { id, abi, plugins: plugins.collect::<Result<_, String>>()?, steps, hazard, http1, keep })
    }
}

impl Plugin {
    /// The same plugin, set up in another way.
    #[must_use]
    pub fn set(mut self, change: impl FnOnce(&mut PluginSettings)) -> Plugin {
        change(&mut self.settings);
        self
    }
}
