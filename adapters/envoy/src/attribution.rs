//! Whose line is it: from lines of Envoy's log to what they say of the plugins of a scenario.
//!
//! Envoy instantiates a module several times: a base VM, a canary, then one VM for the main thread and one for the
//! worker. Streams are served by the worker, so a plugin's transcript is that of its VM there. A plugin in the background
//! is in the main thread only, and its transcript is that of its last VM, which stays. Guest lines are marked:
//! those of a stream by the plugin's name, `root_id` and `vm_id`, those of a root context by the latter two, those of
//! a VM's own context by nothing. Where the mark says nothing, the call that is running does: Envoy traces each.
//! Plugins with one home, which is what their VM is made of, share a VM in each thread.

mod thread;

use std::collections::BTreeSet;

use crate::job::Plugin;
use pw_cases::data::Data;
use pw_cases::scenario::Failure;

use crate::config;
use crate::contexts::Contexts;
use crate::log::{Level, Line};
use thread::Thread;

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

/// Reads the lines of one scenario.
pub struct Attribution {
    main: u32,
    plugins: Vec<Known>,
    /// The plugins that new streams pass through.
    chain: Vec<usize>,
    /// Whoever is taken out of the chain ends at once.
    ends_at_once: bool,
    /// The plugins that have not ended.
    there: BTreeSet<usize>,
    threads: [Thread; 2],
    contexts: Contexts,
    /// The chain and the contexts before the latest change.
    before: Option<(Vec<usize>, Contexts)>,
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

impl Attribution {
    /// For the plugins of a scenario in a process whose id is `main`, with these in the chain. If `ends_at_once`, a plugin
    /// that is taken out of it is gone before the next change.
    pub fn new(main: u32, plugins: &[Plugin], chain: &[usize], ends_at_once: bool) -> Attribution {
        let home = |plugin| plugins.iter().position(|other| config::home(other) == config::home(plugin));
        let known = plugins.iter().map(|plugin| {
            let root_id = config::root_id(plugin, plugins.len() == 1);
            let marks = [
                [plugin.settings.name.as_str(), root_id, &plugin.settings.vm_id],
                ["", root_id, &plugin.settings.vm_id],
            ];
            let wasm = plugin.wasm.clone();
            Known {
                marks: marks.map(mark),
                home: home(plugin).unwrap_or_default(),
                background: plugin.settings.background,
                wasm,
                capabilities: plugin.settings.capabilities.clone(),
                reloads: plugin.settings.failure == Failure::Reload,
            }
        });
        let plugins: Vec<Known> = known.collect();
        let contexts = Contexts::new(plugins.iter().map(|plugin| plugin.home).collect());
        let mut attribution = Attribution {
            main,
            there: (0..plugins.len()).filter(|at| plugins[*at].background).collect(),
            plugins,
            chain: Vec::new(),
            ends_at_once,
            threads: Default::default(),
            contexts,
            before: None,
        };
        attribution.changes(chain, None);
        attribution
    }

    /// A client has opened a stream.
    pub fn stream(&mut self) {
        self.chain.iter().for_each(|plugin| self.contexts.add_stream(*plugin));
    }

    /// Envoy is told of another chain. Perhaps a plugin begins in it: it is new there, or it has got another configuration.
    pub fn changes(&mut self, chain: &[usize], begins: Option<usize>) {
        let Attribution { plugins, threads, contexts, there, .. } = self;
        let before = std::mem::replace(&mut self.chain, chain.to_vec());
        if self.ends_at_once {
            there.retain(|plugin| plugins[*plugin].background);
        }
        there.extend(&before);
        let home = |plugin: &usize| plugins[*plugin].home;
        let homes: BTreeSet<usize> = there.iter().map(home).collect();
        threads.iter_mut().for_each(|thread| thread.keep(&homes));
        self.before = Some((before, contexts.clone()));
        let [worker, main] = threads;
        let background = there.iter().filter(|plugin| plugins[**plugin].background).map(home);
        main.awaits(background.chain(chain.iter().map(home)));
        // In a VM that is made anew all its plugins begin, even those that stay as they were.
        worker.awaits(chain.iter().map(home));
        worker.awaited.iter().for_each(|home| contexts.clear(*home));
        let begin = chain.iter().filter(|at| worker.awaited.contains(&home(at)) || begins == Some(**at));
        begin.for_each(|plugin| contexts.add_own(*plugin));
        if let Some(plugin) = begins {
            main.latest = plugins[plugin].home;
            main.current = plugin;
        }
    }

