//! Which plugin is a line about: from lines of Envoy's log to what they say of the plugins of a scenario.
//!
//! Envoy instantiates a module several times: a base VM, a canary, then one VM for the main thread and one for the
//! worker. The worker serves streams, so a plugin's transcript is that of its VM there. A plugin in the background
//! is in the main thread only, and its transcript is that of its latest VM, which stays. Lines of guests are marked:
//! those of a stream by the plugin's name, `root_id` and `vm_id`, those of a root context by the latter two, those of
//! a VM's own context by nothing. Where the mark is not enough, the call that is running decides: Envoy traces each.
//! Plugins with one home, which is what their VM is made of, share a VM in each thread.

mod known;
mod thread;

use std::collections::BTreeSet;

use pw_adapter_kit::job::Plugin;
use pw_adapter_kit::target::{Finding, Found, Vm};
use pw_cases::data::Data;

use crate::contexts::Contexts;
use crate::lds;
use crate::log::{Level, LogLine};
use known::Known;
use thread::Thread;

/// Reads the lines of one scenario.
pub struct Attribution {
    /// The number of the main thread.
    main: u32,
    plugins: Vec<Known>,
    /// The plugins that new streams pass through.
    chain: Vec<usize>,
    /// A plugin that is taken out of the chain ends at once.
    ends_at_once: bool,
    /// The plugins that have not ended.
    there: BTreeSet<usize>,
    threads: [Thread; 2],
    contexts: Contexts,
    /// The chain and the contexts before the latest change.
    before: Option<(Vec<usize>, Contexts)>,
}

impl Attribution {
    /// For the plugins of a scenario in a process whose main thread has this number, with these in the chain. If `ends_at_once`, a
    /// plugin that is taken out of it is gone before the next change.
    pub fn new(main: u32, plugins: &[Plugin], chain: &[usize], ends_at_once: bool) -> Attribution {
        let plugins = known::known(plugins);
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
        attribution.change(chain, None);
        attribution
    }

    /// A client has opened a stream.
    pub fn add_stream(&mut self) {
        self.chain.iter().for_each(|plugin| self.contexts.add_stream(*plugin));
    }

    /// Envoy gets another chain, in which the plugin `starts` starts: it is new there, or has another configuration.
    pub fn change(&mut self, chain: &[usize], starts: Option<usize>) {
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
        main.expect(background.chain(chain.iter().map(home)));
        // In a new VM all its plugins start, even those that stay as they were.
        worker.expect(chain.iter().map(home));
        worker.awaited.iter().for_each(|home| contexts.clear(*home));
        let starting = chain.iter().filter(|at| worker.awaited.contains(&home(at)) || starts == Some(**at));
        starting.for_each(|plugin| contexts.add_own(*plugin));
        if let Some(plugin) = starts {
            main.latest = plugins[plugin].home;
            main.current = plugin;
        }
    }

    /// Envoy has rejected that chain, and keeps the one before.
    pub fn keep(&mut self) {
        if let Some((chain, contexts)) = self.before.take() {
            (self.chain, self.contexts) = (chain, contexts);
        }
        self.threads.iter_mut().for_each(|thread| thread.awaited.clear());
    }

    /// Reads a line; `None` if it says nothing of plugins.
    pub fn read(&mut self, line: &LogLine) -> Option<Found> {
        if let Some(reason) = rejection(line) {
            return Some(Found { plugin: self.rejected(&reason), vm: Vm::Serving, finding: Finding::Rejected(reason) });
        }
        if line.component != "wasm" || self.plugins.is_empty() {
            return None;
        }
        let main = line.thread == self.main;
        let finding = self.finding(main, line)?;
        let thread = &self.threads[usize::from(main)];
        let vm = if main { Vm::Other(thread.created.saturating_sub(1)) } else { Vm::Serving };
        Some(Found { plugin: thread.current, vm, finding })
    }

    /// The plugin that a reason names: it ends with the plugin's name, which may end with another plugin's name.
    fn rejected(&self, reason: &str) -> usize {
        let named = self.plugins.iter().enumerate().filter(|(_, plugin)| reason.ends_with(&plugin.name));
        named.max_by_key(|(_, plugin)| plugin.name.len()).map_or(0, |(at, _)| at)
    }

