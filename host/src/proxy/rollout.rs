//! How a plugin replaces another, at once or on a share of its streams first, and how the other retires.

use std::sync::Arc;

use bytes::Bytes;

use super::{Proxy, requests, shadow};
use crate::effect::Effect;
use crate::ids::PluginId;
use crate::planted::planted;
use crate::policy::{Canary, Rollout};
use crate::state::{Plugins, State, Timer, Work};

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
    retire(proxy, old);
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
        found.log_only &= crate::planted::has(crate::planted::Planted::PromotedStaysLogOnly);
        found.own_vm = false;
    }
    if let Some(source) = proxy.sources.get_mut(&to).filter(|source| source.1.log_only) {
        Arc::make_mut(source).1.log_only = false;
    }
    let state = proxy.state();
    if let Some(rollout) = state.plugins.get_mut(plugin).and_then(|found| found.rollout.as_mut()) {
        rollout.canary = ALL;
        retire(proxy, plugin);
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
        retire(proxy, canary);
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

/// Ends a plugin after its last stream.
pub(super) fn retire(proxy: &mut Proxy, plugin: PluginId) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin) {
        found.retired = true;
        ended(proxy, plugin);
        cancel_restart(proxy, plugin);
        shadow::end_lone_copies(proxy, plugin);
        proxy.state().agenda.last(Work::EndIfUnused { plugin });
    }
}

/// A plugin that has crashed is not restarted.
pub(super) fn cancel_restart(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let due = state.plugins.get_mut(plugin).and_then(|found| found.revival.due.take());
    state.timers.unset(due, Timer::Restart(plugin));
    if !proxy.runs(plugin) {
        drop_source(proxy, plugin);
    }
}

/// A plugin will not be started again: its module and configuration are dropped.
pub(super) fn drop_source(proxy: &mut Proxy, plugin: PluginId) {
    proxy.sources.remove(&plugin);
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin).filter(|found| !found.source_dropped) else { return };
    found.source_dropped = true;
    // The entry that ends its streams and calls may still wait.
    requests::drop_all(proxy, plugin);
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return };
    let due = found.revival.due.take();
    (found.configuration, found.vm_configuration) = (Bytes::new(), Bytes::new());
    found.environment = Vec::new();
    let realm = found.realm;
    state.timers.unset(due, Timer::Restart(plugin));
    state.leave_realm(realm);
    ended(proxy, plugin);
    proxy.state().plugins.free(plugin);
}
