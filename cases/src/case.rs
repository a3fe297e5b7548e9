//! A case: what its file says, read but not yet brought to a version of the ABI.

use std::collections::BTreeMap;
use std::fmt;

use pw_abi::{Function, Version};

use crate::node::Node;
use crate::scenario::{PluginSettings, Step};
use crate::want::Want;

/// A case as its file says it.
#[derive(Clone, Debug)]
pub struct Case {
    /// `http_fields/get_value_missing_key`.
    pub id: String,
    /// The file's path, for messages.
    pub file: String,
    /// The file's text.
    pub source: String,
    /// One sentence that says what holds if the case passes.
    pub title: String,
    /// The ids of the statements that it checks, in the order of the file.
    pub statements: Vec<&'static str>,
    /// The clauses that it checks: those of its statements, and those that it names itself.
    pub clauses: Vec<String>,
    /// How binding they are.
    pub level: Level,
    /// The versions that it runs for, oldest first.
    pub versions: Vec<Version>,
    /// Why it matters.
    pub why: Option<String>,
    /// What the specification's authors would have to decide.
    pub question: Option<String>,
    /// It may take a host down.
    pub hazard: bool,
    /// The client and the upstream speak HTTP/1.1.
    pub http1: bool,
    /// How the host answers open questions, by the name of the choice; the others as it usually does.
    pub choices: BTreeMap<String, bool>,
    /// It calls every function that the host has, and does not need any of them.
    pub every_function: bool,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) steps: Vec<CaseStep>,
    pub(crate) expect: Expect,
    /// Outcomes, of which one must hold as a whole: what is then expected of the run.
    pub(crate) outcomes: Vec<(String, Expect)>,
}

/// The outcome to which an alternative belongs that is called so; perhaps none of that name exists.
pub(crate) fn outcome_of(answer: &str) -> &str {
    answer.split_once(": ").map_or(answer, |(outcome, _)| outcome)
}

/// In an order of callbacks, what follows the name of one to mean its end.
pub(crate) const RETURNED: &str = " returned";

impl Case {
    /// All that is expected: of the steps, of the run, in the outcomes.
    pub(crate) fn expects(&self) -> impl Iterator<Item = &Expect> {
        let outcomes = self.steps.iter().flat_map(|step| &step.outcomes).chain(&self.outcomes);
        let always = self.steps.iter().map(|step| &step.expect).chain([&self.expect]);
        always.chain(outcomes.map(|(_, expect)| expect))
    }

    /// The plugins whose modules are texts, and these; `$marker` still stands in them.
    pub fn module_texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plugins.iter().filter_map(|plugin| match &plugin.module {
            Some(Module::Text { text, .. }) => Some((plugin.settings.name.as_str(), text.as_str())),
            _ => None,
        })
    }

    /// What is acceptable where there is a choice: the outcomes, or else the alternatives of each call and expectation, in the words of the
    /// record.
    pub fn readings(&self) -> Vec<Vec<&str>> {
        if !self.outcomes.is_empty() {
            return vec![self.outcomes.iter().map(|(name, _)| name.as_str()).collect()];
        }
        let does = self.steps.iter().flat_map(|step| &step.guest).map(|does| &does.what);
        let calls = does.filter_map(|what| match what {
            Does::Call { accept, .. } => Some(accept.iter().filter_map(Accept::name).collect()),
            _ => None,
        });
        let seen = self.expects().flat_map(Expect::alternatives).map(|(_, labels)| labels);
        calls.chain(seen).filter(|names: &Vec<&str>| names.len() > 1).collect()
    }

    /// What it comes from.
    pub fn origin(&self) -> Origin {
        if self.id.starts_with("generated/") {
            Origin::Generated
        } else if self.plugins.iter().any(|plugin| plugin.module.is_some()) {
            Origin::Module
        } else {
            Origin::Probe
        }
    }

    /// The case without its calls of these functions.
    pub fn without_calls(&self, functions: &[&str]) -> Case {
        let mut case = self.clone();
        for step in &mut case.steps {
            step.guest.retain(|does| match &does.what {
                Does::Call { function, .. } => function.text().map_or(true, |name| !functions.contains(&name)),
                _ => true,
            });
        }
        case
    }

    /// Whether a host that refuses a plugin of the case may be right.
    pub fn accepts_refusal(&self) -> bool {
        let run = [&self.expect].into_iter().chain(self.outcomes.iter().map(|(_, expect)| expect));
        run.filter_map(|expect| expect.start.as_ref()).any(|any| any.of.iter().any(|(started, _)| !started))
    }

    /// Whether the case says that it checks a function.
    pub fn cites(&self, function: &Function) -> bool {
        self.clauses.iter().any(|clause| function.is_called(clause.split('/').next().unwrap_or_default()))
    }
}

