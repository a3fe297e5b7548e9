//! Plugins and contexts: how they begin, end and fail.

use super::{PluginConfig, PluginId, Proxy, Slot, StartError, streams};
use crate::effect::Effect;
use crate::guest::{Guest, On};
use crate::module::Module;
use crate::policy::Revival;
use crate::rules::Rules;
use crate::state::{Context, Plugin, ROOT};

pub(super) fn start(proxy: &mut Proxy, module: &Module, config: PluginConfig) -> Result<PluginId, StartError> {
    let live = proxy.guests.iter().filter(|slot| slot.guest.is_some() || slot.config.failure.reload.is_some()).count();
    if live >= proxy.state().config.plugins {
        return Err(StartError::TooMany);
    }
    let id = PluginId(proxy.guests.len());
    proxy.state().plugins.push(plugin(module, &config));
    proxy.guests.push(Slot { guest: None, module: module.clone(), config });
    boot(proxy, id)?;
    proxy.settle();
    Ok(id)
}

/// Starts a plugin that is in the books.
fn boot(proxy: &mut Proxy, id: PluginId) -> Result<(), StartError> {
    let slot = &mut proxy.guests[id.0];
    let (vm_size, size) = (slot.config.vm_configuration.len() as u32, slot.config.configuration.len() as u32);
    if let Some(state) = &mut proxy.state {
        state.active.plugin = id;
    }
    match Guest::start(&slot.module, &slot.config, &mut proxy.state) {
        Ok(guest) => slot.guest = Some(guest),
        Err(trap) => return refuse(proxy, id, StartError::Trap(trap.reason)),
    }
    create(proxy, id, ROOT, None);
    let steps = [(On::VmStart, vm_size, StartError::VmStart), (On::Configure, size, StartError::Configure)];
    for (on, size, refusal) in steps {
        let accepted = proxy.call(id, on, ROOT, [ROOT, size, 0, 0, 0]);
        if proxy.guests[id.0].guest.is_none() {
            let reason = take_fault(proxy, id);
            return refuse(proxy, id, StartError::Trap(reason));
        }
        if accepted == Some(Some(0)) {
            return refuse(proxy, id, refusal);
        }
    }
    let now = proxy.state().uptime;
    proxy.state().plugins[id.0].revival.started(now);
    Ok(())
}

/// Starts a plugin again that has faulted. Ids of contexts go on from where they were.
pub(super) fn restart(proxy: &mut Proxy, id: PluginId) {
    let Slot { module, config, .. } = &proxy.guests[id.0];
    let fresh = plugin(module, config);
    let old = &mut proxy.state().plugins[id.0];
    let (next_context, mut revival) = (old.next_context, old.revival);
    revival.due = None;
    *old = Plugin { next_context, revival, ..fresh };
    match boot(proxy, id) {
        Ok(()) => proxy.state().effects.push_back(Effect::Restarted { plugin: id }),
        Err(error) => {
            proxy.state().effects.push_back(Effect::Fault { plugin: id, reason: error.to_string() });
            come_back(proxy, id);
        }
    }
    proxy.settle();
}

/// Says when a plugin that has faulted is to be started again, if ever.
fn come_back(proxy: &mut Proxy, id: PluginId) {
    if let Some(reload) = proxy.guests[id.0].config.failure.reload {
        let state = proxy.state();
        let now = state.uptime;
        state.plugins[id.0].revival.faulted(reload, now, &mut state.random);
    }
}

fn plugin(module: &Module, config: &PluginConfig) -> Plugin {
    let variable = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
    Plugin {
        name: config.name.clone(),
        root_id: config.root_id.clone(),
        vm_id: config.vm_id.clone(),
        configuration: config.configuration.clone().into(),
        vm_configuration: config.vm_configuration.clone().into(),
        environment: config.environment.iter().map(variable).collect(),
        revival: Revival::default(),
        retired: false,
        limits: config.limits,
        rules: Rules::of(module.version),
        contexts: [(ROOT, Context { stream: None, pending: false })].into(),
        next_context: ROOT + 1,
        next_call: 1,
        tick: None,
    }
}

/// What a plugin asked for before its start failed is forgotten.
fn refuse(proxy: &mut Proxy, plugin: PluginId, why: StartError) -> Result<(), StartError> {
    proxy.guests[plugin.0].guest = None;
    proxy.state().plugins[plugin.0].revival.due = None;
    end(proxy, plugin);
    proxy.settle();
    Err(why)
}

