//! Plugins and contexts: how they begin, end and crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Proxy, StartError, chain, requests, rollout};
use crate::callbacks::On;
use crate::config::PluginConfig;
use crate::effect::Effect;
use crate::guest::Guest;
use crate::ids::PluginId;
use crate::module::Module;
use crate::planted::planted;
use crate::policy::Revival;
use crate::rules::Rules;
use crate::state::account::CONTEXT;
use crate::state::{Account, Active, Context, Detach, Plugin, Protocol, Share, State, Then, Timer, Vm, Work};

/// Starts a plugin, if `own_vm` in a VM that it shares with no other plugin. What its start has caused is not done yet.
pub(super) fn start(
    proxy: &mut Proxy,
    module: &Module,
    config: PluginConfig,
    own_vm: bool,
) -> Result<PluginId, StartError> {
    if proxy.sources.len() >= proxy.state().config.plugins {
        return Err(StartError::TooMany);
    }
    let state = proxy.state();
    let realm = state.join_realm(&config.vm_id);
    let id = state.plugins.insert(Plugin { own_vm, ..plugin(module, &config, realm) });
    proxy.sources.insert(id, Arc::new((module.clone(), config)));
    let booted = boot(proxy, id);
    if booted.is_err() {
        rollout::drop_source(proxy, id);
    }
    booted.map(|()| id)
}

/// Starts a registered plugin, in an existing VM or in a new one.
fn boot(proxy: &mut Proxy, id: PluginId) -> Result<(), StartError> {
    let Some(source) = proxy.sources.get(&id).cloned() else { return Err(StartError::TooMany) };
    let (module, config) = &*source;
    let (vm_size, size) = (config.vm_configuration.len() as u32, config.configuration.len() as u32);
    let shared = vm_for(proxy, id, module, config);
    let large_ids = proxy.state().config.choices.ids_are_large;
    let vm = shared.unwrap_or_else(|| proxy.state().vms.insert(Vm::of(id, large_ids)));
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(id) else { return Err(StartError::TooMany) };
    found.vm = Some(vm);
    found.incarnation += 1;
    let realm = found.realm;
    if let Some(realm) = state.realms.get_mut(realm) {
        realm.vms.insert(vm);
    }
    // Lines that another plugin has logged do not count.
    state.active = Active { plugin: id, ..Active::default() };
    if shared.is_some() {
        state.vms[vm].plugins.push(id);
    } else {
        proxy.guests.resize_with(proxy.guests.len().max(vm + 1), || None);
        let started = Guest::start(module, config, &mut proxy.state);
        proxy.state().active = Active { plugin: id, ..Active::default() };
        match started {
            Ok(guest) => proxy.guests[vm] = Some(guest),
            Err(trap) => {
                let error = if trap.no_memory { StartError::NoMemory } else { StartError::Trap };
                return start_failed(proxy, id, error(trap.reason));
            }
        }
    }
    let root = proxy.state().new_context(id);
    if let Some(found) = proxy.state().plugins.get_mut(id) {
        found.root = root;
        found.contexts = [(root, Context { stream: None, pending: None })].into();
    }
    let create = (On::proxy_on_context_create, 0, StartError::Configure);
    let start = (On::proxy_on_vm_start, vm_size, StartError::VmStart);
    let configure = (On::proxy_on_configure, size, StartError::Configure);
    for (on, size, error) in [create, start, configure] {
        if on == On::proxy_on_vm_start && shared.is_some() {
            continue;
        }
        match proxy.try_call(id, on, root, [root, size, 0, 0, 0]) {
            Err(reason) => {
                crashed(proxy, id, &reason, Some(id));
                return start_failed(proxy, id, StartError::Trap(reason));
            }
            Ok(Some(Some(value))) if on != On::proxy_on_context_create && !proxy.is_true(value) => {
                return start_failed(proxy, id, error);
            }
            Ok(_) => {}
        }
    }
    let now = proxy.state().uptime;
    if let Some(found) = proxy.state().plugins.get_mut(id) {
        found.started = true;
        found.revival.started(now);
    }
    Ok(())
}

