//! A proxy full of plugins: healthy ones, and ones that misbehave.

use std::time::Duration;

use pw_host::{Engine, FailurePolicy, Limits, Module, PluginConfig, PluginId, Proxy, ProxyConfig, Reload};

use crate::error::HarnessError;
use crate::soak::kinds::{KINDS, Kind};

/// Ticks of the engine, a millisecond each, that a call into a plugin may last. A healthy one is not to be stopped
/// because the machine has other things to do.
pub(super) const EPOCHS: u64 = 5_000;
/// The same for a plugin that misbehaves.
pub(super) const BAD_EPOCHS: u64 = 2;

/// The modules, compiled.
pub(super) struct Modules {
    healthy: Module,
    /// By kind.
    bad: Vec<Module>,
}

/// A proxy and its plugins.
pub(super) struct Fleet {
    pub(super) proxy: Proxy,
    pub(super) healthy: Vec<Healthy>,
    pub(super) bad: Vec<Bad>,
}

/// A plugin that does what it should.
pub(super) struct Healthy {
    pub(super) plugin: PluginId,
    /// What it adds to requests and responses, and what it counts them under.
    pub(super) field: String,
    /// Requests that ran through it.
    pub(super) requests: u64,
}

/// A plugin that misbehaves in the way of that place in [`KINDS`].
#[derive(Clone, Copy)]
pub(super) struct Bad {
    pub(super) plugin: PluginId,
    pub(super) kind: usize,
}

impl Modules {
    pub(super) fn compile(engine: &Engine) -> Result<Modules, HarnessError> {
        let module = |wasm: &[u8]| {
            let refused = |error| HarnessError::new(format!("failed to load a plugin of the soak: {error}"));
            Module::new(engine, wasm).map_err(refused)
        };
        let healthy = pw_cases::probe::assemble(include_str!("plugins/healthy.wat"));
        let healthy =
            healthy.map_err(|error| HarnessError::new(format!("the healthy plugin is no module: {error}")))?;
        let bad = KINDS.iter().map(|kind| module(&kind.wasm()?)).collect::<Result<_, _>>()?;
        Ok(Modules { healthy: module(&healthy)?, bad })
    }
}

impl Fleet {
    /// Starts so many plugins of both sorts. The ways to misbehave are dealt out in turn.
    pub(super) fn start(modules: &Modules, healthy: usize, bad: usize, seed: u64) -> Result<Fleet, HarnessError> {
        let config = ProxyConfig { seed, upstreams: None, ..ProxyConfig::default() };
        let mut fleet = Fleet { proxy: Proxy::new(config), healthy: Vec::new(), bad: Vec::new() };
        for number in 0..healthy {
            let field = format!("x-p{number:04}");
            let plugin = fleet.add(&modules.healthy, healthy_config(&field))?;
            fleet.healthy.push(Healthy { plugin, field, requests: 0 });
        }
        for number in 0..bad {
            let kind = number % KINDS.len();
            let config = bad_config(&KINDS[kind], number, healthy);
            let plugin = fleet.add(&modules.bad[kind], config)?;
            fleet.bad.push(Bad { plugin, kind });
        }
        Ok(fleet)
    }

    fn add(&mut self, module: &Module, config: PluginConfig) -> Result<PluginId, HarnessError> {
        let name = config.name.clone();
        let added = self.proxy.add_plugin(module, config);
        added.map_err(|error| HarnessError::new(format!("failed to start the plugin {name}: {error}")))
    }

    /// The way in which a plugin misbehaves; none if it is healthy.
    pub(super) fn kind(&self, plugin: PluginId) -> Option<usize> {
        self.bad.iter().find(|bad| bad.plugin == plugin).map(|bad| bad.kind)
    }
}

/// Every plugin has a VM of its own.
fn healthy_config(field: &str) -> PluginConfig {
    PluginConfig {
        name: field.to_owned(),
        vm_id: field.to_owned(),
        configuration: field.into(),
        limits: Limits { epochs: EPOCHS, ..Limits::default() },
        ..PluginConfig::default()
    }
}

/// Small limits, which are reached, and a short wait, so that it is soon back.
fn bad_config(kind: &Kind, number: usize, healthy: usize) -> PluginConfig {
    const KIB: usize = 1 << 10;
    let limits = Limits {
        memory: 2048 * KIB,
        epochs: BAD_EPOCHS,
        log_lines: 100,
        queue: 64 * KIB,
        shared_data: 64 * KIB,
        metrics: healthy + 200,
        calls: 20,
        pending: 32,
        properties: 16 * KIB,
        ..Limits::default()
    };
    let reload = Reload { base: Duration::from_millis(5), max: Duration::from_millis(20), limit: u32::MAX };
    PluginConfig {
        name: format!("bad {number}, which {}", kind.name),
        vm_id: format!("bad {number}"),
        limits,
        failure: FailurePolicy { open: false, reload: Some(reload) },
        ..PluginConfig::default()
    }
}
