//! The shared queues of a run.

use std::collections::{BTreeSet, VecDeque};

/// All queues, and the plugins that are to be notified of items.
#[derive(Default)]
pub(in crate::model) struct Queues {
    pub(in crate::model) queues: Vec<Queue>,
    /// Instance and id of the queue.
    pub(in crate::model) ready: Vec<(usize, u32)>,
    /// All ids that were ever returned.
    pub(in crate::model) ids: BTreeSet<u32>,
}

pub(in crate::model) struct Queue {
    pub(in crate::model) id: u32,
    pub(in crate::model) vm_id: String,
    pub(in crate::model) name: Vec<u8>,
    pub(in crate::model) items: VecDeque<Vec<u8>>,
    pub(in crate::model) readers: Vec<usize>,
    /// The VM ids that may use its id.
    pub(in crate::model) known_to: BTreeSet<String>,
}

impl Queues {
    /// An instance has ended.
    pub(in crate::model) fn remove(&mut self, instance: usize) {
        self.queues.iter_mut().for_each(|queue| queue.readers.retain(|reader| *reader != instance));
        self.ready.retain(|(reader, _)| *reader != instance);
    }

    /// The last plugin of a VM id has ended.
    pub(in crate::model) fn end(&mut self, vm_id: &str) {
        self.queues.retain(|queue| queue.vm_id != vm_id);
        for queue in &mut self.queues {
            queue.known_to.remove(vm_id);
        }
    }
}