/// The VM that a plugin shares: that of a plugin with the same VM id, module and VM settings.
fn vm_for(proxy: &mut Proxy, id: PluginId, module: &Module, config: &PluginConfig) -> Option<usize> {
    if config.vm_id.is_empty() {
        return None;
    }
    let Proxy { state: Some(state), sources, guests, .. } = proxy else { return None };
    let plugin = state.plugins.get(id).filter(|found| !found.own_vm)?;
    let realm = state.realms.get(plugin.realm)?;
    let is_open = |member: &PluginId| state.plugins.get(*member).is_some_and(|found| !found.own_vm);
    let fits = |member: &PluginId| {
        is_open(member) && sources.get(member).is_some_and(|source| source.0.is(module) && source.1.vm() == config.vm())
    };
    let runs = |vm: &usize| guests.get(*vm).is_some_and(Option::is_some);
    let is_fit = |vm: &usize| state.vms.get(*vm).is_some_and(|vm| vm.plugins.first().is_some_and(fits));
    realm.vms.iter().copied().find(is_fit).filter(runs)
}

/// Restarts a plugin that has crashed.
pub(super) fn restart(proxy: &mut Proxy, id: PluginId) {
    let now = proxy.state().uptime;
    let Some(source) = proxy.sources.get(&id).cloned() else { return };
    let Some(old) = proxy.state().plugins.get_mut(id).filter(|old| old.revival.due.is_some_and(|due| due <= now))
    else {
        return;
    };
    let fresh = plugin(&source.0, &source.1, old.realm);
    old.revival.due = None;
    *old = Plugin {
        revival: old.revival,
        rollout: old.rollout,
        canary_of: old.canary_of,
        own_vm: old.own_vm,
        leaving: old.leaving,
        started: old.started,
        incarnation: old.incarnation,
        metrics: old.metrics,
        places: old.places,
        alone: old.alone,
        account: old.account.clone(),
        share: old.share,
        ..fresh
    };
    match boot(proxy, id) {
        Ok(()) => proxy.state().effect(Effect::Restarted { plugin: id }),
        Err(error) => {
            proxy.state().effect(Effect::Fault { plugin: id, reason: error.to_string() });
            let draw = draw(proxy.state(), id);
            rollout::crashed(proxy, id);
            schedule_restart(proxy, id, draw, false);
        }
    }
}

/// What the time depends on that a plugin waits for its restart: nothing that other plugins do.
fn draw(state: &State, PluginId(plugin): PluginId) -> f64 {
    let seed = state.config.seed ^ (plugin as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    fastrand::Rng::with_seed(seed.wrapping_add(state.uptime)).f64()
}

/// Schedules the restart of a plugin that has crashed, or could not be restarted, or gives it up.
fn schedule_restart(proxy: &mut Proxy, id: PluginId, draw: f64, ran: bool) {
    let state = proxy.state();
    let now = state.uptime;
    let Some(found) = state.plugins.get_mut(id) else { return };
    if let Some(reload) = found.failure.reload.filter(|_| !found.retired && !found.removed) {
        found.revival.crashed(reload, now, draw, ran);
    }
    match found.revival.due {
        Some(due) => state.timers.set(due, Timer::Restart(id)),
        None => rollout::drop_source(proxy, id),
    }
}

fn plugin(module: &Module, config: &PluginConfig, realm: usize) -> Plugin {
    let variable = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
    Plugin {
        vm: None,
        started: false,
        incarnation: 0,
        root: 0,
        name: config.name.clone(),
        root_id: config.root_id.clone(),
        vm_id: config.vm_id.clone(),
        realm,
        configuration: config.configuration.clone().into(),
        vm_configuration: config.vm_configuration.clone().into(),
        environment: config.environment.iter().map(variable).collect(),
        limits: config.limits,
        failure: config.failure,
        rules: Rules::of(module.version),
        contexts: BTreeMap::new(),
        alone: 0,
        pending: 0,
        revival: Revival::default(),
        retired: false,
        removed: false,
        source_dropped: false,
        log_only: config.log_only,
        rollout: None,
        canary_of: None,
        own_vm: false,
        leaving: false,
        asked: false,
        tick: None,
        calls: BTreeMap::new(),
        queues: Default::default(),
        gets_notices: module.exports.callback(On::proxy_on_queue_ready).is_some()
            && config.capabilities.as_ref().is_none_or(|names| names.contains(On::proxy_on_queue_ready.name())),
        metrics: 0,
        places: 0,
        account: Account::default(),
        share: Share::default(),
    }
}

/// A plugin's start has failed: what it asked for before that is dropped.
fn start_failed(proxy: &mut Proxy, plugin: PluginId, why: StartError) -> Result<(), StartError> {
    let found = proxy.state().plugins.get(plugin).map(|found| (found.root, found.vm));
    if let Some((root, Some(vm))) = found
        && proxy.state().vms.get(vm).is_some_and(|vm| vm.plugins.len() > 1)
        && let Err(reason) = proxy.try_call(plugin, On::proxy_on_delete, root, [root, 0, 0, 0, 0])
    {
        crashed(proxy, plugin, &reason, Some(plugin));
    }
    detach(proxy, plugin, Then::Nothing);
    Err(why)
}

/// Detaches a plugin from its VM and its streams.
fn detach(proxy: &mut Proxy, plugin: PluginId, then: Then) {
    leave_vm(proxy, plugin);
    requests::drop_all(proxy, plugin);
    let streams = chain::detach_plugin(proxy, plugin);
    proxy.state().agenda.first([Work::Detach(Box::new(Detach { plugin, streams, then }))]);
}

/// Notifies a plugin of a new context.
pub(super) fn create(proxy: &mut Proxy, plugin: PluginId, context: u32, parent: Option<u32>) {
    proxy.call(plugin, On::proxy_on_context_create, context, [context, parent.unwrap_or(0), 0, 0, 0]);
}

/// Calls `proxy_on_done` for a context, and ends it unless the plugin still needs it.
pub(super) fn done(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin).filter(|found| found.root == context) {
        found.asked = true;
    }
    let is_done = proxy.call(plugin, On::proxy_on_done, context, [context, 0, 0, 0, 0]).flatten();
    if is_done.is_some_and(|value| !proxy.is_true(value)) && keep_pending(proxy, plugin, context) {
        return end_if_unused(proxy, plugin);
    }
    if !proxy.runs(plugin) {
        return;
    }
    let finalise = proxy.state().finalise(plugin, context);
    proxy.state().agenda.first([finalise]);
}

