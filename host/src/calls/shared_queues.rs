//! The section "Shared Queues". A queue belongs to a VM id and a name, and has one id for everybody.

use bytes::Bytes;
use pw_abi::{SharedQueues, Status};

use crate::planted::planted;
use crate::state::{Deferred, Queue, State};
use crate::value::Value;

impl SharedQueues for State {
    /// Whoever registers a queue is told of its items.
    fn proxy_register_shared_queue(&mut self, name: &[u8]) -> Result<u32, Status> {
        let vm_id = self.plugin().vm_id.clone();
        let known = self.queues.iter().position(|queue| queue.vm_id == vm_id && queue.name == name);
        let own = self.queues.iter().filter(|queue| queue.vm_id == vm_id).count();
        if known.is_none() && own >= self.limits().queues {
            return Err(Status::INTERNAL_FAILURE);
        }
        let index = known.unwrap_or_else(|| {
            self.queues.push(Queue { vm_id, name: name.to_vec(), ..Queue::default() });
            self.queues.len() - 1
        });
        let plugin = self.active.plugin;
        let readers = &mut self.queues[index].readers;
        if !readers.contains(&plugin) {
            readers.push(plugin);
        }
        Ok(index as u32 + 1)
    }

    /// An empty VM id is the plugin's own.
    fn proxy_resolve_shared_queue(&mut self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        let own = self.plugin().vm_id.clone();
        let vm_id = if vm_id.is_empty() { own.as_bytes() } else { vm_id };
        let found = self.queues.iter().position(|queue| queue.vm_id.as_bytes() == vm_id && queue.name == name);
        found.map(|index| index as u32 + 1).ok_or(Status::NOT_FOUND)
    }

    /// The readers are told when the callback has returned.
    fn proxy_enqueue_shared_queue(&mut self, queue: u32, value: &[u8]) -> Result<(), Status> {
        let most = self.limits().queue;
        let found = self.queue(queue)?;
        if found.size + value.len() > most {
            return Err(Status::INTERNAL_FAILURE);
        }
        found.size += value.len();
        found.items.push_back(Bytes::copy_from_slice(value));
        let mut readers = found.readers.clone();
        planted!(ReadyForTheSender => readers = vec![self.active.plugin]);
        self.deferred.extend(readers.into_iter().map(|plugin| Deferred::QueueReady { plugin, queue }));
        Ok(())
    }

    fn proxy_dequeue_shared_queue(&mut self, queue: u32) -> Result<Value, Status> {
        let found = self.queue(queue)?;
        let item = found.items.pop_front().ok_or(Status::EMPTY)?;
        found.size -= item.len();
        self.taken = Some((queue, item.clone()));
        planted!(ItemLost => self.taken = None);
        Ok(item.into())
    }
}

impl State {
    fn queue(&mut self, id: u32) -> Result<&mut Queue, Status> {
        let index = (id as usize).checked_sub(1).ok_or(Status::NOT_FOUND)?;
        self.queues.get_mut(index).ok_or(Status::NOT_FOUND)
    }

    /// Puts back what a call took and could not give to the guest.
    pub(crate) fn undo(&mut self) {
        if let Some((queue, item)) = self.taken.take()
            && let Ok(queue) = self.queue(queue)
        {
            queue.size += item.len();
            queue.items.push_front(item);
        }
    }
}
