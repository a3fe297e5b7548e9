//! How a plugin replaces another: at once, or on a share of its streams first.

use std::sync::Arc;

use super::{Proxy, lifecycle};
use crate::effect::Effect;
use crate::ids::PluginId;
use crate::planted::planted;
use crate::policy::{Canary, Rollout};
use crate::state::{Plugins, State};

/// A canary that has all streams.
const ALL: Canary = Canary { share: 100, faults: 100 };

/// A plugin replaces another, which ends after its last stream.
pub(super) fn succeed(proxy: &mut Proxy, old: PluginId, new: PluginId) {
    let state = proxy.state();
    // The successor of a canary gets its share.
    let of = state.plugins.get_mut(old).and_then(|found| found.canary_of.take());
    if let Some(rollout) = of.and_then(|of| state.plugins.get_mut(of)).and_then(|of| of.rollout.as_mut()) {
        rollout.to = new;
    }
    if let Some(found) = state.plugins.get_mut(new) {
        found.canary_of = of;
    }
    roll_back(proxy, old);
    match proxy.state().plugins.get_mut(old) {
        Some(found) => found.rollout = Some(Rollout::new(new, ALL)),
        None => proxy.state().plugins.succeed(old, new),
    }
    lifecycle::retire(proxy, old);
}

pub(super) fn begin(proxy: &mut Proxy, plugin: PluginId, canary: PluginId, how: Canary) {
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return };
    found.rollout = Some(Rollout::new(canary, how));
    if let Some(found) = state.plugins.get_mut(canary) {
        found.canary_of = Some(plugin);
    }
}

pub(super) fn promote(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let plugin = state.plugins.current(plugin);
    let Some(to) = state.plugins.get(plugin).and_then(|found| found.rollout).map(|rollout| rollout.to) else { return };
    // The canary now replaces the plugin, or is a canary of what the plugin was a canary of.
    let of = state.plugins.get_mut(plugin).and_then(|found| found.canary_of.take());
    if let Some(rollout) = of.and_then(|of| state.plugins.get_mut(of)).and_then(|of| of.rollout.as_mut()) {
        rollout.to = to;
    }
    if let Some(found) = state.plugins.get_mut(to) {
        found.canary_of = of;
        // It acts from now on, even if it was log-only.
        found.log_only = false;
        found.own_vm = false;
    }
    if let Some(source) = proxy.sources.get_mut(&to).filter(|source| source.1.log_only) {
        Arc::make_mut(source).1.log_only = false;
    }
    let state = proxy.state();
    if let Some(rollout) = state.plugins.get_mut(plugin).and_then(|found| found.rollout.as_mut()) {
        rollout.canary = ALL;
        lifecycle::retire(proxy, plugin);
    }
}

/// The canary of a plugin, the canary's canary, and so on get no streams any more.
pub(super) fn roll_back(proxy: &mut Proxy, plugin: PluginId) {
    let mut canaries = Vec::new();
    let mut of = plugin;
    while let Some(found) = proxy.state().plugins.get_mut(of).filter(|found| !found.retired)
        && let Some(rollout) = found.rollout.take()
    {
        canaries.push(rollout.to);
        of = rollout.to;
    }
    for canary in canaries {
        // The plugin gets the streams that are opened for the canary.
        match proxy.state().plugins.get_mut(canary) {
            Some(found) => {
                found.canary_of = None;
                found.rollout = Some(Rollout::new(plugin, ALL));
            }
            None => proxy.state().plugins.succeed(canary, plugin),
        }
        lifecycle::retire(proxy, canary);
    }
}

/// A plugin gets no streams any more: if it was a canary, its share returns to the plugin that it was to replace.
pub(super) fn ended(proxy: &mut Proxy, canary: PluginId) {
    planted!(CanaryBypass => return);
    let state = proxy.state();
    let of = state.plugins.get_mut(canary).and_then(|found| found.canary_of.take());
    if let Some(found) = of.and_then(|of| state.plugins.get_mut(of)) {
        found.rollout = found.rollout.filter(|rollout| rollout.to != canary);
    }
}

/// A plugin has crashed: if it was a canary, it is rolled back after too many crashes.
pub(super) fn crashed(proxy: &mut Proxy, canary: PluginId) {
    let state = proxy.state();
    let of = state.plugins.get(canary).and_then(|found| found.canary_of);
    let Some(plugin) = of else { return };
    let rollout = state.plugins.get_mut(plugin).filter(|found| !found.retired).and_then(|found| found.rollout.as_mut());
    if rollout.is_some_and(Rollout::crashed) {
        state.effect(Effect::RolledBack { plugin, canary });
        roll_back(proxy, plugin);
    }
}

/// Adds to the chain the plugins that get a stream which is opened for a plugin: none if it is retired, also its canary if that is
/// log-only.
pub(super) fn choose(state: &mut State, plugin: PluginId, stream: u64, chain: &mut Vec<PluginId>) {
    let seed = state.config.seed;
    let State { plugins, .. } = state;
    let mut chosen = plugins.current(plugin);
    while let Some(to) = canary_for(plugins, chosen, seed, stream) {
        if plugins.get(to).is_some_and(|to| to.log_only) {
            chain.push(to);
            break;
        }
        chosen = plugins.current(to);
    }
    chain.extend((!plugins.is_retired(chosen)).then_some(chosen));
}

/// The canary that gets a stream of a plugin.
fn canary_for(plugins: &mut Plugins, plugin: PluginId, seed: u64, stream: u64) -> Option<PluginId> {
    let rollout = plugins.get_mut(plugin).filter(|found| !found.retired)?.rollout.as_mut()?;
    rollout.gets(seed, stream).then_some(rollout.to)
}
