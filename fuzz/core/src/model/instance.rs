//! A plugin at work as the model has it: its VM, and how far the script is there; its contexts, what it has asked for.

use std::collections::BTreeMap;

use pw_cases::scenario::Plugin;
use pw_cases::script::{self, PAGES, Script};

/// A VM. A plugin that gets another configuration stays in its VM if that has an id.
pub(super) struct Vm {
    /// How often each callback was called.
    pub(super) called: Vec<usize>,
    /// Bytes of memory, as seen last.
    pub(super) memory: usize,
    /// The newer allocator has told that it was called.
    pub(super) allocator_told: bool,
}

/// A plugin at work.
pub(super) struct Instance {
    /// The plugin's place in the scenario.
    pub(super) plugin: usize,
    pub(super) vm: usize,
    pub(super) contexts: BTreeMap<u32, Context>,
    /// The plugin's own context, once it is known.
    pub(super) root: Option<u32>,
    /// It is not to be called any more.
    pub(super) dead: bool,
    /// It answered its start with false.
    pub(super) refuses: bool,
    pub(super) configuration: Vec<u8>,
    /// Period and next due time, in nanoseconds.
    pub(super) tick: Option<(u64, u64)>,
    /// It was started again some time within a step, so that it is not known when its ticks are due.
    pub(super) vague: bool,
    /// It has started, now or before it crashed.
    pub(super) started: bool,
    /// It is not started again: the operator has taken it away, or it has been started again already.
    pub(super) stays_away: bool,
}

/// A context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The stream, and the place in its chain.
    pub(super) stream: Option<(u32, usize)>,
    pub(super) state: State,
}

/// How far a context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// `proxy_on_done` answered that it is still needed.
    Pending,
    /// It may go.
    Done,
    Logged,
}

impl Default for Vm {
    fn default() -> Vm {
        Vm { called: vec![0; script::callbacks().count()], memory: PAGES as usize * 0x1_0000, allocator_told: false }
    }
}

impl Instance {
    pub(super) fn new(plugin: usize, vm: usize, configuration: Vec<u8>) -> Instance {
        Instance {
            plugin,
            vm,
            contexts: BTreeMap::new(),
            root: None,
            dead: false,
            refuses: false,
            configuration,
            tick: None,
            vague: false,
            started: false,
            stays_away: false,
        }
    }

    /// Its VM is gone, and with it all that it has asked for.
    pub(super) fn end(&mut self) {
        self.dead = true;
        self.contexts.clear();
        self.tick = None;
    }
}

/// The script of a plugin that is a probe.
pub(super) fn script(plugin: &Plugin) -> Option<&Script> {
    plugin.guest.script()
}

/// Whether a plugin has a callback that every version has, and gets it.
pub(super) fn exports(plugin: &Plugin, name: &str) -> bool {
    script(plugin).is_none_or(|script| !script.without.contains(&name)) && may(plugin, name)
}

/// Whether a plugin may call a function, or gets a callback.
pub(super) fn may(plugin: &Plugin, name: &str) -> bool {
    plugin.settings.capabilities.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
}
