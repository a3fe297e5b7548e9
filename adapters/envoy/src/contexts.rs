//! Which plugins of a chain have a context of which number. In each VM Envoy counts contexts from 1 as it makes them: one
//! for each plugin, then, for each stream, one for each plugin of the chain.
//!
//! Knows no log and no sockets; plugins are known by their place in the chain, VMs by the number of their home.

use std::collections::BTreeMap;

/// The contexts of the thread that serves streams.
#[derive(Debug)]
pub struct Contexts {
    /// Each plugin's home; none for one that is on no stream.
    homes: Vec<Option<usize>>,
    /// By plugin and number, whether it is a stream's.
    owned: BTreeMap<(usize, u32), bool>,
}

impl Contexts {
    /// As it is when the plugins have started.
    pub fn new(homes: Vec<Option<usize>>) -> Contexts {
        let mut contexts = Contexts { homes, owned: BTreeMap::new() };
        (0..contexts.homes.len()).for_each(|plugin| contexts.add(plugin, false));
        contexts
    }

    /// Whether a plugin has had a context of this number in its VM, and, if `streams`, one of a stream.
    pub fn has(&self, plugin: usize, context: u32, streams: bool) -> bool {
        self.owned.get(&(plugin, context)).is_some_and(|of_stream| *of_stream || !streams)
    }

    /// A plugin got another context of its own.
    pub fn add_own(&mut self, plugin: usize) {
        self.add(plugin, false);
    }

    /// A stream was opened.
    pub fn add_stream(&mut self) {
        (0..self.homes.len()).for_each(|plugin| self.add(plugin, true));
    }

    /// A home's VM was made anew, perhaps for the stream that was opened last.
    pub fn renew(&mut self, home: usize, stream: bool) {
        let residents: Vec<usize> = (0..self.homes.len()).filter(|plugin| self.homes[*plugin] == Some(home)).collect();
        self.owned.retain(|(owner, _), _| !residents.contains(owner));
        residents.iter().for_each(|plugin| self.add(*plugin, false));
        residents.iter().filter(|_| stream).for_each(|plugin| self.add(*plugin, true));
    }

    fn add(&mut self, plugin: usize, of_stream: bool) {
        if let Some(home) = self.homes[plugin] {
            let there = self.owned.keys().filter(|(owner, _)| self.homes[*owner] == Some(home));
            let latest = there.map(|(_, context)| *context).max().unwrap_or(0);
            self.owned.insert((plugin, latest + 1), of_stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(contexts: &Contexts, expected: &[(usize, u32)]) {
        assert_eq!(contexts.owned.keys().copied().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_vm_counts_for_itself() {
        let mut contexts = Contexts::new(vec![Some(1), Some(2), None, Some(1)]);
        check(&contexts, &[(0, 1), (1, 1), (3, 2)]);
        contexts.add_stream();
        check(&contexts, &[(0, 1), (0, 3), (1, 1), (1, 2), (3, 2), (3, 4)]);
        contexts.renew(1, true);
        check(&contexts, &[(0, 1), (0, 3), (1, 1), (1, 2), (3, 2), (3, 4)]);
        contexts.add_own(1);
        contexts.add_stream();
        contexts.renew(1, false);
        check(&contexts, &[(0, 1), (1, 1), (1, 2), (1, 3), (1, 4), (3, 2)]);
        assert!(contexts.has(1, 3, false) && !contexts.has(1, 3, true));
        assert!(contexts.has(1, 4, true) && !contexts.has(0, 4, false));
    }
}
