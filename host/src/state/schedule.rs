//! How the state puts entries on the work list, and takes them.

use std::sync::Arc;

use super::State;
use super::account::NOTICE;
use super::work::Work;
use crate::ids::PluginId;

impl State {
    /// The entry for the last callbacks of a plugin's context.
    pub(crate) fn finalise(&self, plugin: PluginId, context: u32) -> Work {
        let known = self.plugins.get(plugin).and_then(|found| found.contexts.get(&context));
        let stream = known.and_then(|known| known.stream).and_then(|(stream, _)| self.streams.get(stream));
        Work::Finalise { stream: stream.map(|stream| stream.id), plugin, context }
    }

    /// Schedules what a call has asked for, until the callback has returned.
    pub(crate) fn defer(&mut self, work: Work) {
        self.agenda.last(work);
    }

    /// Schedules the notices of an item in a queue, which are charged to the active plugin.
    pub(crate) fn notify(&mut self, readers: Arc<Vec<PluginId>>, queue: u32) {
        if !readers.is_empty() {
            self.plugin().account.add(NOTICE * readers.len());
            let (places, payer) = (0..readers.len(), self.active.plugin);
            self.defer(Work::QueueReady { readers, places, queue, payer });
        }
    }
}
