//! A scenario made smaller for as long as it shows the same: steps, calls, answers.

use pw_cases::scenario::{Guest, Scenario};

use crate::canonical::{canonical, caused, script_of};

/// The smallest scenario found of which `shows` holds, as it does of the one given. At most so many are tried; an error ends
/// it.
pub fn shrink<E>(
    scenario: &Scenario,
    mut tries: u32,
    mut shows: impl FnMut(&Scenario) -> Result<bool, E>,
) -> Result<Scenario, E> {
    let mut best = scenario.clone();
    loop {
        let mut smaller = false;
        for change in changes(&best) {
            if tries == 0 {
                return Ok(best);
            }
            let mut candidate = best.clone();
            if !apply(&mut candidate, change) {
                continue;
            }
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
    /// Without the step.
    Step(usize),
    /// Without anything to do in the n-th call of a callback.
    Entry(usize, usize),
    /// Without the n-th action of it.
    Action(usize, usize, usize),
    /// Without a result of its own.
    Result(usize, usize),
}

/// From the last to the first, so that what is taken away moves nothing that is yet to come; the large ones first.
fn changes(scenario: &Scenario) -> Vec<Change> {
    let mut changes: Vec<Change> = (1..scenario.steps.len()).rev().map(Change::Step).collect();
    let Some(Guest::Probe(script)) = scenario.plugins.first().map(|plugin| &plugin.guest) else { return changes };
    let entries = script.entries.iter().enumerate().flat_map(|(callback, entries)| {
        entries.iter().enumerate().map(move |(place, entry)| (callback, place, entry.actions.len()))
    });
    let entries: Vec<(usize, usize, usize)> = entries.rev().collect();
    changes.extend(entries.iter().map(|(callback, place, _)| Change::Entry(*callback, *place)));
    for (callback, place, count) in entries {
        changes.extend((0..count).rev().map(|action| Change::Action(callback, place, action)));
        changes.push(Change::Result(callback, place));
    }
    changes
}

/// Makes the change; whether there was something to change.
fn apply(scenario: &mut Scenario, change: Change) -> bool {
    let changed = match change {
        Change::Step(step) => remove_step(scenario, step),
        Change::Entry(callback, place) => entry(scenario, callback, place).is_some_and(|entry| {
            let some = entry.actions.len() > 1;
            entry.actions.clear();
            some
        }),
        Change::Action(callback, place, action) => entry(scenario, callback, place)
            .filter(|entry| action < entry.actions.len())
            .is_some_and(|entry| entry.actions.remove(action).id < u32::MAX),
        Change::Result(callback, place) => {
            entry(scenario, callback, place).is_some_and(|entry| entry.result.take().is_some())
        }
    };
    canonical(scenario);
    changed
}

fn entry(scenario: &mut Scenario, callback: usize, place: usize) -> Option<&mut pw_cases::script::Entry> {
    script_of(scenario.plugins.first_mut()?)?.entries.get_mut(callback)?.get_mut(place)
}

/// A step goes with the entries of its callback.
fn remove_step(scenario: &mut Scenario, step: usize) -> bool {
    if step >= scenario.steps.len() {
        return false;
    }
    let removed = scenario.steps.remove(step);
    if let Some(callback) = caused(&removed) {
        let place = scenario.steps[..step].iter().filter(|step| caused(step) == Some(callback)).count();
        if let Some(entries) =
            scenario.plugins.first_mut().and_then(script_of).map(|script| &mut script.entries[callback])
            && place < entries.len()
        {
            entries.remove(place);
        }
    }
    true
}