    /// Envoy did not take that chain, and keeps the one before.
    pub fn keeps(&mut self) {
        if let Some((chain, contexts)) = self.before.take() {
            (self.chain, self.contexts) = (chain, contexts);
        }
        self.threads.iter_mut().for_each(|thread| thread.awaited.clear());
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
        let Attribution { plugins, chain, threads, contexts, .. } = self;
        let background = plugins.iter().any(|plugin| plugin.background);
        let thread = &mut threads[usize::from(main)];
        let message = line.message.as_slice();
        if let Some(logged) = message.strip_prefix(b"wasm log") {
            let (plugin, text) = marked(plugins, logged)?;
            thread.current = plugin.unwrap_or(thread.current);
            return Some(Finding::Log(line.level, Data::from(text)));
        }
        if let Some(call) = message.strip_prefix(b"[host->vm] ") {
            // In the background a plugin's log and the VM that was made last tell.
            if thread.depth == 0 && !(main && background) {
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
            // A base VM stays, whatever becomes of its copies.
            thread.failed.extend(plugins.get(thread.current).map(|plugin| plugin.home).filter(|_| !main));
            return Some(Finding::Fault(line.text()));
        } else if let Some(rest) = message.strip_prefix(b"~Wasm ") {
            let left =
                rest.split(|byte| *byte == b' ').next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            return left.map(Finding::Gone);
        } else if message.starts_with(b"Base Wasm created") || message.starts_with(b"Thread-Local Wasm created") {
            thread.make(!main || message.starts_with(b"Base"), plugins, chain, contexts);
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
    use pw_cases::scenario::PluginSettings;

    use super::*;

    const MAIN: u32 = 1;
    const WORKER: u32 = 2;

    fn plugin(name: &str, vm_id: &str, wasm: &str) -> Plugin {
        let settings = PluginSettings { name: name.into(), vm_id: vm_id.into(), ..PluginSettings::default() };
        Plugin { settings, wasm: wasm.into() }
    }

    /// All that are not in the background are in the chain.
    fn started(plugins: &[Plugin]) -> Attribution {
        let chain: Vec<usize> = (0..plugins.len()).filter(|at| !plugins[*at].settings.background).collect();
        Attribution::new(MAIN, plugins, &chain, false)
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
        let mut attribution = started(&plugins);
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
        let mut attribution = started(&[plugin("a", "", "x")]);
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log: root")], 0, log("root"));
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log a: stream")], 0, log("stream"));
    }

    #[test]
    fn unmarked_lines_go_to_the_vm_that_was_made_last() {
        let plugins = [plugin("a", "1", "x"), plugin("b", "1", "x"), plugin("c", "2", "x")];
        let mut attribution = started(&plugins);
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
        let plugins = [plugin("web", "1", "f"), plugin("back", "1", "g").set(|settings| settings.background = true)];
        let mut attribution = started(&plugins);
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
        let mut attribution = started(&plugins);
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
        let mut attribution = started(&[plugin("a", "", "x")]);
        let text = "Attempted call to restricted proxy-wasm capability: proxy_done";
        assert_eq!(attribution.read(&line(WORKER, Level::Error, text)), None);
    }

    #[test]
    fn a_callback_that_a_plugin_does_not_get_is_another_ones() {
        let restricted = plugin("a", "", "fg").set(|settings| settings.capabilities = Some(vec!["g".into()]));
        let mut attribution = started(&[restricted, plugin("b", "", "fg")]);
        let lines = [(WORKER, Level::Trace, "[host->vm] f(2, 1)"), (WORKER, Level::Error, "Function: f failed: x")];
        check(&mut attribution, &lines, 1, Finding::Fault("Function: f failed: x".into()));
    }

    #[test]
    fn a_vm_that_is_made_anew_is_that_of_the_plugin_that_failed() {
        let again = |name| plugin(name, name, "f").set(|settings| settings.failure = Failure::Reload);
        let mut attribution = started(&[again("a"), again("b"), plugin("c", "c", "f")]);
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
        let mut attribution = started(&plugins);
        let born = line(WORKER, Level::Debug, "Thread-Local Wasm created 1 now active");
        (0..2).for_each(|_| drop(attribution.read(&born)));
        attribution.changes(&[0, 1], Some(0));
        attribution.stream();
        for (call, at) in [("[host->vm] proxy_on_request_body(2, 1)", 1), ("[host->vm] proxy_on_request_body(3, 1)", 0)]
        {
            let fault = (WORKER, Level::Error, "Function: proxy_on_request_body failed: x");
            let finding = Finding::Fault("Function: proxy_on_request_body failed: x".into());
            check(&mut attribution, &[(WORKER, Level::Trace, call), fault], at, finding);
        }
    }

    const BORN: (u32, Level, &str) = (WORKER, Level::Debug, "Thread-Local Wasm created 1 now active");

    #[test]
    fn plugins_share_a_vm_that_is_made_once_and_made_anew_with_a_change() {
        let plugins = [plugin("one", "v", "f"), plugin("two", "v", "f"), plugin("c", "w", "f")];
        let mut attribution = started(&plugins);
        check(&mut attribution, &[BORN, BORN, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
        attribution.stream();
        let failed = Finding::Fault("Function: f failed: x".into());
        for (call, at) in [("[host->vm] f(3, 1)", 0), ("[host->vm] f(4, 2)", 1)] {
            let lines = [(WORKER, Level::Trace, call), (WORKER, Level::Error, "Function: f failed: x")];
            check(&mut attribution, &lines, at, failed.clone());
        }
        attribution.changes(&[0, 1, 2], Some(2));
        attribution.stream();
        let lines =
            [BORN, (WORKER, Level::Trace, "[host->vm] f(4, 2)"), (WORKER, Level::Error, "Function: f failed: x")];
        check(&mut attribution, &lines, 1, failed);
    }

    #[test]
    fn a_plugin_that_may_do_less_has_a_vm_of_its_own() {
        let bound = plugin("bound", "v", "f").set(|settings| settings.capabilities = Some(Vec::new()));
        let mut attribution = started(&[plugin("free", "v", "f"), bound]);
        check(&mut attribution, &[BORN, BORN, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
    }

    #[test]
    fn plugins_of_a_vm_come_back_one_after_the_other() {
        let again = |name| plugin(name, "v", "f").set(|settings| settings.failure = Failure::Reload);
        let mut attribution = started(&[again("one"), again("two")]);
        check(&mut attribution, &[BORN, (WORKER, Level::Info, "wasm log: own")], 0, log("own"));
        attribution.stream();
        let failed = (WORKER, Level::Error, "Function: f failed: x");
        let finding = Finding::Fault("Function: f failed: x".into());
        check(&mut attribution, &[(WORKER, Level::Trace, "[host->vm] f(4, 2)"), failed], 1, finding.clone());
        attribution.stream();
        let lines = [BORN, (WORKER, Level::Trace, "[host->vm] f(2, 1)"), failed];
        check(&mut attribution, &lines, 0, finding.clone());
        check(&mut attribution, &[(WORKER, Level::Trace, "[host->vm] f(4, 3)"), failed], 1, finding);
    }

    #[test]
    fn whoever_takes_a_place_has_a_vm_of_its_own_or_one_that_is_there() {
        let plugins = [plugin("a", "a", "f"), plugin("b", "b", "f"), plugin("new", "c", "f"), plugin("near", "b", "f")];
        let mut attribution = Attribution::new(MAIN, &plugins, &[0, 1], false);
        check(&mut attribution, &[BORN, BORN, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
        attribution.changes(&[3, 1], Some(3));
        attribution.keeps();
        attribution.changes(&[2, 1], Some(2));
        check(&mut attribution, &[BORN, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
        attribution.changes(&[3, 1], Some(3));
        attribution.stream();
        let fault = (WORKER, Level::Error, "Function: f failed: x");
        for (call, at) in [("[host->vm] f(2, 0)", 3), ("[host->vm] f(3, 2)", 3), ("[host->vm] f(4, 1)", 1)] {
            let lines = [(WORKER, Level::Trace, call), fault];
            check(&mut attribution, &lines, at, Finding::Fault("Function: f failed: x".into()));
        }
    }

    #[test]
    fn a_vm_that_has_ended_is_made_again() {
        let plugins = [plugin("a", "v", "f"), plugin("b", "w", "f"), plugin("again", "v", "f")];
        let mut attribution = Attribution::new(MAIN, &plugins, &[0], true);
        check(&mut attribution, &[BORN, (WORKER, Level::Info, "wasm log: own")], 0, log("own"));
        attribution.changes(&[1], Some(1));
        check(&mut attribution, &[BORN, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
        attribution.changes(&[1, 2], Some(2));
        check(&mut attribution, &[BORN, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
    }

    #[test]
    fn the_end_of_vms() {
        let mut attribution = started(&[plugin("a", "", "x")]);
        check(&mut attribution, &[(MAIN, Level::Debug, "~Wasm 3 remaining active")], 0, Finding::Gone(3));
    }
}
