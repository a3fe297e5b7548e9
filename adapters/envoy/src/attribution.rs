//! Whose line is it: from lines of Envoy's log to what they say of the plugins of a scenario.
//!
//! Envoy instantiates a module several times: a base VM, a canary, then one VM for the main thread and one for the
//! worker. Streams are served by the worker, so a plugin's transcript is that of its VM there. A plugin in the background
//! is in the main thread only, and its transcript is that of its last VM, which stays. Guest lines are marked:
//! those of a stream by the plugin's name, `root_id` and `vm_id`, those of a root context by the latter two, those of
//! a VM's own context by nothing. Where the mark says nothing, the call that is running does: Envoy traces each.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use pw_cases::data::Data;
use pw_cases::protocol::Plugin;
use pw_cases::scenario::Failure;

use crate::config;
use crate::contexts::Contexts;
use crate::log::{Level, Line};

/// What a line says of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which VM of its thread wrote it, counted from 0 by creation.
    pub vm: usize,
    /// It is the main thread's, not the worker's.
    pub main: bool,
    /// The plugin, by its place in the chain.
    pub plugin: usize,
    /// What.
    pub finding: Finding,
}

/// The content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The guest logged.
    Log(Level, Data),
    /// The VM failed, in Envoy's words.
    Fault(String),
    /// A VM was made.
    Born,
    /// A VM was removed, and so many are left in the process.
    Gone(u32),
}

/// What the names of functions begin with that are about streams only.
const STREAMS: [&[u8]; 5] = [
    b"proxy_on_request",
    b"proxy_on_response",
    b"proxy_on_new_connection",
    b"proxy_on_downstream",
    b"proxy_on_upstream",
];

/// Reads the lines of one scenario.
pub struct Attribution {
    main: u32,
    plugins: Vec<Known>,
    /// How many of the distinct VMs are of plugins in the background, which come first.
    background: usize,
    threads: [Thread; 2],
    contexts: Contexts,
    /// The home whose VM had failed when a plugin there got another configuration.
    revived: Option<usize>,
}

struct Known {
    /// What follows `wasm log`, up to the message: of its streams, and of its root.
    marks: [Vec<u8>; 2],
    /// Which of the distinct VMs it lives in.
    home: usize,
    /// It is on no stream.
    background: bool,
    /// Its bytes hold the names of its exports.
    wasm: Vec<u8>,
    /// The functions that it gets, if not all.
    capabilities: Option<Vec<String>>,
    /// It is started again after a fault.
    reloads: bool,
}

/// What is known of a thread.
#[derive(Default)]
struct Thread {
    /// VMs made.
    born: usize,
    /// Of these, base VMs.
    bases: usize,
    /// The homes whose VMs have failed.
    failed: BTreeSet<usize>,
    /// The plugin that seems to run.
    current: usize,
    /// Calls into guests that have not returned.
    depth: usize,
    /// How often each call was made.
    calls: HashMap<Vec<u8>, usize>,
    /// Which plugins have a function, for those that were called.
    able: HashMap<Vec<u8>, Vec<usize>>,
}

impl Attribution {
    /// For the plugins of a chain in a process whose id is `main`.
    pub fn new(main: u32, plugins: &[Plugin]) -> Attribution {
        let key = |plugin: &'_ Plugin| (plugin.vm_id.clone(), plugin.vm_configuration.clone(), plugin.wasm.clone());
        let mut homes = Vec::new();
        let mut background = 0;
        for asked in [true, false] {
            for key in plugins.iter().filter(|plugin| plugin.background == asked).map(key) {
                if !homes.contains(&key) {
                    homes.push(key);
                }
            }
            background = if asked { homes.len() } else { background };
        }
        let known = plugins.iter().map(|plugin| {
            let home = homes.iter().position(|home| *home == key(plugin)).unwrap_or_default();
            let root_id = config::root_id(plugin, plugins.len() == 1);
            let marks = [[plugin.name.as_str(), root_id, &plugin.vm_id], ["", root_id, &plugin.vm_id]];
            let wasm = BASE64.decode(&plugin.wasm).unwrap_or_default();
            Known {
                marks: marks.map(mark),
                home,
                background: plugin.background,
                wasm,
                capabilities: plugin.capabilities.clone(),
                reloads: plugin.failure == Failure::Reload,
            }
        });
        let plugins: Vec<Known> = known.collect();
        let homes = plugins.iter().map(|plugin| (!plugin.background).then_some(plugin.home));
        let contexts = Contexts::new(homes.collect());
        Attribution { main, plugins, background, threads: Default::default(), contexts, revived: None }
    }

    /// A client has opened a stream.
    pub fn stream(&mut self) {
        self.contexts.add_stream();
    }