    fn finding(&mut self, main: bool, line: &LogLine) -> Option<Finding> {
        let Attribution { plugins, chain, threads, contexts, .. } = self;
        let background = plugins.iter().any(|plugin| plugin.background);
        let thread = &mut threads[usize::from(main)];
        let message = line.message.as_slice();
        if let Some(logged) = message.strip_prefix(b"wasm log") {
            let (plugin, text) = marked(plugins, logged)?;
            thread.current = plugin.unwrap_or(thread.current);
            return Some(Finding::Log { level: line.level.name(), message: Data::from(text) });
        }
        if let Some(call) = message.strip_prefix(b"[host->vm] ") {
            // Of plugins in the background, the mark and the latest VM are enough.
            if thread.depth == 0 && !(main && background) {
                thread.guess(call, plugins, contexts);
            }
            thread.depth += 1;
        } else if message.starts_with(b"[host<-vm] ") {
            thread.depth = thread.depth.saturating_sub(1);
        } else if line.level >= Level::Error {
            thread.depth = thread.depth.saturating_sub(usize::from(message.starts_with(b"Function: ")));
            // Each thread also logs what it means for the plugin's filter.
            let consequence = message.starts_with(b"Plugin ");
            // The call returns, and the guest continues.
            let refused = message.starts_with(b"Attempted call to restricted ");
            if consequence || refused {
                return None;
            }
            // A base VM stays, even if a copy of it fails.
            thread.failed.extend(plugins.get(thread.current).map(|plugin| plugin.home).filter(|_| !main));
            return Some(Finding::Fault(line.text()));
        } else if let Some(rest) = message.strip_prefix(b"~Wasm ") {
            let left =
                rest.split(|byte| *byte == b' ').next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            return left.map(|left| Finding::Destroyed { left });
        } else if message.starts_with(b"Base Wasm created") || message.starts_with(b"Thread-Local Wasm created") {
            thread.create(!main || message.starts_with(b"Base"), plugins, chain, contexts);
            return Some(Finding::Created);
        }
        None
    }
}

/// Why Envoy has rejected the chain, or did not start with a plugin in the background, if a line says so.
fn rejection(line: &LogLine) -> Option<String> {
    match (line.component.as_str(), line.level) {
        ("config", Level::Warn | Level::Error | Level::Critical) => lds::rejection(&line.text()),
        ("main", Level::Critical) => lds::refusal(&line.text()),
        _ => None,
    }
}

/// Separates the mark of a line from its message. Returns the plugin, if the mark names one, and the message.
fn marked<'a>(plugins: &[Known], logged: &'a [u8]) -> Option<(Option<usize>, &'a [u8])> {
    let marks = plugins.iter().enumerate().flat_map(|(at, plugin)| plugin.marks.iter().map(move |mark| (at, mark)));
    let fitting = marks.filter_map(|(at, mark)| Some((mark.len(), at, logged.strip_prefix(mark.as_slice())?)));
    let longest = fitting.max_by_key(|(length, at, _)| (*length, usize::MAX - at));
    let named = longest.filter(|(length, ..)| *length > 2).map(|(_, at, text)| (Some(at), text));
    named.or_else(|| logged.strip_prefix(b": ").map(|text| (None, text)))
}

#[cfg(test)]
mod tests {
    use pw_cases::scenario::Failure;

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

    fn line(thread: u32, level: Level, message: &str) -> LogLine {
        LogLine { thread, level, component: "wasm".into(), message: message.into() }
    }

    /// Reads lines, of which the last says `finding` of `plugin`.
    #[track_caller]
    fn check(attribution: &mut Attribution, lines: &[(u32, Level, &str)], plugin: usize, finding: Finding) {
        let found = lines.iter().map(|(thread, level, text)| attribution.read(&line(*thread, *level, text))).last();
        let found = found.flatten().expect("the last line says something");
        assert_eq!((found.plugin, found.finding), (plugin, finding));
    }

    fn log(text: &str) -> Finding {
        Finding::Log { level: "INFO", message: text.into() }
    }

