//! Plugins and contexts: how they begin, end and fail.

use super::{PluginConfig, PluginId, Proxy, StartError, streams};
use crate::effect::Effect;
use crate::guest::{Guest, On};
use crate::module::Module;
use crate::rules::Rules;
use crate::state::{Context, Plugin, ROOT};

pub(super) fn start(proxy: &mut Proxy, module: &Module, config: PluginConfig) -> Result<PluginId, StartError> {
    let id = PluginId(proxy.guests.len());
    let (vm_size, size) = (config.vm_configuration.len() as u32, config.configuration.len() as u32);
    let state = proxy.state();
    state.plugins.push(plugin(module, config));
    state.active.plugin = id;
    proxy.guests.push(None);
    match Guest::start(module, &mut proxy.state) {
        Ok(guest) => proxy.guests[id.0] = Some(guest),
        Err(trap) => return refuse(proxy, id, StartError::Trap(trap.reason)),
    }
    create(proxy, id, ROOT, None);
    let steps = [(On::VmStart, vm_size, StartError::VmStart), (On::Configure, size, StartError::Configure)];
    for (on, size, refusal) in steps {
        let accepted = proxy.call(id, on, ROOT, [ROOT, size, 0, 0, 0]);
        if proxy.guests[id.0].is_none() {
            let reason = take_fault(proxy, id);
            return refuse(proxy, id, StartError::Trap(reason));
        }
        if accepted == Some(Some(0)) {
            return refuse(proxy, id, refusal);
        }
    }
    proxy.settle();
    Ok(id)
}

fn plugin(module: &Module, config: PluginConfig) -> Plugin {
    let variable = |(name, value): (String, String)| format!("{name}={value}\0").into_bytes();
    Plugin {
        name: config.name,
        root_id: config.root_id,
        vm_id: config.vm_id,
        configuration: config.configuration.into(),
        vm_configuration: config.vm_configuration.into(),
        environment: config.environment.into_iter().map(variable).collect(),
        rules: Rules::of(module.version),
        contexts: [(ROOT, Context { stream: None, pending: false })].into(),
        next_context: ROOT + 1,
        next_call: 1,
        tick: None,
    }
}

/// What a plugin asked for before its start failed is forgotten.
fn refuse(proxy: &mut Proxy, plugin: PluginId, why: StartError) -> Result<PluginId, StartError> {
    proxy.guests[plugin.0] = None;
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
        if let Some(context) = proxy.state().plugins[plugin.0].contexts.get_mut(&context) {
            context.pending = true;
        }
        return;
    }
    finalise(proxy, plugin, context);
}

/// The context's last two callbacks.
pub(super) fn finalise(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    proxy.call(plugin, On::Log, context, [context, 0, 0, 0, 0]);
    proxy.call(plugin, On::Delete, context, [context, 0, 0, 0, 0]);
    let gone = proxy.state().plugins[plugin.0].contexts.remove(&context);
    match gone.map(|context| context.stream) {
        Some(Some((stream, _))) => streams::forget(proxy, stream),
        Some(None) => {
            proxy.guests[plugin.0] = None;
            end(proxy, plugin);
        }
        None => {}
    }
}

/// The plugin is not called again; its streams fail, its calls and its tick are forgotten.
pub(super) fn fault(proxy: &mut Proxy, plugin: PluginId, reason: String) {
    proxy.guests[plugin.0] = None;
    proxy.state().effects.push_back(Effect::Fault { plugin, reason });
    end(proxy, plugin);
}

/// Removes a plugin: its streams first, then its own context. One that still is in use is asked once.
pub(super) fn remove(proxy: &mut Proxy, plugin: PluginId) {
    let is_live = proxy.guests.get(plugin.0).is_some_and(Option::is_some);
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
    for stream in streams::streams_of(proxy, plugin) {
        streams::fail(proxy, stream);
    }
    let contexts = &mut proxy.state().plugins[plugin.0].contexts;
    let gone: Vec<_> = std::mem::take(contexts).into_values().filter_map(|context| context.stream).collect();
    for (stream, _) in gone {
        streams::forget(proxy, stream);
    }
}
