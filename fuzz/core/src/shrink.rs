//! Makes a scenario smaller as long as it shows the same: plugins, steps, calls, settings, values.

use pw_abi::Kind;
use pw_cases::data::Data;
use pw_cases::lower::out_lanes;
use pw_cases::scenario::{Failure, Plugin, Scenario, Step};
use pw_cases::script::{Act, Action, Allocation, Entry, Lane};

use crate::canonical::{begins, canonical, caused, script_of};

/// What may become smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Everything.
    All,
    /// What a host that keeps its plugin and its first step can be sent: later steps, calls, results.
    Sent,
}

/// The smallest scenario found of which `shows` holds, as it does of the one given. At most `tries` are tried; an error ends it.
pub fn shrink<E>(
    scenario: &Scenario,
    reduce: Reduce,
    mut tries: u32,
    mut shows: impl FnMut(&Scenario) -> Result<bool, E>,
) -> Result<Scenario, E> {
    let mut best = scenario.clone();
    loop {
        let mut smaller = false;
        for change in changes(&best, reduce) {
            if tries == 0 {
                return Ok(best);
            }
            let mut candidate = best.clone();
            if apply(&mut candidate, change).is_none() {
                continue;
            }
            canonical(&mut candidate);
            tries -= 1;
            if shows(&candidate)? {
                best = candidate;
                smaller = true;
            }
        }
        if !smaller {
            return Ok(best);
        }
    }
}

/// One way to make a scenario smaller.
#[derive(Clone, Copy)]
enum Change {
    /// Without the plugin.
    Plugin(usize),
    /// Without the step.
    Step(usize),
    /// With the usual answer to an open question, by its place in the map.
    Choice(usize),
    /// Without anything to do in the n-th call of a callback.
    Entry(Place),
    /// Without its result.
    Result(Place),
    /// Without the n-th action of it.
    Action(Place, usize),
    /// With what a plugin has if nothing is said of it.
    Setting(usize, fn(&mut Plugin) -> bool),
    /// With places of the probe's own for what an action returns.
    Places(Place, usize),
    /// With a smaller value at a lane of an action.
    Value(Place, usize, usize, fn(&mut [Lane], usize) -> bool),
}

/// A plugin, one of its callbacks, and which call of it.
#[derive(Clone, Copy)]
struct Place {
    plugin: usize,
    callback: usize,
    entry: usize,
}

/// From the last to the first, so that what is taken away moves nothing that is yet to come; the large ones first.
fn changes(scenario: &Scenario, reduce: Reduce) -> Vec<Change> {
    let all = reduce == Reduce::All;
    let plugins = scenario.plugins.len();
    let places: Vec<(Place, &Entry)> = places(scenario).filter(|(place, _)| all || place.plugin == 0).collect();
    let mut changes = Vec::new();
    if all {
        changes.extend((0..plugins).rev().map(Change::Plugin));
        changes.extend((0..scenario.choices.len()).rev().map(Change::Choice));
    }
    changes.extend((usize::from(!all)..scenario.steps.len()).rev().map(Change::Step));
    changes.extend(places.iter().rev().map(|(place, _)| Change::Entry(*place)));
    for (place, entry) in places.iter().rev() {
        changes.extend((0..entry.actions.len()).rev().map(|action| Change::Action(*place, action)));
        changes.push(Change::Result(*place));
    }
    if all {
        let settings = |plugin| SETTINGS.iter().map(move |setting| Change::Setting(plugin, *setting));
        changes.extend((0..plugins).flat_map(settings));
        for (place, entry) in places.iter().rev() {
            changes.extend((0..entry.actions.len()).rev().map(|action| Change::Places(*place, action)));
        }
        for (place, entry) in places.iter().rev() {
            for (action, lane) in lanes(entry) {
                changes.extend(VALUES.iter().map(|smaller| Change::Value(*place, action, lane, *smaller)));
            }
        }
    }
    changes
}

fn places(scenario: &Scenario) -> impl Iterator<Item = (Place, &Entry)> {
    let scripts =
        scenario.plugins.iter().enumerate().filter_map(|(plugin, found)| Some((plugin, found.guest.script()?)));
    scripts.flat_map(|(plugin, script)| {
        script.entries.iter().enumerate().flat_map(move |(callback, entries)| {
            let place = move |(entry, found)| (Place { plugin, callback, entry }, found);
            entries.iter().enumerate().map(place)
        })
    })
}

fn lanes(entry: &Entry) -> impl Iterator<Item = (usize, usize)> {
    let count = |action: &Action| match &action.act {
        Act::Call { lanes, .. } => lanes.len(),
        Act::Trap => 0,
    };
    entry.actions.iter().map(count).enumerate().flat_map(|(action, count)| (0..count).map(move |lane| (action, lane)))
}

