//! Runs scenarios on the reference host.

use std::sync::{Arc, LazyLock};

use pw_cases::format;
use pw_cases::probe::Template;
use pw_cases::report::decode;
use pw_cases::scenario::{Failure, Guest, Plugin, PluginSettings, Scenario};
use pw_cases::script::{SCRIPT, Script};
use pw_cases::shape::Shape;
use pw_cases::transcript::{Event, Transcript};
use pw_host::{Choices, Compiler, Engine, EngineConfig, FailurePolicy, Limits, Metering, PluginConfig, Pool, Reload};

use crate::agree::agree;
use crate::modules::{Loaded, Modules};
use crate::room::TOO_LONG;
use crate::trace::Trace;
use crate::world::World;

/// Enough for any case of a small module; an endless loop burns it in about a second.
const FUEL: u64 = 300_000_000;

/// Runs scenarios on the reference host. Cheap to clone.
#[derive(Clone)]
pub struct Reference {
    modules: Modules,
    choices: Choices,
    /// See [`Limits::callbacks_per_event`].
    callbacks_per_event: usize,
}

/// Shared, so that each module is compiled once.
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
    /// A host that stops plugins which do not end, and starts them fast. An error is wasmtime's.
    pub fn new() -> Result<Reference, String> {
        METERED.clone()
    }

    /// A host with its own engine. An error is wasmtime's.
    pub fn with_config(config: &EngineConfig) -> Result<Reference, String> {
        let engine = Engine::with_config(config).map_err(|error| format!("failed to set up wasmtime: {error:#}"))?;
        let callbacks_per_event = Limits::default().callbacks_per_event;
        Ok(Reference { modules: Modules::new(engine), choices: Choices::default(), callbacks_per_event })
    }

    /// A host that does not bound the time of plugins, with their VMs in a pool: for many scenarios a second, whose plugins
    /// are known to end. An error is wasmtime's.
    pub fn pooled() -> Result<Reference, String> {
        let pool = Pool { memory: 64 << 20, resident: 256 << 10, ..Pool::default() };
        Reference::with_config(&EngineConfig { pool: Some(pool), ..EngineConfig::default() })
    }

    /// The same host with these answers to open questions.
    pub fn with_choices(self, choices: Choices) -> Reference {
        Reference { choices, ..self }
    }

    /// The same host, in which an event runs no more callbacks of a plugin than this before the others: what is left is done a little later,
    /// and otherwise nothing changes.
    pub fn with_callbacks_per_event(self, callbacks_per_event: usize) -> Reference {
        Reference { callbacks_per_event, ..self }
    }

    /// A world for a scenario of this host. Fails if the scenario names a choice that the host does not have.
    pub fn world(&self, scenario: &Scenario) -> Result<World, String> {
        let mut choices = self.choices;
        for (name, answer) in &scenario.choices {
            let meant = || format::meant(name, Choices::NAMES.iter().copied());
            *choices.get_mut(name).ok_or_else(|| format!("the reference host has no choice `{name}`{}", meant()))? =
                *answer;
        }
        let mut world = World::with_choices(choices);
        if scenario.http1 {
            world.speak_http1();
        }
        Ok(world)
    }

    /// Runs a scenario. Fails if the probe reports something else than the host saw, if the host holds anything after the end of all
    /// plugins, and if the transcript is too long to keep.
    pub fn run(&self, scenario: &Scenario) -> Result<Transcript, String> {
        let mut world = self.world(scenario)?;
        let trace = Trace::default();
        world.proxy().observe(Box::new(trace.clone()));
        if self.start(&mut world, scenario)? {
            world.run(&scenario.steps);
        }
        if trace.is_full() {
            return Err(TOO_LONG.to_owned());
        }
        let events = world.take_events()?;
        // A plugin that was refused has no name in the world.
        let refused = events.iter().find_map(|event| match event {
            Event::Refused { plugin, .. } => Some(plugin.clone()),
            _ => None,
        });
        let last = scenario.plugins.last().map(|plugin| plugin.settings.name.clone());
        let unknown = refused.or(last).unwrap_or_default();
        let recorded = trace.take(|id| world.name(id, &unknown));
        let transcript = Transcript { events };
        agree(&decode(transcript.clone(), scenario), &recorded)?;
        world.end()?;
        Ok(transcript)
    }

    /// Starts a scenario's plugins in a world. Returns whether the host accepts all of them.
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
            started = started && self.place(world, plugin, module)?;
        }
        Ok(started)
    }

    /// Starts a plugin in a world, in its own VM. Returns whether the host accepts it.
    pub fn launch(&self, world: &mut World, plugin: &Plugin) -> Result<bool, String> {
        let module = match &plugin.guest {
            Guest::Probe(script) => self.script(script)?,
            Guest::Shaped(shape, script) => self.shaped(shape, script),
            Guest::Module(wasm) => self.modules.module(wasm),
        };
        self.place(world, plugin, module)
    }

    /// Starts a plugin, or keeps it for the step that does.
    fn place(&self, world: &mut World, plugin: &Plugin, module: Loaded) -> Result<bool, String> {
        let mut config = config(&plugin.settings)?;
        config.limits.callbacks_per_event = self.callbacks_per_event;
        if plugin.settings.standby {
            world.stand_by(module, config);
            return Ok(true);
        }
        Ok(world.start(module, config, plugin.settings.background))
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
    for (name, max) in &settings.limits {
        let limit = limits.get_mut(name).ok_or_else(|| format!("the reference host has no limit `{name}`"))?;
        *limit = usize::try_from(*max).unwrap_or(usize::MAX);
    }
    Ok(limits)
}
