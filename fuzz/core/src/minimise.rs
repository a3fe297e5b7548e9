//! Makes an input smaller as long as it shows the same: plugins, steps, calls, values.

use std::sync::Arc;

use pw_cases::data::Data;
use pw_cases::scenario::{Failure, Scenario};
use pw_cases::script::{Act, Allocation, Lane, callbacks};
use pw_reference::Reference;

use crate::campaign::Find;
use crate::canonical::{canonical, caused, script_of};
use crate::drive::silence;
use crate::model::Finding;
use crate::oracle;

/// How many smaller versions are tried at the most.
const TRIES: usize = 3000;

/// The smallest input found that shows the same as this one, and what it shows. An error is ours.
pub fn minimise(host: &Reference, find: &Find) -> Result<Find, String> {
    let mut smaller = Smaller { host, about: &find.finding.about, best: find.clone(), tries: 0 };
    loop {
        let before = size(&smaller.best.scenario);
        smaller.plugins()?;
        smaller.steps()?;
        smaller.actions()?;
        smaller.settings()?;
        smaller.values()?;
        if size(&smaller.best.scenario) >= before || smaller.tries >= TRIES {
            return Ok(smaller.best);
        }
    }
}

/// What a scenario shows by any oracle; the slower ones are asked where the model has nothing to say.
pub fn shows(host: &Reference, scenario: &Arc<Scenario>, about: &str) -> Result<Option<Finding>, String> {
    let mut findings = oracle::model(host, scenario)?.findings;
    if findings.is_empty() && SLOW.contains(&about) {
        findings = oracle::beyond(host, scenario);
    }
    Ok(findings.into_iter().find(|finding| finding.about == about))
}

/// What only the slower oracles show.
const SLOW: [&str; 4] = ["what the probe reports", "the same input twice", "isolation", "the host panics"];

struct Smaller<'a> {
    host: &'a Reference,
    about: &'a str,
    best: Find,
    tries: usize,
}

