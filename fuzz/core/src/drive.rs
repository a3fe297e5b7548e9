//! Runs a scenario on the reference host, with the model beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pw_abi::Function;
use pw_cases::scenario::{Guest, Scenario, Step};
use pw_host::{Observer, PluginId};
use pw_reference::{Reference, World};

use crate::model::{Model, Verdict};
use crate::share::joined;

/// Lets a scenario's probes report or be silent.
pub fn silence(scenario: &mut Scenario, silent: bool) {
    for plugin in &mut scenario.plugins {
        if let Guest::Probe(script) = &mut plugin.guest {
            script.silent = silent;
        }
    }
}

/// Runs a scenario and judges it by the model. An error is ours.
pub fn run(host: &Reference, scenario: &Arc<Scenario>) -> Result<Verdict, String> {
    let watch = Watch(Arc::new(Mutex::new(Watched {
        model: Some(Model::new(scenario.clone())),
        known: Vec::new(),
        starting: 0,
        replacing: None,
    })));
    let mut world = World::new();
    world.proxy().observe(Box::new(watch.clone()));
    let mut started = true;
    for (number, plugin) in joined(scenario).plugins.iter().enumerate() {
        watch.lock().starting = number;
        started = started && host.launch(&mut world, plugin)?;
        watch.notify(&mut world);
    }
    if started {
        for (index, step) in scenario.steps.iter().enumerate() {
            watch.step(index, step, scenario);
            world.step(step);
            world.drain("");
            watch.notify(&mut world);
        }
    }
    let model = watch.lock().model.take();
    Ok(model.map(Model::end).unwrap_or_default())
}

/// Notifies the model of what happens, as the host's observer.
#[derive(Clone)]
struct Watch(Arc<Mutex<Watched>>);

struct Watched {
    /// None when the run is over.
    model: Option<Model>,
    /// The host's plugins, and what the model calls them.
    known: Vec<(PluginId, usize)>,
    /// The place of the plugin that is started next.
    starting: usize,
    /// How many plugins were known when the operator starts one more.
    replacing: Option<usize>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, index: usize, step: &Step, scenario: &Scenario) {
        let watched = &mut *self.lock();
        let Some(model) = &mut watched.model else { return };
        model.step(index);
        let starting = match step {
            Step::Reconfigure { plugin, .. } => Some(plugin),
            Step::Replace { by, .. } | Step::Canary { by, .. } => Some(by),
            _ => None,
        };
        let place = |name: &String| scenario.plugins.iter().position(|known| known.settings.name == *name);
        if let Some(place) = starting.and_then(place) {
            watched.starting = place;
            watched.replacing = Some(watched.known.len());
        }
    }

    /// What reached the world since the last time.
    fn notify(&self, world: &mut World) {
        let events = std::mem::take(&mut world.events);
        let watched = &mut *self.lock();
        let Some(model) = &mut watched.model else { return };
        let refused = events.iter().any(|event| matches!(event, pw_cases::transcript::Event::Refused { .. }));
        events.iter().for_each(|event| model.event(event));
        if let Some(known) = watched.replacing.take()
            && let Some((_, new)) = watched.known.get(known)
            && !refused
        {
            model.put(*new);
        }
    }
}

impl Watched {
    /// The model, and what it calls a plugin; one that was never seen is being started, and so is one that had ended.
    fn model(&mut self, plugin: PluginId, begins: bool) -> Option<(&mut Model, usize)> {
        let model = self.model.as_mut()?;
        let place = self.known.iter().position(|(known, _)| *known == plugin);
        let instance = match place {
            Some(place) => {
                let instance = &mut self.known[place].1;
                if begins && model.has_ended(*instance) && model.restarts(*instance) {
                    *instance = model.starts(model.plugin(*instance), Some(*instance));
                }
                *instance
            }
            None => {
                let instance = model.starts(self.starting, None);
                self.known.push((plugin, instance));
                instance
            }
        };
        Some((model, instance))
    }
}

impl Observer for Watch {
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]) {
        // Whichever of these it gets first.
        let begins = match name {
            "proxy_on_context_create" => args.get(1) == Some(&0),
            name => name == "proxy_on_vm_start" || name == "proxy_on_configure",
        };
        if let Some((model, instance)) = self.lock().model(plugin, begins) {
            model.callback(instance, name, args);
        }
    }

    fn returned(&mut self, plugin: PluginId, name: &'static str, result: Option<u32>) {
        if let Some((model, instance)) = self.lock().model(plugin, false) {
            model.returned(instance, name, result);
        }
    }

    fn call(
        &mut self,
        plugin: PluginId,
        function: &'static Function,
        lanes: &[u64],
        result: Option<u32>,
        memory: &[u8],
    ) {
        if let Some((model, instance)) = self.lock().model(plugin, false) {
            model.call(instance, function, lanes, result, memory);
        }
    }
}
