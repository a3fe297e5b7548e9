//! What is known of one of Envoy's threads: which VMs it has created, and which plugins its calls seem to belong to.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::known::Known;
use crate::contexts::Contexts;

/// The first letters of the names of callbacks that are about streams only.
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
    /// The number of VMs that were created.
    pub(super) created: usize,
    /// The homes whose VMs are created next, in the main thread as base VMs.
    pub(super) awaited: VecDeque<usize>,
    /// The homes whose VMs were created.
    made: BTreeSet<usize>,
    /// Of these, those whose VMs have failed.
    pub(super) failed: BTreeSet<usize>,
    /// The home of the latest VM.
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
    /// The VMs of these homes will be created, if they are not there, and no others.
    pub(super) fn expect(&mut self, homes: impl Iterator<Item = usize>) {
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

    /// A VM was created, which is the copy of another one of this thread unless it is `original`. The main thread creates a base VM
    /// and copies of it for each home in turn, the worker one VM for each.
    pub(super) fn create(&mut self, original: bool, plugins: &[Known], chain: &[usize], contexts: &mut Contexts) {
        self.created += 1;
        self.depth = 0;
        if original {
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

    /// A stream makes Envoy reload plugins whose VM has failed, one after the other; of several VMs that of the first.
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

    /// Finds out which plugin a call seems to belong to. Of those with such a function and a context of that number, the first call of a
    /// kind belongs to the first plugin of the chain, the next to the next; of responses it is the other way round.
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
