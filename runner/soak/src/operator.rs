//! An operator who replaces, tries, retires, removes and ends plugins that misbehave while they do so, as rows.

use pw_host::{Canary, PluginId};

use crate::kinds::KINDS;
use crate::traffic::Traffic;

/// Something that the operator does about the plugin of a place.
pub(super) struct Action {
    pub(super) name: &'static str,
    act: fn(&mut Traffic, usize),
}

pub(super) const ACTIONS: &[Action] = &[
    Action { name: "replaces a plugin", act: replace },
    Action { name: "tries a canary", act: try_canary },
    Action { name: "tries a canary in place of a canary", act: try_canary },
    Action { name: "promotes a canary", act: promote },
    Action { name: "tries a canary of a canary", act: try_canary_of_canary },
    Action { name: "rolls a canary back", act: roll_back },
    Action { name: "retires a plugin", act: |traffic, place| end(traffic, place, |proxy, id| proxy.retire_plugin(id)) },
    Action { name: "removes a plugin", act: |traffic, place| end(traffic, place, |proxy, id| proxy.remove_plugin(id)) },
    Action {
        name: "terminates a plugin",
        act: |traffic, place| end(traffic, place, |proxy, id| proxy.terminate_plugin(id)),
    },
    Action { name: "removes a canary", act: remove_canary },
    Action { name: "calls a foreign function", act: call },
    Action { name: "names plugins that have ended", act: name_former },
    Action { name: "loads a module that is invalid or too large", act: load },
];

/// Former plugins that may take their time to end; older ones are terminated.
const FORMER: usize = 8;
const HALF: Canary = Canary { share: 50, faults: 50 };

/// The next action, on the next place: an action comes back to a place after all others.
pub(super) fn operate(traffic: &mut Traffic) {
    let places = traffic.fleet.bad.len();
    let number = traffic.tally.actions.total() as usize;
    let (action, place) = (number % ACTIONS.len(), number / 3 % places);
    (ACTIONS[action].act)(traffic, place);
    traffic.tally.actions.add(ACTIONS[action].name);
    tidy(traffic);
}

/// Ends former plugins that have not ended, and forgets those that have.
fn tidy(traffic: &mut Traffic) {
    traffic.fleet.prune();
    while traffic.fleet.former.len() > FORMER {
        let Some(oldest) = traffic.fleet.former.pop_front() else { return };
        traffic.event(|proxy| proxy.terminate_plugin(oldest));
        traffic.fleet.former.push_back(oldest);
        traffic.fleet.prune();
        if traffic.fleet.former.back() == Some(&oldest) {
            // It ends with the streams that have a place for it.
            return;
        }
    }
}

fn replace(traffic: &mut Traffic, place: usize) {
    let Some(old) = traffic.fleet.bad[place].plugin else { return add(traffic, place) };
    let kind = next_kind(traffic);
    let new = traffic.launch(place, kind, |proxy, module, config| proxy.replace_plugin(old, module, config));
    if new.is_some() {
        give_up_canary(traffic, place);
        traffic.fleet.former.push_back(old);
        (traffic.fleet.bad[place].plugin, traffic.fleet.bad[place].kind) = (new, kind);
    }
}

/// Starts a plugin of the next kind for a place that has none.
fn add(traffic: &mut Traffic, place: usize) {
    let kind = next_kind(traffic);
    traffic.fleet.bad[place].kind = kind;
    traffic.start(place);
}

fn try_canary(traffic: &mut Traffic, place: usize) {
    let Some(plugin) = traffic.fleet.bad[place].plugin else { return add(traffic, place) };
    let kind = next_kind(traffic);
    let canary = traffic.launch(place, kind, |proxy, module, config| proxy.canary(plugin, module, config, HALF));
    if let Some(canary) = canary {
        give_up_canary(traffic, place);
        traffic.fleet.bad[place].canary = Some((canary, kind));
    }
}

