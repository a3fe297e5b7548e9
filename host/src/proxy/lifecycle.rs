//! Plugins and contexts: how they begin, end and fail.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{PluginConfig, PluginId, Proxy, StartError, endings, rollout, shadow};
use crate::callbacks::On;
use crate::effect::Effect;
use crate::guest::Guest;
use crate::module::Module;
use crate::planted::planted;
use crate::policy::Revival;
use crate::rules::Rules;
use crate::state::account::CONTEXT;
use crate::state::{Account, Active, CallId, Context, Part, Plugin, Share, Then, Timer, Vm, Work};

/// Starts a plugin, if need be in a VM that no other plugin lives in.
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
        dismiss(proxy, id);
    }
    proxy.run();
    booted.map(|()| id)
}

/// Starts a plugin that is in the books, in a VM that is there or in a new one.
fn boot(proxy: &mut Proxy, id: PluginId) -> Result<(), StartError> {
    let Some(source) = proxy.sources.get(&id).cloned() else { return Err(StartError::TooMany) };
    let (module, config) = &*source;
    let (vm_size, size) = (config.vm_configuration.len() as u32, config.configuration.len() as u32);
    let shared = vm_for(proxy, id, module, config);
    let vm = shared.unwrap_or_else(|| proxy.state().vms.insert(Vm::of(id)));
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(id) else { return Err(StartError::TooMany) };
    found.vm = Some(vm);
    found.incarnation += 1;
    let realm = found.realm;
    if let Some(realm) = state.realms.get_mut(realm) {
        realm.vms.insert(vm);
    }
    // What another plugin has logged does not count.
    state.active = Active { plugin: id, ..Active::default() };
    if shared.is_some() {
        state.vms[vm].plugins.push(id);
    } else {
        proxy.guests.resize_with(proxy.guests.len().max(vm + 1), || None);
        let started = Guest::start(module, config, &mut proxy.state);
        proxy.state().active = Active { plugin: id, ..Active::default() };
        match started {
            Ok(guest) => proxy.guests[vm] = Some(guest),
            Err(trap) => return refuse(proxy, id, StartError::Trap(trap.reason)),
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
    for (on, size, refusal) in [create, start, configure] {
        if on == On::proxy_on_vm_start && shared.is_some() {
            continue;
        }
        match proxy.try_call(id, on, root, [root, size, 0, 0, 0]) {
            Err(reason) => {
                faulted(proxy, id, &reason, Some(id));
                return refuse(proxy, id, StartError::Trap(reason));
            }
            Ok(Some(Some(0))) if on != On::proxy_on_context_create => return refuse(proxy, id, refusal),
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

/// The VM that a plugin is to share: that of a plugin with the same VM id that is made of the same.
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

/// Starts a plugin again that has faulted.
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
            let draw = proxy.state().random.f64();
            rollout::faulted(proxy, id);
            come_back(proxy, id, draw, false);
        }
    }
}

/// Says when a plugin that has faulted, or did not start again, is to be started again, if ever.
fn come_back(proxy: &mut Proxy, id: PluginId, draw: f64, ran: bool) {
    let state = proxy.state();
    let now = state.uptime;
    let Some(found) = state.plugins.get_mut(id) else { return };
    if let Some(reload) = found.failure.reload.filter(|_| !found.retired && !found.removed) {
        found.revival.faulted(reload, now, draw, ran);
    }
    match found.revival.due {
        Some(due) => state.timers.set(due, Timer::Restart(id)),
        None => dismiss(proxy, id),
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
        dismissed: false,
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

/// What a plugin asked for before its start failed is forgotten.
fn refuse(proxy: &mut Proxy, plugin: PluginId, why: StartError) -> Result<(), StartError> {
    let found = proxy.state().plugins.get(plugin).map(|found| (found.root, found.vm));
    if let Some((root, Some(vm))) = found
        && proxy.state().vms.get(vm).is_some_and(|vm| vm.plugins.len() > 1)
        && let Err(reason) = proxy.try_call(plugin, On::proxy_on_delete, root, [root, 0, 0, 0, 0])
    {
        faulted(proxy, plugin, &reason, Some(plugin));
    }
    depart(proxy, plugin, Then::Nothing);
    Err(why)
}

/// A plugin leaves its VM and its streams.
fn depart(proxy: &mut Proxy, plugin: PluginId, then: Then) {
    leave(proxy, plugin);
    forget_requests(proxy, plugin);
    let streams = endings::part(proxy, plugin);
    proxy.state().agenda.first([Work::Part(Box::new(Part { plugin, streams, then }))]);
}

/// Notifies a plugin of a context that already is in the books.
pub(super) fn create(proxy: &mut Proxy, plugin: PluginId, context: u32, parent: Option<u32>) {
    proxy.call(plugin, On::proxy_on_context_create, context, [context, parent.unwrap_or(0), 0, 0, 0]);
}

/// Asks whether a context may end, and ends it unless the plugin still needs it.
pub(super) fn done(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin).filter(|found| found.root == context) {
        found.asked = true;
    }
    if proxy.call(plugin, On::proxy_on_done, context, [context, 0, 0, 0, 0]) == Some(Some(0))
        && hold(proxy, plugin, context)
    {
        return;
    }
    if !proxy.runs(plugin) {
        return;
    }
    let finalise = proxy.state().finalise(plugin, context);
    proxy.state().agenda.first([finalise]);
}

/// A context goes on although its stream has ended: what it holds is charged to the plugin. False if that is too much.
fn hold(proxy: &mut Proxy, plugin: PluginId, context: u32) -> bool {
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return false };
    let Some(known) = found.contexts.get_mut(&context) else { return false };
    let held = known.stream.and_then(|(stream, place)| Some(state.streams.get(stream)?.footprint(place)));
    let bytes = CONTEXT + held.unwrap_or(0);
    let most = found.limits.host_memory;
    let Some(charge) = found.account.charge(bytes, most).filter(|_| found.pending < found.limits.pending) else {
        return false;
    };
    known.pending = Some(charge);
    found.pending += 1;
    true
}

/// The context's last callbacks.
pub(super) fn finalise(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    let of_stream = proxy.root(plugin) != Some(context);
    if of_stream || proxy.state().config.choices.log_plugin_contexts {
        proxy.call(plugin, On::proxy_on_log, context, [context, 0, 0, 0, 0]);
    }
    let mut is_told = true;
    planted!(DeleteUnsaid => is_told = false);
    if is_told {
        proxy.call(plugin, On::proxy_on_delete, context, [context, 0, 0, 0, 0]);
    }
    if !proxy.runs(plugin) {
        return;
    }
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    let gone = found.contexts.remove(&context);
    if gone.as_ref().is_some_and(|context| context.pending.is_some()) {
        found.pending -= 1;
    }
    match gone.map(|context| context.stream) {
        Some(Some((stream, place))) => {
            endings::clear(proxy, stream, place);
            endings::forget(proxy, stream);
            end_if_retired(proxy, plugin);
        }
        Some(None) => {
            depart(proxy, plugin, Then::Dismiss);
        }
        None => {}
    }
}

/// A plugin leaves its VM, which ends when nobody is left in it.
fn leave(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(vm) = state.plugins.get_mut(plugin).and_then(|found| found.vm.take()) else { return };
    let members = &mut state.vms[vm].plugins;
    members.retain(|member| *member != plugin);
    if members.is_empty() {
        end_vm(proxy, vm, plugin);
    }
}

/// A VM of a plugin's VM id ends.
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

/// A plugin is gone for good; what it was made of is not needed any more, and it is not started again.
fn dismiss(proxy: &mut Proxy, plugin: PluginId) {
    proxy.sources.remove(&plugin);
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin).filter(|found| !found.dismissed) else { return };
    found.dismissed = true;
    // The entry that ends its streams, and its calls, may still wait.
    forget_requests(proxy, plugin);
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return };
    let due = found.revival.due.take();
    (found.configuration, found.vm_configuration) = (Bytes::new(), Bytes::new());
    found.environment = Vec::new();
    let realm = found.realm;
    state.timers.unset(due, Timer::Restart(plugin));
    state.leave_realm(realm);
    rollout::ended(proxy, plugin);
    proxy.state().plugins.free(plugin);
}

