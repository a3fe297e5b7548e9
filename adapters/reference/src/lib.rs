//! The reference host in the world of cases: a scenario in, a transcript out. Probes are compiled once per shape, and
//! given their scripts as data; what they report must be what the host itself saw.
//!
//! Knows nothing of what is expected, of other hosts, and of files.

mod adapter;
mod live;
mod modules;
mod room;
mod trace;
mod world;
mod zlib;

use std::sync::{Arc, LazyLock};

use pw_cases::probe::Template;
use pw_cases::report::decode;
use pw_cases::scenario::{Failure, Guest, Plugin, PluginSettings, Scenario};
use pw_cases::script::{SCRIPT, Script};
use pw_cases::shape::Shape;
use pw_cases::transcript::{Event, Returned, Transcript};
use pw_host::{Compiler, Engine, EngineConfig, FailurePolicy, Limits, Metering, PluginConfig, Pool, Reload};

pub use crate::adapter::InProcess;
use crate::modules::{Loaded, Modules};
pub use crate::trace::Trace;
pub use crate::world::{START, UPSTREAMS, World};

/// Why a scenario has no transcript.
const TOO_LONG: &str =
    "its plugins send, log and read more than is kept of a case (256 MiB): make its steps fewer or smaller";

/// Enough for any case of a small module; an endless loop burns it in about a second.
const FUEL: u64 = 300_000_000;

/// Runs scenarios on the reference host. Cheap to clone.
#[derive(Clone)]
pub struct Reference {
    modules: Modules,
}

/// One of them, so that compiled modules serve everybody.
static METERED: LazyLock<Result<Reference, String>> = LazyLock::new(|| {
    // Scenarios run side by side; each module is small.
    let config = EngineConfig {
        metering: Metering::Fuel,
        compiler: Compiler::Winch,
        parallel: false,
        ..EngineConfig::default()
    };
    Reference::with_config(&config)
});

impl Reference {
    /// A host that stops plugins which do not end by themselves, and that starts them soon. An error is wasmtime's.
    pub fn new() -> Result<Reference, String> {
        METERED.clone()
    }

    /// A host with an engine of its own. An error is wasmtime's.
    pub fn with_config(config: &EngineConfig) -> Result<Reference, String> {
        let engine = Engine::with_config(config).map_err(|error| format!("failed to set up wasmtime: {error:#}"))?;
        Ok(Reference { modules: Modules::new(engine) })
    }

    /// A host that does not bound the time of plugins, with their VMs in a pool: for many scenarios a second, of plugins
    /// that end by themselves. An error is wasmtime's.
    pub fn pooled() -> Result<Reference, String> {
        let pool = Pool { memory: 64 << 20, resident: 256 << 10, ..Pool::default() };
        Reference::with_config(&EngineConfig { pool: Some(pool), ..EngineConfig::default() })
    }

    /// Runs a scenario. Fails if the probe reports something else than the host saw, and if the transcript is too long to keep.
    pub fn run(&self, scenario: &Scenario) -> Result<Transcript, String> {
        let mut world = World::new();
        let trace = Trace::default();
        world.proxy().observe(Box::new(trace.clone()));
        if self.start(&mut world, scenario)? {
            world.run(&scenario.steps);
        }
        if trace.is_full() {
            return Err(TOO_LONG.to_owned());
        }
        let events = world.take_events()?;
        // A plugin that was not taken has no name in the world.
        let refused = events.iter().find_map(|event| match event {
            Event::Refused { plugin, .. } => Some(plugin.clone()),
            _ => None,
        });
        let last = scenario.plugins.last().map(|plugin| plugin.settings.name.clone());
        let unknown = refused.or(last).unwrap_or_default();
        let recorded = trace.take(|id| world.name(id, &unknown));
        let transcript = Transcript { events };
        agree(&decode(transcript.clone(), scenario), &recorded)?;
        Ok(transcript)
    }

    /// Starts a scenario's plugins in a world; whether the host took all of them.
    pub fn start(&self, world: &mut World, scenario: &Scenario) -> Result<bool, String> {
        // Plugins of one module share it, also if it is forgotten meanwhile.
        let mut compiled: Vec<(&[u8], Loaded)> = Vec::new();
        let mut started = true;
        for plugin in &scenario.plugins {
            let module = match &plugin.guest {
                Guest::Probe(script) => self.script(script)?,
                Guest::Shaped(shape, script) => self.shaped(shape, script),
                Guest::Module(wasm) => match compiled.iter().find(|(known, _)| known == wasm) {
                    Some((_, module)) => module.clone(),
                    None => {
                        compiled.push((wasm, self.modules.module(wasm)));
                        compiled[compiled.len() - 1].1.clone()
                    }
                },
            };
            started = started && place(world, plugin, module)?;
        }
        Ok(started)
    }

    /// Starts a plugin in a world, in a VM of its own; whether the host took it.
    pub fn launch(&self, world: &mut World, plugin: &Plugin) -> Result<bool, String> {
        let module = match &plugin.guest {
            Guest::Probe(script) => self.script(script)?,
            Guest::Shaped(shape, script) => self.shaped(shape, script),
            Guest::Module(wasm) => self.modules.module(wasm),
        };
        place(world, plugin, module)
    }

