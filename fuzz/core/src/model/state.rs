//! What the model knows of a run. The sections of the specification change it, and [`super::run`] asks them to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use pw_abi::{Status, Version};
use pw_cases::scenario::Scenario;
use pw_cases::script::Act;

use super::calls::{Calls, Subject};
use super::finding::{Finding, Wanted};
use super::instance::{Canary, Instance, Link, Vm};
use super::metrics::Metrics;
use super::queues::Queues;
use super::store::Store;
use super::stream::{Direction, Held, Stream};
use crate::coverage::Coverage;

/// What the model knows of a run so far.
pub struct Model {
    pub(in crate::model) scenario: Arc<Scenario>,
    pub(in crate::model) version: Version,
    pub(in crate::model) instances: Vec<Instance>,
    pub(in crate::model) vms: Vec<Vm>,
    /// What new streams run through.
    pub(in crate::model) chain: Vec<Link>,
    pub(in crate::model) canary: Option<Canary>,
    pub(in crate::model) frame: Option<Frame>,
    /// What is to happen to streams once the host has finished what it is doing: the stream's number and what happens.
    pub(in crate::model) pending: VecDeque<(u32, Next)>,
    pub(in crate::model) streams: BTreeMap<u32, Stream>,
    /// The index of the current step; `None` before the first.
    pub(in crate::model) step: Option<usize>,
    /// Nanoseconds since the start: the earliest and the latest time that it may be within this step.
    pub(in crate::model) time: (u64, u64),
    pub(in crate::model) shared: Store,
    pub(in crate::model) queues: Queues,
    pub(in crate::model) metrics: Metrics,
    pub(in crate::model) calls: Calls,
    /// Lines that are to be in the log: plugin, level, message.
    pub(in crate::model) log: Vec<(usize, u32, Vec<u8>)>,
    /// The number of them that were seen.
    pub(in crate::model) logged: usize,
    /// The model can no longer follow the run, and reports nothing more.
    pub(in crate::model) blind: bool,
    pub(in crate::model) findings: Vec<Finding>,
    /// The callbacks that have come in this step, by the plugin.
    pub(in crate::model) called: Vec<(usize, &'static str)>,
    /// Each action of the script that was done, by its id, and its status; `None` if the guest crashed in it.
    pub(in crate::model) answers: Vec<(u32, Option<u32>)>,
    pub(in crate::model) coverage: Coverage,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What cannot be right; at most one, as the model cannot follow the run after it.
    pub findings: Vec<Finding>,
    /// The statuses and callbacks that were reached.
    pub coverage: Coverage,
    /// The actions of the scripts that were done, by their ids, and their statuses; `None` where the guest crashed.
    pub answers: Vec<(u32, Option<u32>)>,
    /// The callbacks that came in the last step, by the plugin.
    pub called: Vec<(usize, &'static str)>,
}

/// What is to happen to a stream because of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Next {
    /// The message that is paused at a place of the chain is resumed.
    Resume(usize, Direction),
    /// What a plugin holds at a place of the chain goes on without it, as it has crashed.
    PassOn(usize, Direction),
    /// A local response replaces all other messages.
    LocalResponse,
}

/// The running callback.
pub(in crate::model) struct Frame {
    pub(in crate::model) instance: usize,
    pub(in crate::model) callback: usize,
    pub(in crate::model) name: &'static str,
    /// The context that it is about, and the one that its calls act on.
    pub(in crate::model) context: u32,
    pub(in crate::model) effective: u32,
    /// The plugin whose script the probe follows, the place of the entry in it, and the number of its actions that were done.
    pub(in crate::model) script: usize,
    pub(in crate::model) entry: usize,
    pub(in crate::model) next: usize,
    /// The piece of a message that it is about: the stream, the place in its chain, the direction.
    pub(in crate::model) piece: Option<(u32, usize, Direction)>,
    /// What it is about, if not a stream.
    pub(in crate::model) subject: Subject,
    /// Contexts that end when it has returned.
    pub(in crate::model) finished: Vec<u32>,
    pub(in crate::model) calls: u32,
    /// The old values of the properties that it has set: stream, path, value.
    pub(in crate::model) properties: Vec<(u32, Vec<u8>, Option<Vec<u8>>)>,
    /// What was held of its stream's messages before it changed any of that.
    pub(in crate::model) before: Option<[Held; 2]>,
    /// How much was pending when it began.
    pub(in crate::model) pending: usize,
    /// It has acted on another context than its own.
    pub(in crate::model) strays: bool,
}

impl Model {
    pub(in crate::model) fn find(&mut self, about: &str, message: &str, plugin: Option<usize>) {
        self.found(about, message, plugin, None);
    }

    /// A callback has come that must not.
    pub(in crate::model) fn came(&mut self, name: &'static str, message: &str, plugin: usize) {
        self.found(name, message, Some(plugin), Some(Wanted::Never(name)));
    }

    /// Whether a case can say what a call returns there: it knows only the size, or the address, of what is written to another place than the
    /// probe's own.
    fn sees(&self, id: u32, name: &str) -> bool {
        let scripts = self.scenario.plugins.iter().filter_map(|plugin| plugin.guest.script());
        let act = scripts.flat_map(|script| script.actions()).find(|action| action.id == id).map(|action| &action.act);
        matches!(act, Some(Act::Call { outs, .. }) if outs.iter().any(|out| out.name == name))
    }

    pub(in crate::model) fn found(
        &mut self,
        about: &str,
        message: &str,
        plugin: Option<usize>,
        wanted: Option<Wanted>,
    ) {
        if self.blind {
            return;
        }
        let live = |plugin: usize| self.instances.iter().filter(|found| found.plugin == plugin && !found.ended).count();
        let is_alone = plugin.is_none_or(|plugin| live(plugin) <= 1);
        let (mut before, mut tells) = (0, true);
        match &wanted {
            Some(Wanted::Answer(id, wrong)) => {
                let once = self.answers.iter().filter(|(known, _)| known == id).count() <= 1;
                tells = once && wrong.returned.as_ref().is_none_or(|(name, _)| self.sees(*id, name));
            }
            Some(Wanted::Never(name)) => {
                tells = is_alone;
                before = self.called.iter().filter(|called| plugin == Some(called.0) && called.1 == *name).count();
            }
            Some(Wanted::Due(_) | Wanted::Argument(..)) => tells = is_alone,
            Some(Wanted::Metric(..) | Wanted::Out(_) | Wanted::Line(_)) => {}
            None => tells = false,
        }
        let (about, message) = (about.to_owned(), message.to_owned());
        self.findings.push(Finding { about, message, plugin, before, tells, wanted });
        self.blind = true;
    }
}

/// The name of the running callback, for messages.
pub(in crate::model) fn frame_name(frame: &Option<Frame>) -> &'static str {
    frame.as_ref().map_or("no callback", |frame| frame.name)
}

// Statuses as numbers.
pub(in crate::model) const OK: u32 = Status::OK.0;
pub(in crate::model) const NOT_FOUND: u32 = Status::NOT_FOUND.0;
pub(in crate::model) const BAD_ARGUMENT: u32 = Status::BAD_ARGUMENT.0;