/// A plugin delays the end of a context: what the context holds is charged to the plugin. False if that exceeds a limit.
fn keep_pending(proxy: &mut Proxy, plugin: PluginId, context: u32) -> bool {
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return false };
    let Some(known) = found.contexts.get_mut(&context) else { return false };
    let held = known.stream.and_then(|(stream, place)| Some(state.streams.get(stream)?.footprint(place)));
    let bytes = CONTEXT + held.unwrap_or(0);
    let max = found.limits.host_memory;
    let Some(charge) = found.account.charge(bytes, max).filter(|_| found.pending < found.limits.pending) else {
        return false;
    };
    known.pending = Some(charge);
    found.pending += 1;
    true
}

/// Runs the context's last callbacks, and removes it.
pub(super) fn finalise(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    let of_stream = proxy.root(plugin) != Some(context);
    let mut is_logged = of_stream || proxy.state().config.choices.log_plugin_contexts;
    planted!(LogLostOnReset => {
        let state = proxy.state();
        let known = state.plugins.get(plugin).and_then(|found| found.contexts.get(&context)?.stream);
        let stream = known.and_then(|(stream, _)| state.streams.get(stream));
        is_logged &= !stream.is_some_and(|found| found.protocol != Protocol::Http && found.reset && !found.client_gone);
    });
    if is_logged {
        chain::keep_held(proxy, plugin, context);
        proxy.call(plugin, On::proxy_on_log, context, [context, 0, 0, 0, 0]);
    }
    let mut is_notified = true;
    planted!(DeleteUnsaid => is_notified = false);
    if is_notified {
        proxy.call(plugin, On::proxy_on_delete, context, [context, 0, 0, 0, 0]);
    }
    if !proxy.runs(plugin) {
        return;
    }
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    let removed = found.contexts.remove(&context);
    if removed.as_ref().is_some_and(|context| context.pending.is_some()) {
        found.pending -= 1;
    }
    match removed.map(|context| context.stream) {
        Some(Some((stream, place))) => {
            chain::clear(proxy, stream, place);
            chain::remove_if_ended(proxy, stream);
            end_if_unused(proxy, plugin);
        }
        Some(None) => {
            detach(proxy, plugin, Then::DropSource);
        }
        None => {}
    }
}

/// A plugin leaves its VM, which ends with its last plugin.
fn leave_vm(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(vm) = state.plugins.get_mut(plugin).and_then(|found| found.vm.take()) else { return };
    let members = &mut state.vms[vm].plugins;
    members.retain(|member| *member != plugin);
    if members.is_empty() {
        end_vm(proxy, vm, plugin);
    }
}

