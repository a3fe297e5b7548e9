//! The public interface: what a proxy does to a chain of plugins. Knows nothing of the wire format.

mod calls;
mod chain;
mod endings;
mod grpc;
mod lifecycle;
mod requests;
mod rollout;
mod shadow;
mod streams;
mod tcp;
pub(crate) mod usage;
mod wire;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::callbacks::On;
use crate::config::{PluginConfig, ProxyConfig};
use crate::effect::Effect;
use crate::guest::Guest;
use crate::ids::PluginId;
use crate::module::Module;
use crate::observer::Observer;
use crate::planted::planted;
use crate::policy::Canary;
use crate::state::{State, Subject};

/// Why a plugin was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The proxy has as many plugins as it may have.
    TooMany,
    /// A function of the start trapped, or the engine's pool has no room for another VM; the reason in one line.
    Trap(String),
    /// The system has no memory for another VM; the reason in one line. It is not the plugin's fault.
    NoMemory(String),
    /// `proxy_on_vm_start` returned false.
    VmStart,
    /// `proxy_on_configure` returned false.
    Configure,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::TooMany => f.write_str("the proxy has as many plugins as it may have"),
            StartError::Trap(reason) | StartError::NoMemory(reason) => f.write_str(reason),
            StartError::VmStart => f.write_str("proxy_on_vm_start returned false"),
            StartError::Configure => f.write_str("proxy_on_configure returned false"),
        }
    }
}

impl std::error::Error for StartError {}

/// A chain of plugins, and the streams that run through them.
///
/// The embedder calls a method for each event, which returns when the plugins have handled it, and then drains
/// [`Proxy::next_effect`]. [`Proxy::advance`] sets the time.
pub struct Proxy {
    /// In a guest's store while that guest runs.
    state: Option<Box<State>>,
    /// By the number of their VM.
    guests: Vec<Option<Guest>>,
    /// The module and the configuration of each plugin that runs or may be restarted.
    sources: BTreeMap<PluginId, Arc<(Module, PluginConfig)>>,
}

impl Proxy {
    /// A proxy without plugins.
    pub fn new(config: ProxyConfig) -> Proxy {
        Proxy { state: Some(Box::new(State::new(config))), guests: Vec::new(), sources: BTreeMap::new() }
    }