    #[test]
    fn reads_marks() {
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
    fn a_plugin_alone_has_no_root_id() {
        let mut attribution = started(&[plugin("a", "", "x")]);
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log: root")], 0, log("root"));
        check(&mut attribution, &[(WORKER, Level::Info, "wasm log a: stream")], 0, log("stream"));
    }

    #[test]
    fn unmarked_lines_belong_to_the_latest_vm() {
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
    fn vms_of_plugins_in_the_background_come_first_in_the_main_thread_only() {
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
    fn faults_belong_to_the_plugin_that_runs() {
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
    fn a_restricted_call_is_not_a_fault() {
        let mut attribution = started(&[plugin("a", "", "x")]);
        let text = "Attempted call to restricted proxy-wasm capability: proxy_done";
        assert_eq!(attribution.read(&line(WORKER, Level::Error, text)), None);
    }

    #[test]
    fn a_restricted_callback_belongs_to_another_plugin() {
        let restricted = plugin("a", "", "fg").set(|settings| settings.capabilities = Some(vec!["g".into()]));
        let mut attribution = started(&[restricted, plugin("b", "", "fg")]);
        let lines = [(WORKER, Level::Trace, "[host->vm] f(2, 1)"), (WORKER, Level::Error, "Function: f failed: x")];
        check(&mut attribution, &lines, 1, Finding::Fault("Function: f failed: x".into()));
    }

    #[test]
    fn a_new_vm_belongs_to_the_plugin_that_failed() {
        let again = |name| plugin(name, name, "f").set(|settings| settings.failure = Failure::Reload);
        let mut attribution = started(&[again("a"), again("b"), plugin("c", "c", "f")]);
        let created = (WORKER, Level::Debug, "Thread-Local Wasm created 9 now active");
        let lines = [
            created,
            created,
            created,
            (WORKER, Level::Info, "wasm log b b: stream"),
            (WORKER, Level::Error, "Function: f failed: x"),
            (WORKER, Level::Info, "wasm log c c: stream"),
            created,
            (WORKER, Level::Info, "wasm log: again"),
        ];
        check(&mut attribution, &lines, 1, log("again"));
    }

    #[test]
    fn a_call_belongs_to_a_plugin_with_its_context() {
        let plugins = [plugin("a", "a", "proxy_on_request_body"), plugin("b", "b", "proxy_on_request_body")];
        let mut attribution = started(&plugins);
        let created = line(WORKER, Level::Debug, "Thread-Local Wasm created 1 now active");
        (0..2).for_each(|_| drop(attribution.read(&created)));
        attribution.change(&[0, 1], Some(0));
        attribution.add_stream();
        for (call, at) in [("[host->vm] proxy_on_request_body(2, 1)", 1), ("[host->vm] proxy_on_request_body(3, 1)", 0)]
        {
            let fault = (WORKER, Level::Error, "Function: proxy_on_request_body failed: x");
            let finding = Finding::Fault("Function: proxy_on_request_body failed: x".into());
            check(&mut attribution, &[(WORKER, Level::Trace, call), fault], at, finding);
        }
    }

    const CREATED: (u32, Level, &str) = (WORKER, Level::Debug, "Thread-Local Wasm created 1 now active");

    #[test]
    fn plugins_share_a_vm_until_it_is_replaced() {
        let plugins = [plugin("one", "v", "f"), plugin("two", "v", "f"), plugin("c", "w", "f")];
        let mut attribution = started(&plugins);
        check(&mut attribution, &[CREATED, CREATED, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
        attribution.add_stream();
        let failed = Finding::Fault("Function: f failed: x".into());
        for (call, at) in [("[host->vm] f(3, 1)", 0), ("[host->vm] f(4, 2)", 1)] {
            let lines = [(WORKER, Level::Trace, call), (WORKER, Level::Error, "Function: f failed: x")];
            check(&mut attribution, &lines, at, failed.clone());
        }
        attribution.change(&[0, 1, 2], Some(2));
        attribution.add_stream();
        let lines =
            [CREATED, (WORKER, Level::Trace, "[host->vm] f(4, 2)"), (WORKER, Level::Error, "Function: f failed: x")];
        check(&mut attribution, &lines, 1, failed);
    }

    #[test]
    fn a_restricted_plugin_has_its_own_vm() {
        let bound = plugin("bound", "v", "f").set(|settings| settings.capabilities = Some(Vec::new()));
        let mut attribution = started(&[plugin("free", "v", "f"), bound]);
        check(&mut attribution, &[CREATED, CREATED, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
    }

    #[test]
    fn plugins_of_a_vm_are_reloaded_one_after_the_other() {
        let again = |name| plugin(name, "v", "f").set(|settings| settings.failure = Failure::Reload);
        let mut attribution = started(&[again("one"), again("two")]);
        check(&mut attribution, &[CREATED, (WORKER, Level::Info, "wasm log: own")], 0, log("own"));
        attribution.add_stream();
        let failed = (WORKER, Level::Error, "Function: f failed: x");
        let finding = Finding::Fault("Function: f failed: x".into());
        check(&mut attribution, &[(WORKER, Level::Trace, "[host->vm] f(4, 2)"), failed], 1, finding.clone());
        attribution.add_stream();
        let lines = [CREATED, (WORKER, Level::Trace, "[host->vm] f(2, 1)"), failed];
        check(&mut attribution, &lines, 0, finding.clone());
        check(&mut attribution, &[(WORKER, Level::Trace, "[host->vm] f(4, 3)"), failed], 1, finding);
    }

    #[test]
    fn replacement_gets_own_or_shared_vm() {
        let plugins = [plugin("a", "a", "f"), plugin("b", "b", "f"), plugin("new", "c", "f"), plugin("near", "b", "f")];
        let mut attribution = Attribution::new(MAIN, &plugins, &[0, 1], false);
        check(&mut attribution, &[CREATED, CREATED, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
        attribution.change(&[3, 1], Some(3));
        attribution.keep();
        attribution.change(&[2, 1], Some(2));
        check(&mut attribution, &[CREATED, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
        attribution.change(&[3, 1], Some(3));
        attribution.add_stream();
        let fault = (WORKER, Level::Error, "Function: f failed: x");
        for (call, at) in [("[host->vm] f(2, 0)", 3), ("[host->vm] f(3, 2)", 3), ("[host->vm] f(4, 1)", 1)] {
            let lines = [(WORKER, Level::Trace, call), fault];
            check(&mut attribution, &lines, at, Finding::Fault("Function: f failed: x".into()));
        }
    }

    #[test]
    fn a_vm_that_has_ended_is_created_again() {
        let plugins = [plugin("a", "v", "f"), plugin("b", "w", "f"), plugin("again", "v", "f")];
        let mut attribution = Attribution::new(MAIN, &plugins, &[0], true);
        check(&mut attribution, &[CREATED, (WORKER, Level::Info, "wasm log: own")], 0, log("own"));
        attribution.change(&[1], Some(1));
        check(&mut attribution, &[CREATED, (WORKER, Level::Info, "wasm log: own")], 1, log("own"));
        attribution.change(&[1, 2], Some(2));
        check(&mut attribution, &[CREATED, (WORKER, Level::Info, "wasm log: own")], 2, log("own"));
    }

    #[test]
    fn counts_the_vms_that_are_left() {
        let mut attribution = started(&[plugin("a", "", "x")]);
        check(&mut attribution, &[(MAIN, Level::Debug, "~Wasm 3 remaining active")], 0, Finding::Destroyed { left: 3 });
    }

    #[test]
    fn a_rejection_names_the_plugin_with_the_longest_name() {
        let mut attribution = started(&[plugin("a", "", "x"), plugin("b a", "", "x"), plugin("c", "", "x")]);
        let text = "REST config for x rejected: Error adding/updating listener(s) l: Unable to create Wasm plugin b a";
        let line = LogLine { component: "config".into(), ..line(MAIN, Level::Warn, text) };
        let finding = Finding::Rejected("Unable to create Wasm plugin b a".into());
        assert_eq!(attribution.read(&line), Some(Found { plugin: 1, vm: Vm::Serving, finding }));
    }
}
