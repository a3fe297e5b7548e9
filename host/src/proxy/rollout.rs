//! How a plugin takes another's place: at once, or on a share of its streams first.

use super::{PluginId, Proxy, lifecycle};
use crate::effect::Effect;
use crate::policy::{Canary, Rollout};
use crate::state::State;

/// A canary that has all streams.
const ALL: Canary = Canary { share: 100, faults: 100 };

/// A plugin takes the place of another, which ends when its last stream has.
pub(super) fn succeed(proxy: &mut Proxy, old: PluginId, new: PluginId) {
    roll_back(proxy, old);
    begin(proxy, old, new, ALL);
    lifecycle::retire(proxy, old);
}

pub(super) fn begin(proxy: &mut Proxy, plugin: PluginId, canary: PluginId, how: Canary) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin.0) {
        found.rollout = Some(Rollout::new(canary, how));
    }
}

pub(super) fn promote(proxy: &mut Proxy, plugin: PluginId) {
    let plugin = current(proxy, plugin);
    let found = proxy.state().plugins.get_mut(plugin.0);
    if let Some(rollout) = found.and_then(|found| found.rollout.as_mut()) {
        rollout.canary = ALL;
        lifecycle::retire(proxy, plugin);
    }
}

pub(super) fn roll_back(proxy: &mut Proxy, plugin: PluginId) {
    let found = proxy.state().plugins.get_mut(plugin.0).filter(|found| !found.retired);
    if let Some(rollout) = found.and_then(|found| found.rollout.take()) {
        lifecycle::retire(proxy, rollout.to);
    }
}

/// A plugin has faulted: if it was a canary, that may have been once too often.
pub(super) fn faulted(proxy: &mut Proxy, canary: PluginId) {
    let state = proxy.state();
    let mut plugins = state.plugins.iter_mut().enumerate().filter(|(_, plugin)| !plugin.retired);
    let of = plugins.find_map(|(index, plugin)| {
        plugin
            .rollout
            .as_mut()
            .filter(|rollout| rollout.to == canary)
            .map(|rollout| (PluginId(index), rollout.faulted()))
    });
    if let Some((plugin, true)) = of {
        state.effects.push_back(Effect::RolledBack { plugin, canary });
        roll_back(proxy, plugin);
    }
}

/// Who has a plugin's place by now.
pub(super) fn current(proxy: &mut Proxy, mut plugin: PluginId) -> PluginId {
    while let Some(found) = proxy.state().plugins.get(plugin.0).filter(|found| found.retired)
        && let Some(rollout) = found.rollout
    {
        plugin = rollout.to;
    }
    plugin
}

/// Who gets a stream that is opened for a plugin: nobody if it is retired, and a log-only canary besides it.
pub(super) fn choose(state: &mut State, plugin: PluginId, stream: u64, chain: &mut Vec<PluginId>) {
    let seed = state.config.seed;
    let mut chosen = plugin;
    while let Some(rollout) = &mut state.plugins[chosen.0].rollout
        && rollout.takes(seed, stream)
    {
        let to = rollout.to;
        if state.plugins[to.0].log_only && !state.plugins[chosen.0].retired {
            chain.push(to);
            break;
        }
        chosen = to;
    }
    chain.extend((!state.plugins[chosen.0].retired).then_some(chosen));
}