/// Ends a VM of a plugin's VM id. The plugins that were in it.
fn end_vm(proxy: &mut Proxy, vm: usize, plugin: PluginId) -> Vec<PluginId> {
    let state = proxy.state();
    let realm = state.plugins.get(plugin).map(|plugin| plugin.realm);
    if let Some(realm) = realm.and_then(|realm| state.realms.get_mut(realm)) {
        realm.vms.remove(&vm);
    }
    let members = state.vms.remove(vm).plugins;
    proxy.guests[vm] = None;
    members
}

/// A plugin has trapped: its VM is not called again.
pub(super) fn crash(proxy: &mut Proxy, plugin: PluginId, reason: &str) {
    crashed(proxy, plugin, reason, None);
}

/// The plugin's VM ends, and all plugins in it have crashed. Each is reported as an effect, except for a plugin that is
/// `starting`, whose start reports it.
fn crashed(proxy: &mut Proxy, plugin: PluginId, reason: &str, starting: Option<PluginId>) {
    let state = proxy.state();
    let Some((vm, name)) = state.plugins.get(plugin).and_then(|found| Some((found.vm?, found.name.clone()))) else {
        return;
    };
    let draw = draw(state, plugin);
    let members = end_vm(proxy, vm, plugin);
    let mut detached = Vec::with_capacity(members.len());
    for member in members {
        if let Some(found) = proxy.state().plugins.get_mut(member) {
            found.vm = None;
        }
        if starting != Some(member) {
            let reason = match member == plugin {
                true => reason.to_owned(),
                false => format!("the plugin {name} in the same VM failed: {reason}"),
            };
            proxy.state().effect(Effect::Fault { plugin: member, reason });
            let streams = chain::detach_plugin(proxy, member);
            let mut then = Then::Restart(draw);
            planted!(OthersNotRestarted => if member != plugin {
                then = Then::DropSource;
            });
            detached.push(Detach { plugin: member, streams, then });
        }
        requests::drop_timers(proxy, member);
    }
    for detach in detached.into_iter().rev() {
        proxy.state().agenda.first([Work::Detach(Box::new(detach))]);
    }
}

/// A plugin has left its VM: what it asked for is dropped, and it is detached from its streams, one after the other.
pub(super) fn detached(proxy: &mut Proxy, mut detach: Box<Detach>) {
    let plugin = detach.plugin;
    requests::drop_all(proxy, plugin);
    proxy.drop_parked(plugin);
    if let Some((stream, places)) = detach.streams.pop_front() {
        let agenda = &mut proxy.state().agenda;
        return agenda.first([Work::Detached { stream, places }, Work::Detach(detach)]);
    }
    if let Some(found) = proxy.state().plugins.get_mut(plugin).filter(|found| found.vm.is_none()) {
        (found.contexts, found.pending) = (BTreeMap::new(), 0);
    }
    match detach.then {
        Then::Restart(draw) => {
            rollout::crashed(proxy, plugin);
            schedule_restart(proxy, plugin, draw, true);
        }
        Then::DropSource => rollout::drop_source(proxy, plugin),
        Then::Nothing => {}
    }
}

/// Ends the own context of a plugin that the operator does not want any more, once no stream uses it: of one that is removed,
/// not even one whose end it delays. `proxy_on_done` is called at most once.
pub(super) fn end_if_unused(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get(plugin) else { return };
    let root = found.root;
    let uses = |context: &Context| context.stream.is_some() && !(found.removed && context.pending.is_some());
    let in_use = found.contexts.values().any(uses);
    if (found.retired || found.removed) && !in_use && !found.asked && proxy.runs(plugin) {
        done(proxy, plugin, root);
    }
}

/// Removes a plugin: its streams first, then its own context.
pub(super) fn remove(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    found.removed = true;
    rollout::ended(proxy, plugin);
    rollout::cancel_restart(proxy, plugin);
    let state = proxy.state();
    let contexts = state.plugins.get(plugin).into_iter().flat_map(|found| found.contexts.values());
    let streams: Vec<usize> = contexts.filter_map(|context| Some(context.stream?.0)).collect();
    for index in streams {
        if let Some(stream) = state.streams.get(index).map(|stream| stream.id) {
            state.agenda.last(Work::Reset { stream });
        }
    }
    state.agenda.last(Work::EndIfUnused { plugin });
}

/// Ends a plugin at once: none of its callbacks is called again.
pub(super) fn terminate(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    found.removed = true;
    rollout::ended(proxy, plugin);
    rollout::cancel_restart(proxy, plugin);
    if proxy.runs(plugin) {
        detach(proxy, plugin, Then::DropSource);
    }
}
