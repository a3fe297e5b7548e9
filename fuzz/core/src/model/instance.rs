//! A running plugin as the model sees it: its VM, and how much of the script was done there; its contexts, its tick; its place in the
//! chain of new streams.

use std::collections::BTreeMap;

use pw_cases::scenario::{Plugin, Scenario, roots};
use pw_cases::script::{self, PAGES, Script};

use crate::share::{homes, members};

/// A VM. A plugin that gets another configuration stays in its VM if the VM has an id.
pub(super) struct Vm {
    /// For each plugin of the scenario the number of calls of each callback.
    called: Vec<usize>,
    /// The plugin whose script the probe follows where it knows no better, and for each plugin context in the order of their creation.
    home: usize,
    roots: Vec<usize>,
    /// How many plugin contexts were created.
    begun: usize,
    /// Whose script is followed in each context.
    owners: BTreeMap<u32, usize>,
    /// Bytes of memory, as seen last.
    pub(super) memory: usize,
    /// The newer allocator has logged its first call.
    pub(super) allocator_logged: bool,
}

/// A running plugin.
pub(super) struct Instance {
    /// The plugin's index in the scenario.
    pub(super) plugin: usize,
    pub(super) vm: usize,
    pub(super) contexts: BTreeMap<u32, Context>,
    /// The plugin's own context, once it is known.
    pub(super) root: Option<u32>,
    /// It must not be called any more.
    pub(super) ended: bool,
    /// It answered its start with false.
    pub(super) refuses: bool,
    pub(super) configuration: Vec<u8>,
    /// Period and next due time, in nanoseconds.
    pub(super) tick: Option<(u64, u64)>,
    /// When its ticks are due is not known: it was started again at some time within a step, or asked for them because of one that was.
    pub(super) restarted: bool,
    /// It has started, or had started before it crashed.
    pub(super) started: bool,
    /// It is not started again: the operator has removed it, or it was started again already.
    pub(super) stays_ended: bool,
    /// It has crashed, and streams continue without it.
    pub(super) passes: bool,
    /// How often in a row it has crashed, the one that it replaces included.
    pub(super) crashes: u32,
    /// The earliest and the latest time at which it may have crashed, in nanoseconds.
    pub(super) crashed: (u64, u64),
}

/// A place in the chain of new streams.
pub(super) struct Link {
    /// The plugin that the operator has put there at first.
    pub(super) plugin: usize,
    /// The instance that has the place now; that of its canary is in [`Canary`].
    pub(super) instance: usize,
    /// The operator has removed it.
    pub(super) is_out: bool,
}

/// A canary that was neither promoted nor rolled back yet.
pub(super) struct Canary {
    /// The instance that it may replace.
    pub(super) of: usize,
    pub(super) to: usize,
    /// How many of a hundred new streams it gets.
    pub(super) share: u8,
    /// In how many of its streams in a hundred it may crash.
    pub(super) faults: u64,
    pub(super) streams: u64,
    pub(super) crashes: u64,
}

impl Link {
    pub(super) fn new(plugin: usize, instance: usize) -> Link {
        Link { plugin, instance, is_out: false }
    }
}

/// A context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The stream, and the place in its chain.
    pub(super) stream: Option<(u32, usize)>,
    pub(super) state: State,
}

/// The state of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// `proxy_on_done` answered that it is still needed.
    Pending,
    /// It may be deleted.
    Done,
    Logged,
}

impl Vm {
    /// The VM of a plugin, and of those that share it.
    pub(super) fn of(plugin: usize, scenario: &Scenario) -> Vm {
        let homes = homes(&scenario.plugins);
        let home = homes[plugin];
        let members = members(&homes, home);
        let settings: Vec<_> = members.iter().map(|member| &scenario.plugins[*member].settings).collect();
        let roots = match members.len() {
            1 => Vec::new(),
            _ => roots(&settings, scenario.steps.iter()).into_iter().map(|root| members[usize::from(root)]).collect(),
        };
        Vm {
            called: vec![0; scenario.plugins.len() * script::callbacks().count()],
            home,
            roots,
            begun: 0,
            owners: BTreeMap::new(),
            memory: PAGES as usize * 0x1_0000,
            allocator_logged: false,
        }
    }

    /// A callback begins. Whose script the probe follows in it, and how many entries of that were used before.
    pub(super) fn enter(&mut self, callback: usize, name: &str, args: &[u32]) -> (usize, usize) {
        let owner = if self.roots.is_empty() { self.home } else { self.owner(name, args) };
        let called = &mut self.called[owner * script::callbacks().count() + callback];
        let before = *called;
        *called += 1;
        (owner, before)
    }

    fn owner(&mut self, name: &str, args: &[u32]) -> usize {
        let known = |context: &u32| self.owners.get(context).copied().unwrap_or(self.home);
        match (name, args) {
            ("proxy_on_context_create", [context, parent, ..]) => {
                let owner = match parent {
                    0 => self.roots.get(self.begun).copied().unwrap_or(self.home),
                    parent => known(parent),
                };
                self.begun += usize::from(*parent == 0);
                self.owners.insert(*context, owner);
                owner
            }
            (_, [context, ..]) => known(context),
            _ => self.home,
        }
    }
}

impl Instance {
    pub(super) fn new(plugin: usize, vm: usize, configuration: Vec<u8>) -> Instance {
        Instance {
            plugin,
            vm,
            contexts: BTreeMap::new(),
            root: None,
            ended: false,
            refuses: false,
            configuration,
            tick: None,
            restarted: false,
            started: false,
            stays_ended: false,
            passes: false,
            crashes: 0,
            crashed: (0, 0),
        }
    }

    /// Its VM has ended, and with it its contexts and its tick.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.contexts.clear();
        self.tick = None;
    }
}

/// The script of a plugin that is a probe.
pub(super) fn script(plugin: &Plugin) -> Option<&Script> {
    plugin.guest.script()
}

/// Whether a plugin gets a callback that every version has.
pub(super) fn exports(plugin: &Plugin, name: &str) -> bool {
    script(plugin).is_none_or(|script| !script.without.contains(&name)) && may(plugin, name)
}

/// Whether a plugin may call a function, or gets a callback.
pub(super) fn may(plugin: &Plugin, name: &str) -> bool {
    plugin.settings.capabilities.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
}
