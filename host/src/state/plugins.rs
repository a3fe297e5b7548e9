//! The plugins of a proxy, by id. An id is never given twice; what is gone for good leaves a few bytes.

use std::collections::VecDeque;

use super::Plugin;
use crate::PluginId;

/// All plugins.
#[derive(Default)]
pub(crate) struct Plugins {
    slots: Vec<Slot>,
    /// Those that are gone, and to which something is still charged.
    leaving: VecDeque<PluginId>,
}

enum Slot {
    There(Box<Plugin>),
    Gone {
        /// The plugin that has its place.
        successor: Option<PluginId>,
        /// Streams went on without it when it failed.
        open: bool,
        /// It was removed as the operator wished: streams do not run through it.
        retired: bool,
    },
}

impl Plugins {
    pub(crate) fn insert(&mut self, plugin: Plugin) -> PluginId {
        self.slots.push(Slot::There(Box::new(plugin)));
        PluginId(self.slots.len() - 1)
    }

    #[inline]
    pub(crate) fn get(&self, id: PluginId) -> Option<&Plugin> {
        match self.slots.get(id.0) {
            Some(Slot::There(plugin)) => Some(plugin),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PluginId) -> Option<&mut Plugin> {
        match self.slots.get_mut(id.0) {
            Some(Slot::There(plugin)) => Some(plugin),
            _ => None,
        }
    }

    /// Whether such an id was ever given.
    pub(crate) fn knows(&self, id: PluginId) -> bool {
        id.0 < self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::There(plugin) => Some(&**plugin),
            Slot::Gone { .. } => None,
        })
    }

    /// Whether streams go on without a plugin that is not there.
    pub(crate) fn fails_open(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::There(plugin)) => plugin.failure.open,
            Some(Slot::Gone { open, .. }) => *open,
            None => false,
        }
    }

    /// Whether new streams do not run through a plugin.
    pub(crate) fn is_retired(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::There(plugin)) => plugin.retired,
            Some(Slot::Gone { retired, .. }) => *retired,
            None => false,
        }
    }

    /// The plugin that has taken the place of another.
    fn successor(&self, id: PluginId) -> Option<PluginId> {
        match self.slots.get(id.0)? {
            Slot::There(plugin) => plugin.rollout.filter(|_| plugin.retired).map(|rollout| rollout.to),
            Slot::Gone { successor, .. } => *successor,
        }
    }

    /// The plugin that has a plugin's place by now. Ways that are long become short, so that the next one is found at once.
    pub(crate) fn current(&mut self, id: PluginId) -> PluginId {
        let mut last = id;
        while let Some(next) = self.successor(last) {
            last = next;
        }
        let mut at = id;
        while let Some(next) = self.successor(at).filter(|_| at != last) {
            match &mut self.slots[at.0] {
                Slot::Gone { successor, .. } => *successor = Some(last),
                Slot::There(plugin) => {
                    if let Some(rollout) = &mut plugin.rollout {
                        rollout.to = last;
                    }
                }
            }
            at = next;
        }
        last
    }

    /// A plugin that is gone has a successor by now.
    pub(crate) fn succeed(&mut self, id: PluginId, new: PluginId) {
        if let Some(Slot::Gone { successor, .. }) = self.slots.get_mut(id.0) {
            *successor = Some(new);
        }
    }

    /// Frees some of those to which something was still charged when they went.
    pub(crate) fn free_leaving(&mut self) {
        /// Of very many only some, since it is tried after each event.
        const SOME: usize = 16;
        for _ in 0..self.leaving.len().min(SOME) {
            let Some(id) = self.leaving.pop_front() else { return };
            if let Some(plugin) = self.get_mut(id) {
                plugin.leaving = false;
            }
            self.free(id);
        }
    }

    /// Frees what a plugin took, if it is gone for good and no stream has a place for it; later, if something is still charged to
    /// it, such as effects that nobody has drained.
    pub(crate) fn free(&mut self, id: PluginId) {
        // One that has crashed is still the operator's: its place can be taken.
        let is_free = |plugin: &&Plugin| plugin.is_gone() && plugin.places == 0 && plugin.is_given_back();
        if let Some(plugin) = self.get(id).filter(is_free) {
            if plugin.account.used() > 0 {
                if let Some(plugin) = self.get_mut(id).filter(|plugin| !plugin.leaving) {
                    plugin.leaving = true;
                    self.leaving.push_back(id);
                }
                return;
            }
            let (open, retired, successor) = (plugin.failure.open, plugin.retired, self.successor(id));
            self.slots[id.0] = Slot::Gone { successor, open, retired };
        }
    }
}