/// A plugin has trapped: its VM is not called again.
pub(super) fn fault(proxy: &mut Proxy, plugin: PluginId, reason: &str) {
    faulted(proxy, plugin, reason, None);
}

/// The plugin's VM ends, and all plugins in it have faulted; nothing is said of one whose start says it.
fn faulted(proxy: &mut Proxy, plugin: PluginId, reason: &str, starting: Option<PluginId>) {
    let state = proxy.state();
    let Some((vm, name)) = state.plugins.get(plugin).and_then(|found| Some((found.vm?, found.name.clone()))) else {
        return;
    };
    let draw = state.random.f64();
    let members = end_vm(proxy, vm, plugin);
    let mut parts = Vec::with_capacity(members.len());
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
            let streams = endings::part(proxy, member);
            parts.push(Part { plugin: member, streams, then: Then::ComeBack(draw) });
        }
        forget_timers(proxy, member);
    }
    for part in parts.into_iter().rev() {
        proxy.state().agenda.first([Work::Part(Box::new(part))]);
    }
}

/// A plugin has left its VM: what it asked for is forgotten, and its streams go on without it, one after the other.
pub(super) fn part(proxy: &mut Proxy, mut part: Box<Part>) {
    let plugin = part.plugin;
    forget_requests(proxy, plugin);
    proxy.forget_parked(plugin);
    if let Some((stream, places)) = part.streams.pop_front() {
        let agenda = &mut proxy.state().agenda;
        return agenda.first([Work::Left { stream, places }, Work::Part(part)]);
    }
    if let Some(found) = proxy.state().plugins.get_mut(plugin).filter(|found| found.vm.is_none()) {
        (found.contexts, found.pending) = (BTreeMap::new(), 0);
    }
    match part.then {
        Then::ComeBack(draw) => {
            rollout::faulted(proxy, plugin);
            come_back(proxy, plugin, draw, true);
        }
        Then::Dismiss => dismiss(proxy, plugin),
        Then::Nothing => {}
    }
}

