//! Which plugins of a scenario have a context of which number. In each VM Envoy counts contexts from 1 as it creates them: one
//! for each plugin, then, for each stream, one for each plugin of the chain.
//!
//! Knows no log and no sockets; plugins are given by their place in the scenario, VMs by the number of their home.

use std::collections::BTreeMap;

/// The contexts of the thread that serves streams.
#[derive(Clone, Debug)]
pub struct Contexts {
    /// Each plugin's home.
    homes: Vec<usize>,
    /// By plugin and number, whether it is a stream's.
    owned: BTreeMap<(usize, u32), bool>,
}

impl Contexts {
    /// Before plugins start; `homes` has the home of each plugin.
    pub fn new(homes: Vec<usize>) -> Contexts {
        Contexts { homes, owned: BTreeMap::new() }
    }

    /// Whether a plugin has had a context of this number in its VM, and, if `streams`, one of a stream.
    pub fn has(&self, plugin: usize, context: u32, streams: bool) -> bool {
        self.owned.get(&(plugin, context)).is_some_and(|of_stream| *of_stream || !streams)
    }

    /// A plugin got its root context.
    pub fn add_own(&mut self, plugin: usize) {
        self.add(plugin, false);
    }

    /// A stream was opened that passes through a plugin.
    pub fn add_stream(&mut self, plugin: usize) {
        self.add(plugin, true);
    }

    /// The VM of a home was destroyed, with its contexts.
    pub fn clear(&mut self, home: usize) {
        let homes = &self.homes;
        self.owned.retain(|(owner, _), _| homes[*owner] != home);
    }

    fn add(&mut self, plugin: usize, of_stream: bool) {
        let home = self.homes[plugin];
        let there = self.owned.keys().filter(|(owner, _)| self.homes[*owner] == home);
        let latest = there.map(|(_, context)| *context).max().unwrap_or(0);
        self.owned.insert((plugin, latest + 1), of_stream);
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
    fn counts_in_each_vm_apart() {
        let mut contexts = Contexts::new(vec![1, 2, 3, 1]);
        let chain = [0, 1, 3];
        chain.into_iter().for_each(|plugin| contexts.add_own(plugin));
        check(&contexts, &[(0, 1), (1, 1), (3, 2)]);
        chain.into_iter().for_each(|plugin| contexts.add_stream(plugin));
        check(&contexts, &[(0, 1), (0, 3), (1, 1), (1, 2), (3, 2), (3, 4)]);
        assert!(contexts.has(1, 1, false) && !contexts.has(1, 1, true) && contexts.has(1, 2, true));
        contexts.clear(1);
        contexts.add_own(3);
        check(&contexts, &[(1, 1), (1, 2), (3, 1)]);
    }
}
