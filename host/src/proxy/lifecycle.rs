//! Plugins and contexts: how they begin, end and fail.

use std::sync::Arc;

use bytes::Bytes;

use super::streams::Left;
use super::{PluginConfig, PluginId, Proxy, StartError, rollout, shadow, streams};
use crate::effect::Effect;
use crate::guest::{Guest, On};
use crate::module::Module;
use crate::planted::planted;
use crate::policy::Revival;
use crate::rules::Rules;
use crate::state::{Context, Plugin, Vm};

pub(super) fn start(proxy: &mut Proxy, module: &Module, config: PluginConfig) -> Result<PluginId, StartError> {
    let live = proxy.sources.iter().flatten().count();
    if live >= proxy.state().config.plugins {
        return Err(StartError::TooMany);
    }
    let id = PluginId(proxy.sources.len());
    proxy.state().plugins.push(plugin(module, &config));
    proxy.sources.push(Some(Arc::new((module.clone(), config))));
    let booted = boot(proxy, id);
    if booted.is_err() {
        dismiss(proxy, id);
    }
    proxy.settle();
    booted.map(|()| id)
}

/// Starts a plugin that is in the books, in a VM that is there or in a new one.
fn boot(proxy: &mut Proxy, id: PluginId) -> Result<(), StartError> {
    let Some(source) = proxy.sources[id.0].clone() else { return Err(StartError::TooMany) };
    let (module, config) = &*source;
    let (vm_size, size) = (config.vm_configuration.len() as u32, config.configuration.len() as u32);
    let shared = vm_for(proxy, module, config);
    let vm = shared.unwrap_or_else(|| proxy.state().vms.insert(Vm::of(id)));
    let state = proxy.state();
    state.active.plugin = id;
    state.plugins[id.0].vm = Some(vm);
    if shared.is_some() {
        state.vms[vm].plugins.push(id);
    } else {
        proxy.guests.resize_with(proxy.guests.len().max(vm + 1), || None);
        match Guest::start(module, config, &mut proxy.state) {
            Ok(guest) => proxy.guests[vm] = Some(guest),
            Err(trap) => return refuse(proxy, id, StartError::Trap(trap.reason)),
        }
    }
    let root = proxy.state().new_context(id);
    let found = &mut proxy.state().plugins[id.0];
    found.root = root;
    found.contexts = [(root, Context { stream: None, pending: false })].into();
    create(proxy, id, root, None);
    let steps = [(On::VmStart, vm_size, StartError::VmStart), (On::Configure, size, StartError::Configure)];
    for (on, size, refusal) in steps.into_iter().skip(usize::from(shared.is_some())) {
        let accepted = proxy.call(id, on, root, [root, size, 0, 0, 0]);
        if !proxy.lives(id) {
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

/// The VM that a plugin is to share: that of a plugin with the same VM id that is made of the same.
fn vm_for(proxy: &mut Proxy, module: &Module, config: &PluginConfig) -> Option<usize> {
    let Proxy { state: Some(state), sources, guests } = proxy else { return None };
    let fits = |member: &PluginId| {
        sources[member.0].as_deref().is_some_and(|(other, other_config)| {
            other.is(module) && other_config.vm() == config.vm() && !config.vm_id.is_empty()
        })
    };
    let runs = |vm: &usize| guests.get(*vm).is_some_and(Option::is_some);
    state.vms.iter().find(|(_, vm)| vm.plugins.iter().any(fits)).map(|(vm, _)| vm).filter(runs)
}

/// Starts a plugin again that has faulted.
pub(super) fn restart(proxy: &mut Proxy, id: PluginId) {
    let Some((module, config)) = proxy.sources[id.0].as_deref() else { return };
    let fresh = plugin(module, config);
    let old = &mut proxy.state().plugins[id.0];
    let (mut revival, rollout) = (old.revival, old.rollout);
    revival.due = None;
    *old = Plugin { revival, rollout, ..fresh };
    match boot(proxy, id) {
        Ok(()) => proxy.state().effects.push_back(Effect::Restarted { plugin: id }),
        Err(error) => {
            proxy.state().effects.push_back(Effect::Fault { plugin: id, reason: error.to_string() });
            proxy.state().plugins[id.0].revival = revival;
            let draw = proxy.state().random.f64();
            come_back(proxy, id, draw);
            rollout::faulted(proxy, id);
        }
    }
    proxy.settle();
}

/// Says when a plugin that has faulted is to be started again, if ever.
fn come_back(proxy: &mut Proxy, id: PluginId, draw: f64) {
    let state = proxy.state();
    let now = state.uptime;
    let found = &mut state.plugins[id.0];
    if let Some(reload) = found.failure.reload.filter(|_| !found.retired) {
        found.revival.faulted(reload, now, draw);
    }
    if found.revival.due.is_none() {
        dismiss(proxy, id);
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
        log_only: config.log_only,
        rollout: None,
        limits: config.limits,
        failure: config.failure,
        rules: Rules::of(module.version),
        vm: None,
        root: 0,
        contexts: Default::default(),
        tick: None,
    }
}

/// What a plugin asked for before its start failed is forgotten.
fn refuse(proxy: &mut Proxy, plugin: PluginId, why: StartError) -> Result<(), StartError> {
    let root = proxy.state().plugins[plugin.0].root;
    let vm = proxy.state().plugins[plugin.0].vm.and_then(|vm| proxy.state().vms.get(vm));
    if vm.is_some_and(|vm| vm.plugins.len() > 1) {
        proxy.call(plugin, On::Delete, root, [root, 0, 0, 0, 0]);
    }
    leave(proxy, plugin);
    let left = streams::part(proxy, plugin);
    end(proxy, plugin, left);
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
    let mut is_told = true;
    planted!(DeleteUnsaid => is_told = false);
    if is_told {
        proxy.call(plugin, On::Delete, context, [context, 0, 0, 0, 0]);
    }
    let gone = proxy.state().plugins[plugin.0].contexts.remove(&context);
    match gone.map(|context| context.stream) {
        Some(Some((stream, _))) => {
            streams::forget(proxy, stream);
            end_if_retired(proxy, plugin);
        }
        Some(None) => {
            leave(proxy, plugin);
            dismiss(proxy, plugin);
            let left = streams::part(proxy, plugin);
            end(proxy, plugin, left);
        }
        None => {}
    }
}

/// A plugin leaves its VM, which ends when nobody is left in it.
fn leave(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(vm) = state.plugins[plugin.0].vm.take() else { return };
    let members = &mut state.vms[vm].plugins;
    members.retain(|member| *member != plugin);
    if members.is_empty() {
        state.vms.remove(vm);
        proxy.guests[vm] = None;
    }
}

/// A plugin is gone for good; what it was made of is not needed any more, and it is not started again.
fn dismiss(proxy: &mut Proxy, plugin: PluginId) {
    proxy.sources[plugin.0] = None;
    let found = &mut proxy.state().plugins[plugin.0];
    found.revival.due = None;
    (found.configuration, found.vm_configuration) = (Bytes::new(), Bytes::new());
    found.environment.clear();
}

/// The plugin's VM is not called again; calls and ticks of all plugins in it are forgotten.
pub(super) fn fault(proxy: &mut Proxy, plugin: PluginId, reason: &str) {
    let state = proxy.state();
    let Some(vm) = state.plugins[plugin.0].vm else { return };
    let members = state.vms.remove(vm).plugins;
    let draw = state.random.f64();
    for member in &members {
        let member_reason = match *member == plugin {
            true => reason.to_owned(),
            false => format!("the plugin {} in the same VM failed: {reason}", state.plugins[plugin.0].name),
        };
        state.plugins[member.0].vm = None;
        state.effects.push_back(Effect::Fault { plugin: *member, reason: member_reason });
    }
    proxy.guests[vm] = None;
    let left: Vec<_> = members.into_iter().map(|member| (member, streams::part(proxy, member))).collect();
    for (member, left) in left {
        end(proxy, member, left);
        come_back(proxy, member, draw);
        rollout::faulted(proxy, member);
    }
}

/// Lets a plugin end when its last stream has.
pub(super) fn retire(proxy: &mut Proxy, plugin: PluginId) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin.0) {
        found.retired = true;
        stay_away(proxy, plugin);
        shadow::let_go(proxy, plugin);
        end_if_retired(proxy, plugin);
    }
}

/// A plugin that has faulted is not started again.
fn stay_away(proxy: &mut Proxy, plugin: PluginId) {
    proxy.state().plugins[plugin.0].revival.due = None;
    if !proxy.lives(plugin) {
        dismiss(proxy, plugin);
    }
}

fn end_if_retired(proxy: &mut Proxy, plugin: PluginId) {
    let found = &proxy.state().plugins[plugin.0];
    let (root, retired) = (found.root, found.retired);
    let alone = found.contexts.len() == 1 && found.contexts.get(&root).is_some_and(|root| !root.pending);
    if retired && alone && proxy.lives(plugin) {
        done(proxy, plugin, root);
    }
}

/// Removes a plugin: its streams first, then its own context. One that still is in use is asked once.
pub(super) fn remove(proxy: &mut Proxy, plugin: PluginId) {
    if plugin.0 >= proxy.sources.len() {
        return;
    }
    stay_away(proxy, plugin);
    if !is_needed(proxy, plugin) {
        return;
    }
    for stream in streams::streams_of(proxy, plugin) {
        streams::cut(proxy, stream, true);
    }
    proxy.settle();
    // One that was only waiting for its streams has been asked when they ended.
    if is_needed(proxy, plugin) {
        let root = proxy.state().plugins[plugin.0].root;
        done(proxy, plugin, root);
    }
}

/// Whether the plugin is there, and was not asked yet whether it may go.
fn is_needed(proxy: &mut Proxy, plugin: PluginId) -> bool {
    let found = &proxy.state().plugins[plugin.0];
    let asked = found.contexts.get(&found.root).is_none_or(|root| root.pending);
    !asked && proxy.lives(plugin)
}

/// What a plugin asked for is forgotten, and the streams that it has left go their ways.
fn end(proxy: &mut Proxy, plugin: PluginId, left: Vec<Left>) {
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
    streams::abandon(proxy, plugin, left);
    let contexts = &mut proxy.state().plugins[plugin.0].contexts;
    let gone: Vec<_> = std::mem::take(contexts).into_values().filter_map(|context| context.stream).collect();
    for (stream, _) in gone {
        streams::forget(proxy, stream);
    }
}