/// Makes the change; none if there is nothing to change.
fn apply(scenario: &mut Scenario, change: Change) -> Option<()> {
    let changed = match change {
        Change::Plugin(plugin) => {
            let named = |name: &str| {
                scenario.steps.iter().map(Step::plugins).any(|(of, by)| of == Some(name) || by == Some(name))
            };
            let found = scenario.plugins.get(plugin);
            // A step without its plugin is not a case.
            let changed = scenario.plugins.len() > 1 && found.is_some_and(|found| !named(&found.settings.name));
            if changed {
                scenario.plugins.remove(plugin);
            }
            changed
        }
        Change::Step(step) => return remove_step(scenario, step),
        Change::Choice(place) => {
            let name = scenario.choices.keys().nth(place)?.clone();
            scenario.choices.remove(&name).is_some()
        }
        Change::Entry(place) => {
            let entry = entry(scenario, place)?;
            // Each action is tried alone.
            let changed = entry.actions.len() + usize::from(entry.result.is_some()) > 1;
            *entry = Entry::default();
            changed
        }
        Change::Result(place) => entry(scenario, place)?.result.take().is_some(),
        Change::Action(place, action) => {
            let actions = &mut entry(scenario, place)?.actions;
            let changed = action < actions.len();
            if changed {
                actions.remove(action);
            }
            changed
        }
        Change::Setting(plugin, set) => set(scenario.plugins.get_mut(plugin)?),
        Change::Places(place, action) => own_places(&mut entry(scenario, place)?.actions.get_mut(action)?.act),
        Change::Value(place, action, lane, smaller) => {
            match &mut entry(scenario, place)?.actions.get_mut(action)?.act {
                Act::Call { lanes, .. } => smaller(lanes, lane),
                Act::Trap => false,
            }
        }
    };
    changed.then_some(())
}

fn entry(scenario: &mut Scenario, place: Place) -> Option<&mut Entry> {
    script_of(scenario.plugins.get_mut(place.plugin)?)?.entries.get_mut(place.callback)?.get_mut(place.entry)
}

/// A step goes with the entries of its callback.
fn remove_step(scenario: &mut Scenario, step: usize) -> Option<()> {
    if let Some(Step::RequestHeaders { stream, .. } | Step::Connect { stream }) = scenario.steps.get(step).cloned() {
        // Nothing can come on a stream that is not opened.
        let of_it = |later: &usize| scenario.steps[*later].stream() == Some(stream);
        let later: Vec<usize> = (step + 1..scenario.steps.len()).filter(of_it).collect();
        later.into_iter().rev().for_each(|later| remove_one(scenario, later));
    }
    (step < scenario.steps.len()).then(|| remove_one(scenario, step))
}

fn remove_one(scenario: &mut Scenario, step: usize) {
    let Scenario { plugins, steps, .. } = scenario;
    if let Some(callback) = caused(&steps[step]) {
        for plugin in plugins {
            let begins = begins(&plugin.settings, steps);
            let Some(script) = script_of(plugin).filter(|_| begins <= step) else { continue };
            let place = steps[begins..step].iter().filter(|step| caused(step) == Some(callback)).count();
            if place < script.entries[callback].len() {
                script.entries[callback].remove(place);
            }
        }
    }
    steps.remove(step);
}

/// Gives what a call returns the places that it usually has, and says whether it had others.
fn own_places(act: &mut Act) -> bool {
    let Act::Call { function, lanes, outs } = act else { return false };
    if function.params.iter().any(|param| param.kind == Kind::Writes) {
        return false;
    }
    let (mut own, mut own_outs, mut at) = (Vec::with_capacity(lanes.len()), Vec::new(), 0);
    for param in function.params {
        let given = lanes.get(at..at + param.lanes.len()).unwrap_or_default();
        at += param.lanes.len();
        match param.out {
            true => out_lanes(param, &vec![None; param.lanes.len()], &mut own, &mut own_outs),
            false => own.extend_from_slice(given),
        }
    }
    for out in &mut own_outs {
        out.save = outs.iter().find(|known| known.name == out.name).and_then(|known| known.save);
    }
    let changed = *lanes != own;
    if changed {
        (*lanes, *outs) = (own, own_outs);
    }
    changed
}

/// Sets what differs, and says whether it did.
fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let differs = *place != value;
    *place = value;
    differs
}

const SETTINGS: [fn(&mut Plugin) -> bool; 9] = [
    |plugin| set(&mut plugin.settings.environment, Default::default()),
    |plugin| set(&mut plugin.settings.limits, Default::default()),
    |plugin| set(&mut plugin.settings.capabilities, None),
    |plugin| set(&mut plugin.settings.failure, Failure::Closed),
    |plugin| set(&mut plugin.settings.background, false),
    |plugin| set(&mut plugin.settings.vm_id, String::new()),
    |plugin| set(&mut plugin.settings.configuration, Data::default()),
    |plugin| script_of(plugin).is_some_and(|script| set(&mut script.allocation, Allocation::Bump)),
    |plugin| {
        script_of(plugin).is_some_and(|script| {
            let without = set(&mut script.without, Default::default());
            set(&mut script.allocators, vec!["proxy_on_memory_allocate"]) || without
        })
    },
];

/// Shorter bytes and smaller numbers.
const VALUES: [fn(&mut [Lane], usize) -> bool; 3] =
    [|lanes, lane| resize(lanes, lane, |_| 0), |lanes, lane| resize(lanes, lane, |size| size / 2), zero];

fn resize(lanes: &mut [Lane], lane: usize, size: impl Fn(usize) -> usize) -> bool {
    let Some([Lane::Address(data), Lane::Bits(bits), ..]) = lanes.get_mut(lane..) else { return false };
    let size = size(data.0.len());
    let changed = size < data.0.len();
    data.0.truncate(size);
    *bits = size as u64;
    changed
}

/// A number after an address is its size, and stays.
fn zero(lanes: &mut [Lane], lane: usize) -> bool {
    let before = lane.checked_sub(1).and_then(|before| lanes.get(before));
    let sized = matches!(before, Some(Lane::Address(_) | Lane::Iovecs(_)));
    match lanes.get_mut(lane) {
        Some(Lane::Bits(bits)) if !sized => set(bits, 0),
        _ => false,
    }
}