    /// Reports every callback and call to an observer from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.state().observer = Some(observer);
    }

    /// The next thing that the embedder must do; `None` if there is none.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.state().next_effect()
    }

    /// Loads and starts a plugin: its start functions, `proxy_on_vm_start` and `proxy_on_configure`.
    ///
    /// # Errors
    ///
    /// Why the plugin was not started.
    pub fn add_plugin(&mut self, module: &Module, config: PluginConfig) -> Result<PluginId, StartError> {
        self.begin();
        let started = lifecycle::start(self, module, config, false);
        self.run();
        started
    }

    /// Replaces a plugin by one with another module or configuration. New streams run through the new plugin, also if they are
    /// opened for the old one; streams of the old one finish there, and then it ends.
    ///
    /// # Errors
    ///
    /// Why the new plugin was not started; then the old one stays.
    pub fn replace_plugin(
        &mut self,
        old: PluginId,
        module: &Module,
        config: PluginConfig,
    ) -> Result<PluginId, StartError> {
        self.begin();
        let started = lifecycle::start(self, module, config, false);
        if let Ok(new) = started {
            let old = self.state().plugins.current(old);
            rollout::succeed(self, old, new);
        }
        self.run();
        started
    }

    /// Starts a plugin that gets a share of another's new streams, or copies of them if it is log-only. If the other plugin has a
    /// canary already, that one is rolled back. Whatever its VM id is, it has a VM of its own, so that its crashes do not affect
    /// the other.
    ///
    /// # Errors
    ///
    /// Why the canary was not started; then nothing changes.
    pub fn canary(
        &mut self,
        plugin: PluginId,
        module: &Module,
        config: PluginConfig,
        canary: Canary,
    ) -> Result<PluginId, StartError> {
        self.begin();
        let started = lifecycle::start(self, module, config, true);
        if let Ok(new) = started {
            let plugin = self.state().plugins.current(plugin);
            rollout::roll_back(self, plugin);
            rollout::begin(self, plugin, new, canary);
        }
        // Only now, as what the start has caused may crash the canary.
        self.run();
        started
    }

    /// Gives all new streams of a plugin to its canary, which acts on them even if it was log-only. The plugin ends after its last
    /// stream.
    pub fn promote(&mut self, plugin: PluginId) {
        self.begin();
        rollout::promote(self, plugin);
        self.run();
    }

    /// Gives all new streams of a plugin to the plugin itself again, also those that are opened for its canary, which ends after
    /// its last stream.
    pub fn roll_back(&mut self, plugin: PluginId) {
        self.begin();
        let plugin = self.state().plugins.current(plugin);
        rollout::roll_back(self, plugin);
        self.run();
    }

    /// Ends the plugin after its last stream, and its canary too. New streams do not run through it.
    pub fn retire_plugin(&mut self, plugin: PluginId) {
        self.begin();
        rollout::roll_back(self, plugin);
        rollout::retire(self, plugin);
        self.run();
    }

    /// Resets the plugin's streams, and ends the plugin. New streams fail or continue without it, as its policy says; the share of a
    /// canary returns to the plugin that it was to replace. A plugin that delays its end gets neither streams nor a restart, and
    /// [`Proxy::terminate_plugin`] ends it.
    pub fn remove_plugin(&mut self, plugin: PluginId) {
        self.begin();
        rollout::roll_back(self, plugin);
        lifecycle::remove(self, plugin);
        self.run();
    }

    /// Ends a plugin at once: its streams fail or continue without it, as its policy says, none of its callbacks is called
    /// again, and it is not restarted.
    pub fn terminate_plugin(&mut self, plugin: PluginId) {
        self.begin();
        rollout::roll_back(self, plugin);
        lifecycle::terminate(self, plugin);
        self.run();
    }

    /// The time until the next tick, timeout or restart is due; zero if an event has left work for the next [`Proxy::advance`],
    /// `None` if nothing will be due.
    ///
    /// If a plugin always has more to do, such as one that enqueues in its own queue's callback, this is always zero: advance by
    /// the time that has passed, so that what is due for other plugins comes in time.
    pub fn next_due(&mut self) -> Option<Duration> {
        let state = self.state();
        if state.agenda.is_parked() {
            return Some(Duration::ZERO);
        }
        let due = state.timers.next()?;
        Some(Duration::from_nanos(due.saturating_sub(state.uptime)))
    }

    /// Calls `proxy_on_foreign_function` of the plugin.
    pub fn foreign_function(&mut self, plugin: PluginId, function_id: u32, arguments: impl Into<Bytes>) {
        let arguments = arguments.into();
        let args = [function_id, arguments.len() as u32, 0, 0];
        self.begin();
        self.about(plugin, On::proxy_on_foreign_function, args, Subject::ForeignFunction(arguments));
        self.run();
    }

    /// Names and values of all metrics that plugins have defined, in the order of their definition. The value of a
    /// histogram is the last one that was recorded.
    pub fn metrics(&mut self) -> Vec<(&[u8], u64)> {
        self.state().metrics.values().map(|metric| (&metric.name[..], metric.value)).collect()
    }

    /// Advances the time. Ticks, timeouts and restarts that are due then happen once each, in the order in which they are due, and
    /// all at the new time: after a stall there is one tick, and the next one a full period later. To have each at its own time,
    /// advance by [`Proxy::next_due`].
    ///
    /// What earlier events have left is done first. If then more is left than one event may do, [`Proxy::next_due`] is zero.
    pub fn advance(&mut self, duration: Duration) {
        calls::advance(self, u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The state. It is elsewhere only while a guest runs, and no method of the proxy runs then.
    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("no guest runs")
    }

    /// Whether a plugin has a VM.
    fn runs(&self, plugin: PluginId) -> bool {
        self.state.as_ref().is_some_and(|state| state.plugins.get(plugin).is_some_and(|plugin| plugin.vm.is_some()))
    }

    /// A plugin's own context.
    fn root(&mut self, plugin: PluginId) -> Option<u32> {
        self.state().plugins.get(plugin).map(|plugin| plugin.root)
    }

    /// Calls a plugin if it has the callback. Its result, if it has one. A trap crashes the plugin.
    fn call(&mut self, plugin: PluginId, on: On, context: u32, args: [u32; 5]) -> Option<Option<u32>> {
        match self.try_call(plugin, on, context, args) {
            Ok(result) => result,
            Err(reason) => {
                lifecycle::crash(self, plugin, &reason);
                None
            }
        }
    }

    /// The truth value that a plugin returned.
    fn is_true(&mut self, value: u32) -> bool {
        value == 1 || value != 0 && self.state().config.choices.any_number_is_true
    }

    /// Calls a plugin if it has the callback. Its result, if it has one.
    ///
    /// # Errors
    ///
    /// Why it trapped.
    fn try_call(
        &mut self,
        plugin: PluginId,
        on: On,
        context: u32,
        args: [u32; 5],
    ) -> Result<Option<Option<u32>>, String> {
        let Some(state) = self.state.as_mut() else { return Ok(None) };
        let Some(found) = state.plugins.get(plugin) else { return Ok(None) };
        let Some(vm) = found.vm else { return Ok(None) };
        let guest = self.guests.get_mut(vm).and_then(Option::as_mut).filter(|guest| guest.has(on));
        let Some(guest) = guest else { return Ok(None) };
        state.active.plugin = plugin;
        state.active.callback = Some(on);
        state.active.context = context;
        state.active.stream = found.contexts.get(&context).and_then(|context| context.stream);
        if let Some(observer) = &mut state.observer {
            let arity = guest.arity(on).min(args.len());
            observer.callback(plugin, on.name(), &args[..arity]);
        }
        let result = guest.call(on, args, &mut self.state);
        let (time, max) = guest.spent();
        self.count(plugin, time, max);
        let state = self.state();
        // Cleared first, as a crash makes other plugins run.
        let active = &mut state.active;
        let changes = active.changes.take();
        (active.callback, active.context, active.stream, active.logged) = (None, 0, None, (0, 0));
        if !crate::planted::has(crate::planted::Planted::AnswerStays) {
            active.subject = None;
        }
        match result {
            Ok(result) => {
                if let Some(observer) = &mut state.observer {
                    observer.returned(plugin, on.name(), result);
                }
                Ok(Some(result))
            }
            Err(trap) => {
                planted!(OpenKeepsChanges => return Err(trap.reason));
                endings::undo(self, changes.map_or_else(Vec::new, |changes| changes.undo));
                Err(trap.reason)
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("plugins", &self.sources.len()).finish_non_exhaustive()
    }
}
