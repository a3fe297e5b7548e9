//! A proxy full of plugins: healthy ones, and ones that misbehave.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pw_host::{
    Engine, FailurePolicy, ForeignFunction, Limits, Module, PluginConfig, PluginId, Proxy, ProxyConfig, Reload,
    StartError,
};

use crate::bombs::Bomb;
use crate::kinds::KINDS;
use crate::work::Watch;

/// Ticks of the engine, a millisecond each, that a call into a plugin may last. A healthy one is not to be stopped
/// because the machine has other things to do.
pub(super) const EPOCHS: u64 = 5_000;
/// The same for a plugin that misbehaves.
pub(super) const BAD_EPOCHS: u64 = 2;
/// Bytes of the host's memory that a plugin that misbehaves may fill.
pub(super) const BAD_HOST_MEMORY: usize = 4 << 20;
/// Callbacks that an event may run of a plugin that misbehaves.
pub(super) const BAD_CALLBACKS: usize = 64;

/// The modules, compiled.
pub(super) struct Modules {
    healthy: Module,
    /// By kind.
    bad: Vec<Module>,
    engine: Engine,
    bombs: Vec<Bomb>,
}

/// A proxy and its plugins.
pub(super) struct Fleet {
    pub(super) proxy: Proxy,
    /// Sees what an event runs.
    pub(super) watch: Watch,
    pub(super) healthy: Vec<Healthy>,
    pub(super) bad: Vec<Bad>,
    /// Plugins whose place has another by now, and which may not have ended yet.
    pub(super) former: VecDeque<PluginId>,
    /// Of each plugin that misbehaves, former ones too, the place in [`KINDS`].
    kinds: HashMap<PluginId, usize>,
    modules: Arc<Modules>,
}

/// A plugin that does what it should.
pub(super) struct Healthy {
    pub(super) plugin: PluginId,
    /// What it adds to requests and responses, and what it counts them under.
    pub(super) field: String,
    /// Requests that ran through it.
    pub(super) requests: u64,
}

/// A place for a plugin that misbehaves in the way of that place in [`KINDS`].
#[derive(Clone, Copy)]
pub(super) struct Bad {
    /// None if it did not start.
    pub(super) plugin: Option<PluginId>,
    pub(super) kind: usize,
    /// A plugin that is tried for its place, and the kind of that one.
    pub(super) canary: Option<(PluginId, usize)>,
}

impl Modules {
    pub(super) fn compile(engine: &Engine) -> Result<Modules, String> {
        let module = |wasm: &[u8]| {
            let refused = |error| format!("failed to load a plugin of the soak: {error}");
            Module::new(engine, wasm).map_err(refused)
        };
        let healthy = wat::parse_str(include_str!("plugins/healthy.wat"));
        let healthy = healthy.map_err(|error| format!("the healthy plugin is not a module: {error}"))?;
        let bad = KINDS.iter().map(|kind| module(&kind.wasm()?)).collect::<Result<_, _>>()?;
        Ok(Modules { healthy: module(&healthy)?, bad, engine: engine.clone(), bombs: Bomb::all() })
    }
}

impl Fleet {
    /// Starts the healthy plugins and those that misbehave. The ways to misbehave are dealt out in turn.
    pub(super) fn start(modules: &Arc<Modules>, healthy: usize, bad: usize, seed: u64) -> Result<Fleet, String> {
        // Without the panic's hook, which would print that each time.
        let panics = ForeignFunction::new(|arguments| std::panic::resume_unwind(Box::new(arguments.len())));
        let foreign_functions = BTreeMap::from([("upstream".to_owned(), panics)]);
        let config = ProxyConfig { seed, upstreams: None, foreign_functions, ..ProxyConfig::default() };
        let (mut proxy, watch) = (Proxy::new(config), Watch::default());
        proxy.observe(Box::new(watch.clone()));
        let mut fleet = Fleet {
            proxy,
            watch,
            healthy: Vec::new(),
            bad: Vec::new(),
            former: VecDeque::new(),
            kinds: HashMap::new(),
            modules: modules.clone(),
        };
        for number in 0..healthy {
            let field = format!("x-p{number:04}");
            let added = fleet.proxy.add_plugin(&modules.healthy, healthy_config(&field));
            let failed = |error| format!("failed to start the plugin {field}: {error}");
            let plugin = added.map_err(failed)?;
            fleet.healthy.push(Healthy { plugin, field, requests: 0 });
        }
        fleet.bad = (0..bad).map(|number| Bad { plugin: None, kind: number % KINDS.len(), canary: None }).collect();
        Ok(fleet)
    }

    /// Starts a plugin of a kind for a place, in whatever way `start` does that.
    pub(super) fn launch(
        &mut self,
        place: usize,
        kind: usize,
        start: impl FnOnce(&mut Proxy, &Module, PluginConfig) -> Result<PluginId, StartError>,
    ) -> Option<PluginId> {
        let config = bad_config(place, kind, self.healthy.len());
        let plugin = start(&mut self.proxy, &self.modules.bad[kind], config).ok()?;
        self.kinds.insert(plugin, kind);
        Some(plugin)
    }

    /// Loads the module bomb with that number; its name if the host takes it.
    pub(super) fn load_bomb(&self, number: usize) -> Option<&'static str> {
        let Modules { engine, bombs, .. } = &*self.modules;
        bombs[number % bombs.len()].load(engine)
    }

    /// Forgets former plugins that have ended.
    pub(super) fn prune(&mut self) {
        let Fleet { proxy, kinds, former, .. } = self;
        former.retain(|plugin| {
            let is_there = proxy.charged(*plugin).is_some();
            if !is_there {
                kinds.remove(plugin);
            }
            is_there
        });
    }

    /// Forgets all plugins that misbehave: they have ended.
    pub(super) fn clear(&mut self) {
        self.bad.iter_mut().for_each(|bad| (bad.plugin, bad.canary) = (None, None));
        self.former.clear();
        self.kinds.clear();
    }

    /// All plugins that misbehave, those that are tried and former ones too.
    pub(super) fn plugins(&self) -> impl Iterator<Item = PluginId> {
        self.kinds.keys().copied()
    }

    /// The way in which a plugin misbehaves; none if it is healthy.
    pub(super) fn kind(&self, plugin: PluginId) -> Option<usize> {
        // The healthy ones were started first.
        if self.healthy.last().is_some_and(|last| plugin <= last.plugin) {
            return None;
        }
        self.kinds.get(&plugin).copied()
    }
}

/// Every plugin has its own VM.
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
fn bad_config(place: usize, kind: usize, healthy: usize) -> PluginConfig {
    const KIB: usize = 1 << 10;
    let limits = Limits {
        memory: 2048 * KIB,
        table_elements: 10_000,
        epochs: BAD_EPOCHS,
        log_lines: 100,
        held: 512 * KIB,
        queue: 64 * KIB,
        shared_data: 64 * KIB,
        metrics: healthy + 200,
        calls: 20,
        pending: 32,
        properties: 16 * KIB,
        host_memory: BAD_HOST_MEMORY,
        callbacks_per_event: BAD_CALLBACKS,
        ..Limits::default()
    };
    let reload = Reload { base: Duration::from_millis(5), max: Duration::from_millis(20), limit: u32::MAX };
    let kind = &KINDS[kind];
    let mut config = PluginConfig {
        name: format!("bad {place}, which {}", kind.name),
        vm_id: format!("bad {place}"),
        limits,
        failure: FailurePolicy { open: false, reload: Some(reload) },
        ..PluginConfig::default()
    };
    (kind.tune)(&mut config);
    config
}