    /// A plugin, by its place in the chain, has got another configuration: it begins again, beside the old one if its VM
    /// lives.
    pub fn reconfigured(&mut self, plugin: usize) {
        let home = self.plugins[plugin].home;
        let [worker, _] = &self.threads;
        if worker.failed.contains(&home) {
            self.revived = Some(home);
        } else {
            self.contexts.add_own(plugin);
        }
    }

    /// Reads a line, if it is about plugins.
    pub fn read(&mut self, line: &Line) -> Option<Found> {
        if line.component != "wasm" || self.plugins.is_empty() {
            return None;
        }
        let main = line.thread == self.main;
        let finding = self.finding(main, line)?;
        let thread = &self.threads[usize::from(main)];
        Some(Found { vm: thread.born.saturating_sub(1), main, plugin: thread.current, finding })
    }

    fn finding(&mut self, main: bool, line: &Line) -> Option<Finding> {
        let Attribution { plugins, background, threads, contexts, revived, .. } = self;
        let thread = &mut threads[usize::from(main)];
        let message = line.message.as_slice();
        if let Some(logged) = message.strip_prefix(b"wasm log") {
            let (plugin, text) = marked(plugins, logged)?;
            thread.current = plugin.unwrap_or(thread.current);
            return Some(Finding::Log(line.level, Data::from(text)));
        }
        if let Some(call) = message.strip_prefix(b"[host->vm] ") {
            // In the background a plugin's log and the VM that was made last tell.
            if thread.depth == 0 && !(main && *background > 0) {
                thread.guess(call, plugins, contexts);
            }
            thread.depth += 1;
        } else if message.starts_with(b"[host<-vm] ") {
            thread.depth = thread.depth.saturating_sub(1);
        } else if line.level >= Level::Error {
            thread.depth = thread.depth.saturating_sub(usize::from(message.starts_with(b"Function: ")));
            // What it means for the plugin's filter is said besides, by each thread.
            let consequence = message.starts_with(b"Plugin ");
            // The call answers, and the guest goes on.
            let refused = message.starts_with(b"Attempted call to restricted ");
            if consequence || refused {
                return None;
            }
            thread.failed.extend(plugins.get(thread.current).map(|plugin| plugin.home));
            return Some(Finding::Fault(line.text()));
        } else if let Some(rest) = message.strip_prefix(b"~Wasm ") {
            let left =
                rest.split(|byte| *byte == b' ').next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            return left.map(Finding::Gone);
        } else if message.starts_with(b"Base Wasm created") || message.starts_with(b"Thread-Local Wasm created") {
            thread.born += 1;
            thread.depth = 0;
            // The main thread makes a base VM and copies of it for each home in turn, the worker one copy for each; what
            // it makes besides is in the place of one that has failed, the first in the chain first.
            let reloads = |home: &usize| plugins.iter().any(|plugin| plugin.home == *home && plugin.reloads);
            let reloaded = thread.failed.iter().copied().find(reloads);
            let home = match revived.take().or(reloaded).filter(|_| !main) {
                Some(home) => {
                    thread.failed.remove(&home);
                    thread.calls.clear();
                    contexts.renew(home, reloaded == Some(home));
                    home
                }
                None => {
                    thread.bases += usize::from(!main || message.starts_with(b"Base"));
                    thread.bases.saturating_sub(1) + if main { 0 } else { *background }
                }
            };
            thread.current = plugins.iter().position(|plugin| plugin.home == home).unwrap_or(thread.current);
            return Some(Finding::Born);
        }
        None
    }
}

impl Known {
    fn has(&self, function: &[u8]) -> bool {
        let allowed = |names: &Vec<String>| names.iter().any(|name| name.as_bytes() == function);
        self.capabilities.as_ref().is_none_or(allowed) && contains(&self.wasm, function)
    }
}

impl Thread {
    /// Whom a call goes to. Of those that have such a function and a context of that number, the first call of a kind
    /// goes to the first plugin of the chain, the next to the next; on the way back it is the other way round.
    fn guess(&mut self, call: &[u8], plugins: &[Known], contexts: &Contexts) {
        if plugins.len() < 2 {
            return;
        }
        let mut words = call.split(|byte| matches!(byte, b'(' | b',' | b')'));
        let function = words.next().unwrap_or_default();
        let able = self.able.entry(function.to_vec()).or_insert_with(|| {
            let is_able = |at: &usize| !plugins[*at].background && plugins[*at].has(function);
            let mut able: Vec<usize> = (0..plugins.len()).filter(is_able).collect();
            if function.starts_with(b"proxy_on_response") || function.starts_with(b"proxy_on_upstream") {
                able.reverse();
            }
            able
        });
        let streams = STREAMS.iter().any(|start| function.starts_with(start));
        let number = words.next().unwrap_or_default();
        let context = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        let owns = |plugin: &&usize| context.is_some_and(|context| contexts.has(**plugin, context, streams));
        let owners: Vec<usize> = able.iter().filter(owns).copied().collect();
        let among = if owners.is_empty() { &*able } else { &owners };
        let count = self.calls.entry([function, b" ", number].concat()).or_default();
        if !among.is_empty() {
            self.current = among[*count % among.len()];
        }
        *count += 1;
    }
}