fn try_canary_of_canary(traffic: &mut Traffic, place: usize) {
    try_canary(traffic, place);
    let Some((plugin, _)) = traffic.fleet.bad[place].canary else { return };
    let kind = next_kind(traffic);
    let canary = traffic.launch(place, kind, |proxy, module, config| proxy.canary(plugin, module, config, HALF));
    traffic.fleet.former.extend(canary);
}

fn promote(traffic: &mut Traffic, place: usize) {
    try_canary(traffic, place);
    let Some(plugin) = traffic.fleet.bad[place].plugin else { return };
    traffic.event(|proxy| proxy.promote(plugin));
    if let Some((canary, kind)) = traffic.fleet.bad[place].canary.take() {
        traffic.fleet.former.push_back(plugin);
        (traffic.fleet.bad[place].plugin, traffic.fleet.bad[place].kind) = (Some(canary), kind);
    }
}

fn roll_back(traffic: &mut Traffic, place: usize) {
    let Some(plugin) = traffic.fleet.bad[place].plugin else { return add(traffic, place) };
    traffic.event(|proxy| proxy.roll_back(plugin));
    give_up_canary(traffic, place);
}

/// Ends the plugin of a place, and starts one of the next kind there.
fn end(traffic: &mut Traffic, place: usize, end: fn(&mut pw_host::Proxy, PluginId)) {
    if let Some(plugin) = traffic.fleet.bad[place].plugin.take() {
        traffic.event(|proxy| end(proxy, plugin));
        give_up_canary(traffic, place);
        traffic.fleet.former.push_back(plugin);
    }
    add(traffic, place);
}

fn remove_canary(traffic: &mut Traffic, place: usize) {
    try_canary(traffic, place);
    if let Some((canary, _)) = traffic.fleet.bad[place].canary.take() {
        traffic.event(|proxy| proxy.remove_plugin(canary));
        traffic.fleet.former.push_back(canary);
    }
}

/// Calls a function of each plugin; most of them have none.
fn call(traffic: &mut Traffic, _place: usize) {
    let plugins: Vec<PluginId> = traffic.fleet.bad.iter().filter_map(|bad| bad.plugin).collect();
    for plugin in plugins {
        traffic.event(|proxy| proxy.foreign_function(plugin, 7, &b"arguments"[..]));
    }
}

/// Does to plugins that another one has replaced, or that have ended, what is done to those that are there.
fn name_former(traffic: &mut Traffic, place: usize) {
    let Some(old) = traffic.fleet.bad[place].plugin else { return add(traffic, place) };
    replace(traffic, place);
    let kind = next_kind(traffic);
    let newest = traffic.fleet.bad[place].plugin;
    for former in [old].into_iter().chain(traffic.fleet.former.front().copied()).filter(|id| Some(*id) != newest) {
        traffic.event(|proxy| proxy.promote(former));
        traffic.event(|proxy| proxy.roll_back(former));
        traffic.event(|proxy| proxy.retire_plugin(former));
        traffic.event(|proxy| proxy.remove_plugin(former));
        let canary = traffic.launch(place, kind, |proxy, module, config| proxy.canary(former, module, config, HALF));
        traffic.fleet.former.extend(canary);
        traffic.event(|proxy| proxy.terminate_plugin(former));
    }
}

fn load(traffic: &mut Traffic, _place: usize) {
    let number = traffic.tally.actions.total() as usize / ACTIONS.len();
    let loaded = traffic.fleet.load_bomb(number);
    traffic.tally.loaded.extend(loaded);
}

fn give_up_canary(traffic: &mut Traffic, place: usize) {
    if let Some((canary, _)) = traffic.fleet.bad[place].canary.take() {
        traffic.fleet.former.push_back(canary);
    }
}

/// Every other time the kind that has had the fewest requests, so that each has enough of them soon; otherwise any.
fn next_kind(traffic: &mut Traffic) -> usize {
    if traffic.draw(2) == 0 {
        return traffic.draw(KINDS.len());
    }
    let kinds = traffic.tally.kinds.iter().enumerate();
    kinds.min_by_key(|(_, kind)| kind.requests.min(kind.callbacks) + kind.refused).map_or(0, |(number, _)| number)
}