/// What a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table of the ABI.
    Generated,
    /// A hand-written file, in which the probe does what the case says.
    Probe,
    /// A hand-written file with a module of its own: those of the catalog are in WebAssembly's text format.
    Module,
}

impl Origin {
    /// All, with their names in reports.
    pub const ALL: [(Origin, &'static str); 3] = [
        (Origin::Generated, "generated from the table of the ABI"),
        (Origin::Probe, "with the probe"),
        (Origin::Module, "with modules of their own"),
    ];
}

/// How binding a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The specification says so.
    Required,
    /// The specification advises it.
    Recommended,
    /// The specification is silent or contradicts itself.
    Unspecified,
    /// It is not a matter of the specification: a feature of operators, or something that we add. Such cases are in
    /// `extensions`, and in no score.
    Extension,
    /// It is a case of the SDK kit: it judges plugins, and has no level of its own.
    Kit,
}

impl Level {
    /// The levels that case files can have, as they write them.
    pub const ALL: [(&'static str, Level); 4] = [
        ("required", Level::Required),
        ("recommended", Level::Recommended),
        ("unspecified", Level::Unspecified),
        ("extension", Level::Extension),
    ];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Level::ALL.iter().find(|(_, level)| level == self).map_or("kit", |(name, _)| name);
        f.write_str(name)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    pub(crate) line: usize,
    pub(crate) settings: PluginSettings,
    /// The plugin whose VM it shares.
    pub(crate) home: Option<usize>,
    pub(crate) module: Option<Module>,
    pub(crate) without: Vec<Node>,
    pub(crate) allocators: Option<Vec<Node>>,
    pub(crate) allocation: crate::script::Allocation,
    pub(crate) report_allocations: bool,
}

/// A module's file.
#[derive(Clone, Debug)]
pub(crate) enum Module {
    /// Text, in which `$marker` stands for the version's marker.
    Text {
        /// The file, as the case names it.
        name: String,
        text: String,
    },
    /// Anything else.
    Binary {
        /// The file, as the case names it, or a plugin of the SDK kit, after [`KIT`](crate::format::KIT).
        name: String,
        bytes: Vec<u8>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct CaseStep {
    pub(crate) line: usize,
    /// None for the start.
    pub(crate) step: Option<Step>,
    pub(crate) guest: Vec<GuestDoes>,
    pub(crate) expect: Expect,
    /// What is expected in outcomes of the case.
    pub(crate) outcomes: Vec<(String, Expect)>,
}

#[derive(Clone, Debug)]
pub(crate) struct GuestDoes {
    pub(crate) line: usize,
    pub(crate) plugin: Option<Node>,
    pub(crate) callback: Node,
    /// It is the callback that the step causes, and is due in the step.
    pub(crate) caused: bool,
    /// The host may leave the callback out.
    pub(crate) optional: bool,
    pub(crate) what: Does,
}

#[derive(Clone, Debug)]
pub(crate) enum Does {
    Trap,
    Returns(Node),
    Call { function: Node, args: Vec<(String, Node)>, accept: Vec<Accept>, save: Vec<(String, Node)> },
}

/// An answer of a call that is acceptable.
#[derive(Clone, Debug)]
pub(crate) struct Accept {
    pub(crate) expect: Node,
    pub(crate) returned: Vec<(String, Node)>,
    pub(crate) answer: Option<String>,
}

impl Accept {
    /// What to call it: its answer, or its status.
    fn name(&self) -> Option<&str> {
        self.answer.as_deref().or_else(|| self.expect.text().ok())
    }
}

/// What is expected of a window, or of the whole run.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    pub(crate) start: Option<AnyOf<bool>>,
    pub(crate) fault: Option<AnyOf<bool>>,
    pub(crate) callbacks: Option<AnyOf<Vec<String>>>,
    pub(crate) order: Option<(usize, Vec<String>)>,
    pub(crate) never: Option<(usize, Vec<String>)>,
    pub(crate) log: Option<(usize, Vec<LogLine>)>,
    pub(crate) never_log: Option<(usize, Vec<LogLine>)>,
    pub(crate) upstream: Option<AnyOf<Wire>>,
    pub(crate) client: Option<AnyOf<Wire>>,
    pub(crate) calls: Option<AnyOf<Vec<CallMade>>>,
    pub(crate) grpc: Option<AnyOf<Vec<GrpcMade>>>,
    pub(crate) arguments: Option<(usize, Vec<Arguments>)>,
    pub(crate) metrics: Option<(usize, Vec<(String, Want)>)>,
    /// What a log-only plugin would have done, one by one.
    pub(crate) would: Option<AnyOf<Vec<String>>>,
    /// A canary was rolled back.
    pub(crate) rolled_back: Option<(usize, bool)>,
}

impl Expect {
    /// What the alternatives of each expectation are called, and its line.
    pub(crate) fn alternatives(&self) -> Vec<(usize, Vec<&str>)> {
        fn of<T>(any: &Option<AnyOf<T>>) -> Option<(usize, Vec<&str>)> {
            any.as_ref().map(|any| (any.line, any.of.iter().map(|(_, label)| label.as_str()).collect()))
        }
        let Expect { start, fault, callbacks, upstream, client, calls, grpc, would, .. } = self;
        let all = [of(start), of(fault), of(callbacks), of(upstream), of(client), of(calls), of(grpc), of(would)];
        all.into_iter().flatten().collect()
    }
}

/// Alternatives, each with what to call it in the record.
#[derive(Clone, Debug)]
pub(crate) struct AnyOf<T> {
    pub(crate) line: usize,
    pub(crate) of: Vec<(T, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) plugin: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) message: Option<Want>,
}

/// What reached one side of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Nothing,
    Reset,
    /// Reset, or at its end.
    Closed,
    Message(Message),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) status: Option<Want>,
    pub(crate) headers: Vec<(String, Vec<Want>)>,
    pub(crate) absent: Vec<String>,
    pub(crate) body: Option<Want>,
    pub(crate) trailers: Vec<(String, Vec<Want>)>,
    pub(crate) absent_trailers: Vec<String>,
    pub(crate) end_of_stream: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct CallMade {
    pub(crate) upstream: Option<String>,
    pub(crate) message: Message,
}

/// A gRPC call or stream that reached its server.
#[derive(Clone, Debug)]
pub(crate) struct GrpcMade {
    pub(crate) upstream: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) metadata: Vec<(String, Vec<Want>)>,
    pub(crate) messages: Option<Vec<Want>>,
    pub(crate) end_of_stream: Option<bool>,
    pub(crate) reset: Option<bool>,
}

/// What a callback is called with, by the places of its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// Perhaps with a plugin's name and a slash in front.
    pub(crate) callback: String,
    pub(crate) wants: Vec<(usize, Want)>,
}