/// Splits the mark off: the plugin, if the mark tells, and the message.
fn marked<'a>(plugins: &[Known], logged: &'a [u8]) -> Option<(Option<usize>, &'a [u8])> {
    let marks = plugins.iter().enumerate().flat_map(|(at, plugin)| plugin.marks.iter().map(move |mark| (at, mark)));
    let fitting = marks.filter_map(|(at, mark)| Some((mark.len(), at, logged.strip_prefix(mark.as_slice())?)));
    let longest = fitting.max_by_key(|(length, at, _)| (*length, usize::MAX - at));
    let told = longest.filter(|(length, ..)| *length > 2).map(|(_, at, text)| (Some(at), text));
    told.or_else(|| logged.strip_prefix(b": ").map(|text| (None, text)))
}

/// A mark of these words: those that are not empty, each after a space, and a colon.
fn mark(words: [&str; 3]) -> Vec<u8> {
    let words = words.into_iter().filter(|word| !word.is_empty()).map(|word| format!(" {word}"));
    (words.collect::<String>() + ": ").into_bytes()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: u32 = 1;
    const WORKER: u32 = 2;

    fn plugin(name: &str, vm_id: &str, wasm: &str) -> Plugin {
        Plugin {
            name: name.into(),
            vm_id: vm_id.into(),
            vm_configuration: Data::default(),
            configuration: Data::default(),
            background: false,
            standby: false,
            log_only: false,
            limits: Default::default(),
            failure: Default::default(),
            capabilities: None,
            environment: Default::default(),
            wasm: BASE64.encode(wasm),
        }
    }

    fn line(thread: u32, level: Level, message: &str) -> Line {
        Line { thread, level, component: "wasm".into(), message: message.into() }
    }

    /// Reads lines; the last one's plugin and finding are as said.
    #[track_caller]
    fn check(attribution: &mut Attribution, lines: &[(u32, Level, &str)], plugin: usize, finding: Finding) {
        let found = lines.iter().map(|(thread, level, text)| attribution.read(&line(*thread, *level, text))).last();
        let found = found.flatten().expect("the last line says something");
        assert_eq!((found.plugin, found.finding), (plugin, finding));
    }

    fn log(text: &str) -> Finding {
        Finding::Log(Level::Info, text.into())
    }

    #[test]
    fn marks() {
        let plugins = [plugin("a", "v w", "x"), plugin("a b", "", "y")];
        let mut attribution = Attribution::new(MAIN, &plugins);
        let rows = [
            ("wasm log a a v w: one: two", 0, "one: two"),
            ("wasm log a v w: root", 0, "root"),
            ("wasm log a b a b: stream", 1, "stream"),
            ("wasm log a b: root", 1, "root"),
            ("wasm log: own", 1, "own"),
            ("wasm log a b: ", 1, ""),
        ];
        for (text, at, message) in rows {
            check(&mut attribution, &[(WORKER, Level::Info, text)], at, log(message));
        }
    }

    #[test]
    fn a_lone_plugin_has_no_root_id() {
        let mut attribution = Attribution::new(MAIN, &[plugin("a", "", "x")]);
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log: root")], 0, log("root"));
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log a: stream")], 0, log("stream"));
    }

    #[test]
    fn unmarked_lines_go_to_the_vm_that_was_made_last() {
        let plugins = [plugin("a", "1", "x"), plugin("b", "1", "x"), plugin("c", "2", "x")];
        let mut attribution = Attribution::new(MAIN, &plugins);
        let main = [
            (MAIN, Level::Debug, "Base Wasm created 1 now active"),
            (MAIN, Level::Debug, "Thread-Local Wasm created 2 now active"),
            (MAIN, Level::Debug, "Base Wasm created 4 now active"),
            (MAIN, Level::Info, "wasm log: hello"),
        ];
        check(&mut attribution, &main, 2, log("hello"));
        let worker = [
            (WORKER, Level::Debug, "Thread-Local Wasm created 4 now active"),
            (WORKER, Level::Debug, "Thread-Local Wasm created 5 now active"),
            (WORKER, Level::Info, "wasm log: hello"),
        ];
        check(&mut attribution, &worker, 2, log("hello"));
    }

    #[test]
    fn the_vms_of_the_background_come_first_and_are_not_the_workers() {
        let plugins = [plugin("web", "1", "f"), Plugin { background: true, ..plugin("back", "1", "g") }];
        let mut attribution = Attribution::new(MAIN, &plugins);
        let main = [
            (MAIN, Level::Debug, "Base Wasm created 1 now active"),
            (MAIN, Level::Debug, "Thread-Local Wasm created 2 now active"),
            (MAIN, Level::Info, "wasm log: hello"),
        ];
        check(&mut attribution, &main, 1, log("hello"));
        let main = [
            (MAIN, Level::Debug, "Base Wasm created 3 now active"),
            (MAIN, Level::Trace, "[host->vm] g(1)"),
            (MAIN, Level::Info, "wasm log: hello"),
        ];
        check(&mut attribution, &main, 0, log("hello"));
        let worker = [
            (WORKER, Level::Debug, "Thread-Local Wasm created 4 now active"),
            (WORKER, Level::Trace, "[host->vm] g(1)"),
            (WORKER, Level::Info, "wasm log: hello"),
        ];
        check(&mut attribution, &worker, 0, log("hello"));
    }

    #[test]
    fn faults_go_to_the_plugin_that_runs() {
        let plugins = [plugin("a", "", "f"), plugin("b", "", "fg"), plugin("c", "", "g")];
        let failed =
            "Function: f failed: Uncaught RuntimeError: unreachable\nProxy-Wasm plugin in-VM backtrace:\n 0: x";
        let reason = "Function: f failed: Uncaught RuntimeError: unreachable";
        let mut attribution = Attribution::new(MAIN, &plugins);
        let lines = [
            (WORKER, Level::Trace, "[host->vm] f(2, 1)"),
            (WORKER, Level::Trace, "[host<-vm] f return: 0"),
            (WORKER, Level::Trace, "[host->vm] f(2, 1)"),
            (WORKER, Level::Error, failed),
        ];
        check(&mut attribution, &lines, 1, Finding::Fault(reason.into()));
        let lines = [
            (WORKER, Level::Trace, "[host->vm] f(3, 1)"),
            (WORKER, Level::Info, "wasm log b b: it is me"),
            (WORKER, Level::Error, failed),
        ];
        check(&mut attribution, &lines, 1, Finding::Fault(reason.into()));
    }

    #[test]
    fn a_call_that_is_refused_is_no_fault() {
        let mut attribution = Attribution::new(MAIN, &[plugin("a", "", "x")]);
        let text = "Attempted call to restricted proxy-wasm capability: proxy_done";
        assert_eq!(attribution.read(&line(WORKER, Level::Error, text)), None);
    }

    #[test]
    fn a_callback_that_a_plugin_does_not_get_is_another_ones() {
        let restricted = Plugin { capabilities: Some(vec!["g".into()]), ..plugin("a", "", "fg") };
        let mut attribution = Attribution::new(MAIN, &[restricted, plugin("b", "", "fg")]);
        let lines = [(WORKER, Level::Trace, "[host->vm] f(2, 1)"), (WORKER, Level::Error, "Function: f failed: x")];
        check(&mut attribution, &lines, 1, Finding::Fault("Function: f failed: x".into()));
    }

    #[test]
    fn a_vm_that_is_made_anew_is_that_of_the_plugin_that_failed() {
        let again = |name| Plugin { failure: Failure::Reload, ..plugin(name, name, "f") };
        let mut attribution = Attribution::new(MAIN, &[again("a"), again("b"), plugin("c", "c", "f")]);
        let born = (WORKER, Level::Debug, "Thread-Local Wasm created 9 now active");
        let lines = [
            born,
            born,
            born,
            (WORKER, Level::Info, "wasm log b b: stream"),
            (WORKER, Level::Error, "Function: f failed: x"),
            (WORKER, Level::Info, "wasm log c c: stream"),
            born,
            (WORKER, Level::Info, "wasm log: again"),
        ];
        check(&mut attribution, &lines, 1, log("again"));
    }

    #[test]
    fn a_call_goes_to_a_plugin_that_has_such_a_context() {
        let plugins = [plugin("a", "a", "proxy_on_request_body"), plugin("b", "b", "proxy_on_request_body")];
        let mut attribution = Attribution::new(MAIN, &plugins);
        attribution.reconfigured(0);
        attribution.stream();
        for (call, at) in [("[host->vm] proxy_on_request_body(2, 1)", 1), ("[host->vm] proxy_on_request_body(3, 1)", 0)]
        {
            let fault = (WORKER, Level::Error, "Function: proxy_on_request_body failed: x");
            let finding = Finding::Fault("Function: proxy_on_request_body failed: x".into());
            check(&mut attribution, &[(WORKER, Level::Trace, call), fault], at, finding);
        }
    }

    #[test]
    fn the_end_of_vms() {
        let mut attribution = Attribution::new(MAIN, &[plugin("a", "", "x")]);
        check(&mut attribution, &[(MAIN, Level::Debug, "~Wasm 3 remaining active")], 0, Finding::Gone(3));
    }
}