/// A fault during the start is told by the start's failure, not by an effect.
fn take_fault(proxy: &mut Proxy, plugin: PluginId) -> String {
    let effects = &mut proxy.state().effects;
    let is_fault = |effect: &Effect| matches!(effect, Effect::Fault { plugin: faulted, .. } if *faulted == plugin);
    match effects.iter().position(is_fault).and_then(|index| effects.remove(index)) {
        Some(Effect::Fault { reason, .. }) => reason,
        _ => String::new(),
    }
}

/// Tells a plugin of a context that already is in the books.
pub(super) fn create(proxy: &mut Proxy, plugin: PluginId, context: u32, parent: Option<u32>) {
    proxy.call(plugin, On::ContextCreate, context, [context, parent.unwrap_or(0), 0, 0, 0]);
}

/// Asks whether a context may go, and lets it go unless the plugin still needs it.
pub(super) fn done(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    if proxy.call(plugin, On::Done, context, [context, 0, 0, 0, 0]) == Some(Some(0)) {
        let found = &mut proxy.state().plugins[plugin.0];
        let pending = found.contexts.values().filter(|context| context.pending).count();
        if pending < found.limits.pending {
            found.contexts.entry(context).and_modify(|context| context.pending = true);
            return;
        }
    }
    finalise(proxy, plugin, context);
}

/// The context's last two callbacks.
pub(super) fn finalise(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    proxy.call(plugin, On::Log, context, [context, 0, 0, 0, 0]);
    proxy.call(plugin, On::Delete, context, [context, 0, 0, 0, 0]);
    let gone = proxy.state().plugins[plugin.0].contexts.remove(&context);
    match gone.map(|context| context.stream) {
        Some(Some((stream, _))) => {
            streams::forget(proxy, stream);
            end_if_retired(proxy, plugin);
        }
        Some(None) => {
            proxy.guests[plugin.0].guest = None;
            end(proxy, plugin);
        }
        None => {}
    }
}

/// The plugin's VM is not called again; its calls and its tick are forgotten.
pub(super) fn fault(proxy: &mut Proxy, plugin: PluginId, reason: String) {
    proxy.guests[plugin.0].guest = None;
    proxy.state().effects.push_back(Effect::Fault { plugin, reason });
    end(proxy, plugin);
    if !proxy.state().plugins[plugin.0].retired {
        come_back(proxy, plugin);
    }
}

/// Lets a plugin end when its last stream has.
pub(super) fn retire(proxy: &mut Proxy, plugin: PluginId) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin.0) {
        found.retired = true;
        found.revival.due = None;
        end_if_retired(proxy, plugin);
    }
}

fn end_if_retired(proxy: &mut Proxy, plugin: PluginId) {
    let found = &proxy.state().plugins[plugin.0];
    let alone = found.contexts.len() == 1 && found.contexts.get(&ROOT).is_some_and(|root| !root.pending);
    if found.retired && alone && proxy.guests[plugin.0].guest.is_some() {
        done(proxy, plugin, ROOT);
    }
}

/// Removes a plugin: its streams first, then its own context. One that still is in use is asked once.
pub(super) fn remove(proxy: &mut Proxy, plugin: PluginId) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin.0) {
        found.revival.due = None;
    }
    let is_live = proxy.guests.get(plugin.0).is_some_and(|slot| slot.guest.is_some());
    if !is_live || proxy.state().plugins[plugin.0].contexts.get(&ROOT).is_none_or(|root| root.pending) {
        return;
    }
    for stream in streams::streams_of(proxy, plugin) {
        streams::cut(proxy, stream, true);
    }
    proxy.settle();
    done(proxy, plugin, ROOT);
}

fn end(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    state.plugins[plugin.0].tick = None;
    state.queues.iter_mut().for_each(|queue| queue.readers.retain(|reader| *reader != plugin));
    let calls: Vec<_> = state.http_calls.iter().filter(|(_, call)| call.plugin == plugin).map(|(id, _)| *id).collect();
    for call in calls {
        state.http_calls.remove(&call);
        state.effects.push_back(Effect::CancelHttpCall { call });
    }
    let calls: Vec<_> = state.grpc_calls.iter().filter(|(_, call)| call.plugin == plugin).map(|(id, _)| *id).collect();
    for call in calls {
        state.grpc_calls.remove(&call);
        state.effects.push_back(Effect::CancelGrpcCall { call });
    }
    streams::abandon(proxy, plugin);
    let contexts = &mut proxy.state().plugins[plugin.0].contexts;
    let gone: Vec<_> = std::mem::take(contexts).into_values().filter_map(|context| context.stream).collect();
    for (stream, _) in gone {
        streams::forget(proxy, stream);
    }
}
