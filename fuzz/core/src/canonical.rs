//! The one form that a scenario has both as generated and as read back from its case file.
//!
//! A case file says what the guest does step by step, and numbers calls and kept values in that order. A step's own
//! callback has an entry for each such step; of any other callback the entries are written at the start and then one per
//! step, as it is the n-th call that the n-th entry is for.

use std::collections::BTreeSet;

use pw_cases::language;
use pw_cases::scenario::{Guest, Plugin, PluginSettings, Scenario, Step};
use pw_cases::script::{self, Act, Entry, Lane, REGISTERS, STREAM_CONTEXT, Script};

/// Where an entry is: plugin, callback, place in the queue.
pub(crate) type Place = (usize, usize, usize);

/// The callback by its number whose entries the step itself brings, in every script.
pub(crate) fn caused(step: &Step) -> Option<usize> {
    language::of(step).callback.filter(|_| !matches!(step, Step::Advance { .. })).and_then(script::callback_number)
}

/// How many steps are over before a plugin is started: none, or those up to the one that puts a standby plugin in another's place.
pub(crate) fn begins(plugin: &PluginSettings, steps: &[Step]) -> usize {
    let starts = |step: &Step| step.plugins().1 == Some(&*plugin.name);
    match plugin.standby {
        false => 0,
        true => steps.iter().position(starts).map_or(steps.len(), |step| step + 1),
    }
}

/// Brings a scenario to that form.
pub fn canonical(scenario: &mut Scenario) {
    number_streams(&mut scenario.steps);
    let mut counts = vec![0; script::callbacks().count()];
    scenario.steps.iter().filter_map(caused).for_each(|callback| counts[callback] += 1);
    let windows = scenario.steps.len() + 1;
    let Scenario { plugins, steps, .. } = scenario;
    for plugin in plugins {
        let later = &steps[begins(&plugin.settings, steps)..];
        let Some(script) = plugin.guest.script_mut() else { continue };
        for (callback, (entries, count)) in script.entries.iter_mut().zip(&counts).enumerate() {
            if *count > 0 {
                let count = later.iter().filter(|step| caused(step) == Some(callback)).count();
                entries.resize(count, Entry::default());
            } else {
                entries.retain(|entry| !entry.actions.is_empty() || entry.result.is_some());
                entries.truncate(windows);
            }
        }
    }
    let mut order: Vec<Place> = Vec::new();
    each_place(scenario, |_, place| order.push(place));
    number(scenario, &order);
}

/// The entries of the start and of each step, in the order of a case file.
pub(crate) fn places(scenario: &Scenario) -> Vec<Vec<Place>> {
    let mut windows = vec![Vec::new(); scenario.steps.len() + 1];
    each_place(scenario, |window, place| windows[window].push(place));
    windows
}

/// The same with the number of the window each is in: the start's is 0.
fn each_place(scenario: &Scenario, mut visit: impl FnMut(usize, Place)) {
    let brought: Vec<Option<usize>> = scenario.steps.iter().map(caused).collect();
    let begins: Vec<usize> = scenario.plugins.iter().map(|plugin| begins(&plugin.settings, &scenario.steps)).collect();
    let mut own_only = vec![false; script::callbacks().count()];
    brought.iter().flatten().for_each(|callback| own_only[*callback] = true);
    for window in 0..=scenario.steps.len() {
        let own = window.checked_sub(1).and_then(|step| Some((step, brought[step]?)));
        for (plugin, found) in scenario.plugins.iter().enumerate() {
            let Guest::Probe(script) = &found.guest else { continue };
            if let Some((step, callback)) = own.filter(|(step, _)| *step >= begins[plugin]) {
                let before = brought[begins[plugin]..step].iter().filter(|brought| **brought == Some(callback));
                visit(window, (plugin, callback, before.count()));
            }
            let others = script.entries.iter().enumerate();
            let others = others.filter(|(callback, entries)| window < entries.len() && !own_only[*callback]);
            others.for_each(|(callback, _)| visit(window, (plugin, callback, window)));
        }
    }
}

/// Numbers streams in the order in which steps name them.
fn number_streams(steps: &mut [Step]) {
    let mut known = Vec::new();
    for stream in steps.iter_mut().filter_map(Step::stream_mut) {
        let place = known.iter().position(|known| known == stream).unwrap_or_else(|| {
            known.push(*stream);
            known.len() - 1
        });
        *stream = place as u32;
    }
}

/// Numbers actions and registers in that order. A register that is read before the plugin has kept anything in it is 0.
fn number(scenario: &mut Scenario, order: &[Place]) {
    let mut id = 0;
    let mut registers = [None; REGISTERS as usize];
    let mut kept: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut next = STREAM_CONTEXT + 1;
    for (plugin, callback, place) in order {
        let Some(script) = script_of(&mut scenario.plugins[*plugin]) else { continue };
        for action in &mut script.entries[*callback][*place].actions {
            action.id = id;
            id += 1;
            let Act::Call { lanes, outs, .. } = &mut action.act else { continue };
            for lane in lanes {
                if let Lane::Register(register) = lane
                    && *register > STREAM_CONTEXT
                {
                    let number = registers.get(*register as usize).copied().flatten();
                    let number = number.filter(|number| kept.contains(&(*plugin, *number)));
                    *lane = number.map_or(Lane::Bits(0), Lane::Register);
                }
            }
            for out in outs {
                let register = out.save.and_then(|register| registers.get_mut(register as usize));
                out.save = register.map(|register| {
                    *register.get_or_insert_with(|| {
                        next += 1;
                        next - 1
                    })
                });
                out.save = out.save.filter(|number| *number < REGISTERS);
                kept.extend(out.save.map(|number| (*plugin, number)));
            }
        }
    }
}

pub(crate) fn script_of(plugin: &mut Plugin) -> Option<&mut Script> {
    plugin.guest.script_mut()
}