impl Smaller<'_> {
    /// Takes a changed version if it still shows the same.
    fn attempt(&mut self, change: impl FnOnce(&mut Scenario)) -> Result<bool, String> {
        if self.tries >= TRIES {
            return Ok(false);
        }
        self.tries += 1;
        let mut scenario = self.best.scenario.clone();
        change(&mut scenario);
        canonical(&mut scenario);
        silence(&mut scenario, true);
        let scenario = Arc::new(scenario);
        let Some(finding) = shows(self.host, &scenario, self.about)? else { return Ok(false) };
        self.best = Find { run: self.best.run, scenario: (*scenario).clone(), finding };
        Ok(true)
    }

    fn plugins(&mut self) -> Result<(), String> {
        for plugin in (0..self.best.scenario.plugins.len()).rev() {
            if self.best.scenario.plugins.len() > 1 {
                self.attempt(|scenario| drop(scenario.plugins.remove(plugin)))?;
            }
        }
        Ok(())
    }

    fn steps(&mut self) -> Result<(), String> {
        for step in (0..self.best.scenario.steps.len()).rev() {
            self.attempt(|scenario| remove_step(scenario, step))?;
        }
        Ok(())
    }

    /// All actions and the result of an entry, and then one by one.
    fn actions(&mut self) -> Result<(), String> {
        for (plugin, callback, entry) in self.entries() {
            let all = self.attempt(|scenario| {
                if let Some(entry) = find(scenario, plugin, callback, entry) {
                    entry.actions.clear();
                    entry.result = None;
                }
            })?;
            if all {
                continue;
            }
            self.attempt(|scenario| find(scenario, plugin, callback, entry).into_iter().for_each(|e| e.result = None))?;
            let count = find(&mut self.best.scenario, plugin, callback, entry).map_or(0, |entry| entry.actions.len());
            for action in (0..count).rev() {
                self.attempt(|scenario| {
                    if let Some(entry) = find(scenario, plugin, callback, entry) {
                        entry.actions.remove(action);
                    }
                })?;
            }
        }
        Ok(())
    }

    fn settings(&mut self) -> Result<(), String> {
        for place in 0..self.best.scenario.plugins.len() {
            self.attempt(|scenario| scenario.plugins[place].environment.clear())?;
            self.attempt(|scenario| scenario.plugins[place].limits.clear())?;
            self.attempt(|scenario| scenario.plugins[place].capabilities = None)?;
            self.attempt(|scenario| scenario.plugins[place].failure = Failure::Closed)?;
            self.attempt(|scenario| scenario.plugins[place].background = false)?;
            self.attempt(|scenario| scenario.plugins[place].vm_id.clear())?;
            self.attempt(|scenario| scenario.plugins[place].configuration = Data::default())?;
            self.attempt(|scenario| {
                if let Some(script) = script_of(&mut scenario.plugins[place]) {
                    script.allocation = Allocation::Bump;
                }
            })?;
            self.attempt(|scenario| {
                if let Some(script) = script_of(&mut scenario.plugins[place]) {
                    script.without.clear();
                    script.allocators = vec!["proxy_on_memory_allocate"];
                }
            })?;
        }
        Ok(())
    }

    /// Shorter bytes, smaller numbers.
    fn values(&mut self) -> Result<(), String> {
        for (plugin, callback, place) in self.entries() {
            let entry = find(&mut self.best.scenario, plugin, callback, place);
            let lanes: Vec<usize> = entry.into_iter().flat_map(|entry| &entry.actions).map(lanes).collect();
            for (action, count) in lanes.into_iter().enumerate() {
                for lane in 0..count {
                    for smaller in [empty, halve, zero] {
                        self.attempt(|scenario| {
                            let entry = find(scenario, plugin, callback, place);
                            let action = entry.and_then(|entry| entry.actions.get_mut(action));
                            if let Some(Act::Call { lanes, .. }) = action.map(|action| &mut action.act) {
                                smaller(lanes, lane);
                            }
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn entries(&mut self) -> Vec<(usize, usize, usize)> {
        let plugins = self.best.scenario.plugins.iter_mut().enumerate();
        let scripts = plugins.filter_map(|(plugin, found)| Some((plugin, script_of(found)?)));
        let entries = scripts.flat_map(|(plugin, script)| {
            let callbacks = script.entries.iter().enumerate();
            callbacks
                .flat_map(move |(callback, entries)| (0..entries.len()).map(move |entry| (plugin, callback, entry)))
        });
        entries.collect::<Vec<_>>().into_iter().rev().collect()
    }
}

fn find(scenario: &mut Scenario, plugin: usize, callback: usize, entry: usize) -> Option<&mut pw_cases::script::Entry> {
    script_of(scenario.plugins.get_mut(plugin)?)?.entries.get_mut(callback)?.get_mut(entry)
}

fn lanes(action: &pw_cases::script::Action) -> usize {
    match &action.act {
        Act::Call { lanes, .. } => lanes.len(),
        Act::Trap => 0,
    }
}

fn empty(lanes: &mut [Lane], lane: usize) {
    resize(lanes, lane, |_| 0);
}

fn halve(lanes: &mut [Lane], lane: usize) {
    resize(lanes, lane, |size| size / 2);
}

fn resize(lanes: &mut [Lane], lane: usize, size: impl Fn(usize) -> usize) {
    if let [Lane::Address(data), Lane::Bits(bits), ..] = &mut lanes[lane..] {
        let size = size(data.0.len());
        data.0.truncate(size);
        *bits = size as u64;
    }
}

fn zero(lanes: &mut [Lane], lane: usize) {
    let sized = lane.checked_sub(1).is_some_and(|before| matches!(lanes[before], Lane::Address(_) | Lane::Iovecs(_)));
    match &mut lanes[lane] {
        Lane::Bits(bits) if !sized => *bits = 0,
        _ => {}
    }
}

/// A step goes with the entries of its callback.
fn remove_step(scenario: &mut Scenario, step: usize) {
    let removed = scenario.steps.remove(step);
    let Some(callback) = caused(&removed) else { return };
    let place = scenario.steps[..step].iter().filter(|step| caused(step) == Some(callback)).count();
    for script in scenario.plugins.iter_mut().filter_map(script_of) {
        if place < script.entries[callback].len() {
            script.entries[callback].remove(place);
        }
    }
}

/// How much there is of a scenario: plugins, steps, actions, bytes.
fn size(scenario: &Scenario) -> (usize, usize) {
    let scripts = scenario.plugins.iter().filter_map(|plugin| match &plugin.guest {
        pw_cases::scenario::Guest::Probe(script) => Some(script),
        pw_cases::scenario::Guest::Module(_) => None,
    });
    let (mut actions, mut bytes) = (0, 0);
    for script in scripts {
        actions += script.actions().count() + script.entries.iter().flatten().filter(|e| e.result.is_some()).count();
        bytes += script.bytes().len() - 4 * callbacks().count();
    }
    (scenario.plugins.len() + scenario.steps.len() + actions, bytes)
}