    /// The probe with a script.
    fn script(&self, script: &Script) -> Result<Loaded, String> {
        let probe = self.modules.probe(&Template::full(script))?;
        Ok(probe.map(|probe| probe.with_data(SCRIPT, &script.bytes())))
    }

    /// A probe that came without its script, with one.
    fn shaped(&self, shape: &Arc<Shape>, script: &[u8]) -> Loaded {
        self.modules.shape(shape).map(|probe| probe.with_data(shape.address, script))
    }
}

/// Starts a plugin, or keeps it for the step that does.
fn place(world: &mut World, plugin: &Plugin, module: Loaded) -> Result<bool, String> {
    let config = config(&plugin.settings)?;
    if plugin.settings.standby {
        world.stand_by(module, config);
        return Ok(true);
    }
    Ok(world.start(module, config, plugin.settings.background))
}

fn config(settings: &PluginSettings) -> Result<PluginConfig, String> {
    let PluginSettings { name, vm_id, vm_configuration, configuration, environment, .. } = settings.clone();
    Ok(PluginConfig {
        name,
        root_id: String::new(),
        vm_id,
        configuration: configuration.0,
        vm_configuration: vm_configuration.0,
        environment: environment.into_iter().collect(),
        failure: policy(settings.failure),
        capabilities: settings.capabilities.clone().map(|names| names.into_iter().collect()),
        log_only: settings.log_only,
        limits: limits(settings)?,
    })
}

/// The policy that stands for a case's, or a resource's, word.
pub fn policy(failure: Failure) -> FailurePolicy {
    FailurePolicy { open: failure == Failure::Open, reload: (failure == Failure::Reload).then(Reload::default) }
}

fn limits(settings: &PluginSettings) -> Result<Limits, String> {
    let mut limits = Limits { fuel: FUEL, ..Limits::default() };
    for (name, most) in &settings.limits {
        let most = usize::try_from(*most).unwrap_or(usize::MAX);
        let limit = match name.as_str() {
            "memory" => &mut limits.memory,
            "table_elements" => &mut limits.table_elements,
            "log_lines" => &mut limits.log_lines,
            "log_bytes" => &mut limits.log_bytes,
            "held" => &mut limits.held,
            "fields" => &mut limits.fields,
            "shared_data" => &mut limits.shared_data,
            "queue" => &mut limits.queue,
            "queues" => &mut limits.queues,
            "metrics" => &mut limits.metrics,
            "calls" => &mut limits.calls,
            "pending" => &mut limits.pending,
            "properties" => &mut limits.properties,
            _ => return Err(format!("the reference host has no limit `{name}`")),
        };
        *limit = most;
    }
    Ok(limits)
}

/// What the probes report must be what the host saw, call by call; the reports themselves are left out.
fn agree(reported: &Transcript, recorded: &[Event]) -> Result<(), String> {
    let is_report = |event: &Event| match event {
        Event::Call { function, args, .. } => {
            function == "proxy_log" && args.last().is_some_and(|message| message.starts_with("\"pw "))
        }
        _ => false,
    };
    let mut reported = reported.events.iter().filter(|event| in_trace(event)).peekable();
    let reporting: Vec<&String> = reported.clone().map(plugin_of).collect();
    let recorded = recorded.iter().filter(|event| !is_report(event) && reporting.contains(&plugin_of(event)));
    for seen in recorded {
        let Some(told) = reported.next() else {
            // A guest that traps cannot report what it was doing.
            return Ok(());
        };
        if !same(told, seen) {
            return Err(format!("the probe reports `{told}`, but the host saw `{seen}`"));
        }
    }
    match reported.next() {
        None => Ok(()),
        Some(told) => Err(format!("the probe reports `{told}`, which the host did not see")),
    }
}

/// Whether both views have such events; start functions and allocators only the probe reports.
fn in_trace(event: &Event) -> bool {
    match event {
        Event::Callback { name, .. } | Event::Returned { name, .. } => {
            !["_initialize", "proxy_on_memory_allocate", "malloc"].contains(&name.as_str())
        }
        Event::Call { .. } => true,
        _ => false,
    }
}

fn plugin_of(event: &Event) -> &String {
    static NONE: String = String::new();
    match event {
        Event::Callback { plugin, .. } | Event::Returned { plugin, .. } | Event::Call { plugin, .. } => plugin,
        _ => &NONE,
    }
}

fn same(told: &Event, seen: &Event) -> bool {
    match (told, seen) {
        (
            Event::Call { function, status, returned, .. },
            Event::Call { function: seen_function, status: seen_status, returned: seen_returned, .. },
        ) => {
            let differs = |(name, value): &(String, Returned)| {
                seen_returned.iter().any(|(seen_name, seen_value)| {
                    seen_name == name && seen_value != value && !all_ones(value, seen_value)
                })
            };
            function == seen_function && status == seen_status && !returned.iter().any(differs)
        }
        (told, seen) => told == seen,
    }
}

/// To the probe a number of nothing but ones looks like a place that was left alone.
fn all_ones(told: &Returned, seen: &Returned) -> bool {
    *told == Returned::Untouched && matches!(seen, Returned::Number(u64::MAX | 0xFFFF_FFFF))
}
