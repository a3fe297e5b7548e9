//! The plugins of a proxy, by id. An id is never reused; a removed plugin keeps a slot of a few bytes.

use std::collections::VecDeque;

use super::Plugin;
use crate::PluginId;

/// All plugins.
#[derive(Default)]
pub(crate) struct Plugins {
    slots: Vec<Slot>,
    /// Removed plugins to which something is still charged.
    leaving: VecDeque<PluginId>,
}

enum Slot {
    Present(Box<Plugin>),
    Removed {
        /// The plugin that has replaced it.
        successor: Option<PluginId>,
        /// Streams continue without it, as its policy said.
        open: bool,
        /// The operator has retired it: new streams do not run through it.
        retired: bool,
    },
}

impl Plugins {
    pub(crate) fn insert(&mut self, plugin: Plugin) -> PluginId {
        self.slots.push(Slot::Present(Box::new(plugin)));
        PluginId(self.slots.len() - 1)
    }

    #[inline]
    pub(crate) fn get(&self, id: PluginId) -> Option<&Plugin> {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => Some(plugin),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PluginId) -> Option<&mut Plugin> {
        match self.slots.get_mut(id.0) {
            Some(Slot::Present(plugin)) => Some(plugin),
            _ => None,
        }
    }

    /// Whether an id belongs to this proxy.
    pub(crate) fn knows(&self, id: PluginId) -> bool {
        id.0 < self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Present(plugin) => Some(&**plugin),
            Slot::Removed { .. } => None,
        })
    }

    /// Whether streams continue without a plugin that does not run.
    pub(crate) fn fails_open(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => plugin.failure.open,
            Some(Slot::Removed { open, .. }) => *open,
            None => false,
        }
    }

    /// Whether new streams do not run through a plugin.
    pub(crate) fn is_retired(&self, id: PluginId) -> bool {
        match self.slots.get(id.0) {
            Some(Slot::Present(plugin)) => plugin.retired,
            Some(Slot::Removed { retired, .. }) => *retired,
            None => false,
        }
    }

    /// The plugin that has replaced another.
    fn successor(&self, id: PluginId) -> Option<PluginId> {
        match self.slots.get(id.0)? {
            Slot::Present(plugin) => plugin.rollout.filter(|_| plugin.retired).map(|rollout| rollout.to),
            Slot::Removed { successor, .. } => *successor,
        }
    }

    /// The plugin that has replaced a plugin by now, through any number of replacements. Shortens the path, so that the next lookup
    /// takes one step.
    pub(crate) fn current(&mut self, id: PluginId) -> PluginId {
        let mut last = id;
        while let Some(next) = self.successor(last) {
            last = next;
        }
        let mut at = id;
        while let Some(next) = self.successor(at).filter(|_| at != last) {
            match &mut self.slots[at.0] {
                Slot::Removed { successor, .. } => *successor = Some(last),
                Slot::Present(plugin) => {
                    if let Some(rollout) = &mut plugin.rollout {
                        rollout.to = last;
                    }
                }
            }
            at = next;
        }
        last
    }

    /// Sets the successor of a removed plugin.
    pub(crate) fn succeed(&mut self, id: PluginId, new: PluginId) {
        if let Some(Slot::Removed { successor, .. }) = self.slots.get_mut(id.0) {
            *successor = Some(new);
        }
    }

    /// Frees some of the plugins to which something was still charged when they were removed.
    pub(crate) fn free_leaving(&mut self) {
        /// Plugins to try at a time, as this runs after each event.
        const MAX_TRIES: usize = 16;
        for _ in 0..self.leaving.len().min(MAX_TRIES) {
            let Some(id) = self.leaving.pop_front() else { return };
            if let Some(plugin) = self.get_mut(id) {
                plugin.leaving = false;
            }
            self.free(id);
        }
    }

    /// Frees the memory of a plugin that was removed and has no place in a stream; later, if something is still charged to it, such
    /// as effects that are not drained.
    pub(crate) fn free(&mut self, id: PluginId) {
        // A plugin that has crashed stays until the operator removes or replaces it.
        let is_free = |plugin: &&Plugin| plugin.has_ended() && plugin.places == 0 && plugin.is_released();
        if let Some(plugin) = self.get(id).filter(is_free) {
            if plugin.account.used() > 0 {
                if let Some(plugin) = self.get_mut(id).filter(|plugin| !plugin.leaving) {
                    plugin.leaving = true;
                    self.leaving.push_back(id);
                }
                return;
            }
            let (open, retired, successor) = (plugin.failure.open, plugin.retired, self.successor(id));
            self.slots[id.0] = Slot::Removed { successor, open, retired };
        }
    }
}