/// Lets a plugin end when its last stream has.
pub(super) fn retire(proxy: &mut Proxy, plugin: PluginId) {
    if let Some(found) = proxy.state().plugins.get_mut(plugin) {
        found.retired = true;
        rollout::ended(proxy, plugin);
        stay_away(proxy, plugin);
        shadow::let_go(proxy, plugin);
        proxy.state().agenda.last(Work::EndIfRetired { plugin });
    }
}

/// A plugin that has faulted is not started again.
fn stay_away(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let due = state.plugins.get_mut(plugin).and_then(|found| found.revival.due.take());
    state.timers.unset(due, Timer::Restart(plugin));
    if !proxy.runs(plugin) {
        dismiss(proxy, plugin);
    }
}

pub(super) fn end_if_retired(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get(plugin) else { return };
    let root = found.root;
    let alone = found.contexts.len() == 1 && found.contexts.get(&root).is_some_and(|root| root.pending.is_none());
    if (found.retired || found.removed) && alone && !found.asked && proxy.runs(plugin) {
        done(proxy, plugin, root);
    }
}

/// Removes a plugin: its streams first, then its own context. One that still is in use is asked once.
pub(super) fn remove(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    found.removed = true;
    rollout::ended(proxy, plugin);
    stay_away(proxy, plugin);
    let state = proxy.state();
    let contexts = state.plugins.get(plugin).into_iter().flat_map(|found| found.contexts.values());
    let streams: Vec<usize> = contexts.filter_map(|context| Some(context.stream?.0)).collect();
    for index in streams {
        if let Some(stream) = state.streams.get(index).map(|stream| stream.id) {
            state.agenda.last(Work::Cut { stream });
        }
    }
    state.agenda.last(Work::EndPlugin { plugin });
}

/// The plugin's own context is done, unless it was asked already, or streams that are still to be cut off hold it.
pub(super) fn end_plugin(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(found) = state.plugins.get(plugin) else { return };
    let root = found.root;
    let asked = found.asked || found.contexts.get(&root).is_none_or(|root| root.pending.is_some());
    let in_use = found.contexts.values().any(|context| context.stream.is_some() && context.pending.is_none());
    if !asked && !in_use && proxy.runs(plugin) {
        done(proxy, plugin, root);
    }
}

/// Ends a plugin at once: nothing of it is called again.
pub(super) fn terminate(proxy: &mut Proxy, plugin: PluginId) {
    let Some(found) = proxy.state().plugins.get_mut(plugin) else { return };
    found.removed = true;
    rollout::ended(proxy, plugin);
    stay_away(proxy, plugin);
    if proxy.runs(plugin) {
        depart(proxy, plugin, Then::Dismiss);
    }
}

/// Ticks and notices of a plugin that has left its VM do not come any more.
fn forget_timers(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return };
    let tick = found.tick.take().map(|(_, due)| due);
    let queues = std::mem::take(&mut found.queues);
    state.timers.unset(tick, Timer::Tick(plugin));
    for queue in queues {
        if let Some(queue) = state.queues.get_mut(&queue) {
            Arc::make_mut(&mut queue.readers).retain(|reader| *reader != plugin);
        }
    }
}

/// What a plugin asked for is forgotten: its ticks, notices and calls.
fn forget_requests(proxy: &mut Proxy, plugin: PluginId) {
    forget_timers(proxy, plugin);
    let state = proxy.state();
    let calls = state.plugins.get_mut(plugin).map(|found| std::mem::take(&mut found.calls)).unwrap_or_default();
    let mut calls: Vec<CallId> = calls.into_values().collect();
    calls.sort_by_key(|call| matches!(call, CallId::Grpc(_)));
    for call in calls {
        state.forget_call(call);
        state.effect(match call {
            CallId::Http(call) => Effect::CancelHttpCall { call },
            CallId::Grpc(call) => Effect::CancelGrpcCall { call },
        });
    }
}
