//! What is known of one of Envoy's threads: which VMs it has made, and whom its calls seem to go to.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::Known;
use crate::contexts::Contexts;

/// What the names of functions begin with that are about streams only.
const STREAMS: [&[u8]; 5] = [
    b"proxy_on_request",
    b"proxy_on_response",
    b"proxy_on_new_connection",
    b"proxy_on_downstream",
    b"proxy_on_upstream",
];

/// What is known of a thread.
#[derive(Default)]
pub(super) struct Thread {
    /// VMs made.
    pub(super) born: usize,
    /// The homes whose VMs are made next, in the main thread as base VMs.
    pub(super) awaited: VecDeque<usize>,
    /// The homes whose VMs have been made.
    made: BTreeSet<usize>,
    /// Of these, those whose VMs have failed.
    pub(super) failed: BTreeSet<usize>,
    /// The home of the VM that was made last.
    pub(super) latest: usize,
    /// The plugin that seems to run.
    pub(super) current: usize,
    /// Calls into guests that have not returned.
    pub(super) depth: usize,
    /// How often each call was made.
    calls: HashMap<Vec<u8>, usize>,
    /// Which plugins have a function, for those that were called.
    able: HashMap<Vec<u8>, Vec<usize>>,
}

impl Thread {
    /// The VMs of these homes are to be made, if they are not there, and no others.
    pub(super) fn awaits(&mut self, homes: impl Iterator<Item = usize>) {
        self.awaited.clear();
        for home in homes {
            let lives = self.made.contains(&home) && !self.failed.contains(&home);
            if !lives && !self.awaited.contains(&home) {
                self.awaited.push_back(home);
            }
        }
    }

    /// Only VMs of these homes are left.
    pub(super) fn keep(&mut self, homes: &BTreeSet<usize>) {
        self.made = &self.made & homes;
        self.failed = &self.failed & homes;
    }

    /// A VM is made, `anew` if it is no copy of one of this thread. The main thread makes a base VM and copies of it for
    /// each home in turn, the worker one VM for each.
    pub(super) fn make(&mut self, anew: bool, plugins: &[Known], chain: &[usize], contexts: &mut Contexts) {
        self.born += 1;
        self.depth = 0;
        if anew {
            match self.awaited.pop_front() {
                Some(home) => self.latest = home,
                None => self.reload(plugins, chain, contexts),
            }
            self.made.insert(self.latest);
            if self.failed.remove(&self.latest) {
                self.calls.clear();
            }
        }
        let resides = |at: &usize| plugins[*at].home == self.latest;
        if !resides(&self.current) || !chain.contains(&self.current) {
            let mut residents = chain.iter().copied().chain(0..plugins.len());
            self.current = residents.find(resides).unwrap_or(self.current);
        }
    }

    /// A stream makes plugins come back whose VM has failed, one after the other; of several VMs that of the first.
    fn reload(&mut self, plugins: &[Known], chain: &[usize], contexts: &mut Contexts) {
        let reloads = |home: &&usize| plugins.iter().any(|plugin| plugin.home == **home && plugin.reloads);
        let Some(home) = self.failed.iter().find(reloads).copied() else { return };
        self.latest = home;
        contexts.clear(home);
        for plugin in chain.iter().filter(|at| plugins[**at].home == home && plugins[**at].reloads) {
            contexts.add_own(*plugin);
            contexts.add_stream(*plugin);
        }
    }

    /// Whom a call goes to. Of those that have such a function and a context of that number, the first call of a kind
    /// goes to the first plugin of the chain, the next to the next; on the way back it is the other way round.
    pub(super) fn guess(&mut self, call: &[u8], plugins: &[Known], contexts: &Contexts) {
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
