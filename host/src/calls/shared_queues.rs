//! The section "Shared Queues". A queue belongs to a VM id and a name, and has the same id for all plugins; the id is valid in
//! the VM ids that have registered or resolved the queue.

use std::sync::Arc;

use bytes::Bytes;
use pw_abi::{SharedQueues, Status};

use crate::planted::planted;
use crate::state::account::{ENTRY, ITEM, NOTICE};
use crate::state::{Queue, State};
use crate::value::Value;

impl SharedQueues for State {
    /// A plugin that registers a queue is notified of its items, if it has the callback for that.
    fn proxy_register_shared_queue(&mut self, name: &[u8]) -> Result<u32, Status> {
        let max = self.limits().queues;
        let known = self.realm().queue_names.get(name).copied();
        let id = match known {
            Some(id) => id,
            None => {
                let cost = name.len() + 2 * ENTRY;
                if self.realm().queue_names.len() >= max || !self.realm_has_room(cost) {
                    return Err(Status::INTERNAL_FAILURE);
                }
                self.next_queue = self.next_queue.checked_add(1).ok_or(Status::INTERNAL_FAILURE)?;
                let (id, realm) = (self.next_queue, self.plugin().realm);
                self.queues.insert(id, Queue { realm, ..Queue::default() });
                let realm = self.realm();
                realm.queue_names.insert(name.to_vec(), id);
                realm.queues.insert(id);
                realm.account.add(cost);
                id
            }
        };
        let plugin = self.active.plugin;
        if self.plugin().gets_notices
            && self.plugin().queues.insert(id)
            && let Some(queue) = self.queues.get_mut(&id)
        {
            let readers = Arc::make_mut(&mut queue.readers);
            if !self.config.choices.items_are_announced_to_all {
                readers.clear();
            }
            planted!(LastReaderOnly => readers.clear());
            readers.push(plugin);
        }
        Ok(id)
    }

    /// An empty VM id is the plugin's own.
    fn proxy_resolve_shared_queue(&mut self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        let own = self.plugin().realm;
        let named = || self.realm_names.get(str::from_utf8(vm_id).ok()?).copied();
        let is_own = vm_id.is_empty() && self.config.choices.empty_vm_id_is_the_own;
        let realm = if is_own { Some(own) } else { named() };
        let mut found = realm.and_then(|realm| self.realms.get(realm)?.queue_names.get(name).copied());
        planted!(AnyVmId => if vm_id.is_empty() && found.is_none() {
            let mut all = self.realm_names.values().filter_map(|realm| self.realms.get(*realm));
            found = all.find_map(|realm| realm.queue_names.get(name).copied());
        });
        let id = found.ok_or(Status::NOT_FOUND)?;
        if !self.realm().queues.contains(&id) {
            if !self.realm_has_room(ENTRY) {
                return Err(Status::INTERNAL_FAILURE);
            }
            let realm = self.realm();
            realm.account.add(ENTRY);
            realm.queues.insert(id);
        }
        Ok(id)
    }

    /// The readers are notified when the callback has returned.
    fn proxy_enqueue_shared_queue(&mut self, queue: u32, value: &[u8]) -> Result<(), Status> {
        let (max, memory) = (self.limits().queue, self.limits().host_memory);
        let found = self.queue(queue)?;
        let (realm, size, count) = (found.realm, found.size.saturating_add(value.len()), found.readers.len());
        let cost = ITEM + value.len();
        let room = self.realms.get(realm).is_some_and(|realm| realm.account.has_room(cost, memory));
        if size > max || !room || !self.has_room(NOTICE * count) {
            return Err(Status::INTERNAL_FAILURE);
        }
        if let Some(realm) = self.realms.get(realm) {
            realm.account.add(cost);
        }
        let found = self.queues.get_mut(&queue).ok_or(Status::NOT_FOUND)?;
        found.size = size;
        found.items.push_back(Bytes::copy_from_slice(value));
        if count > 0 {
            let mut readers = found.readers.clone();
            planted!(ReadyForTheSender => readers = Arc::new(vec![self.active.plugin]));
            self.notify(readers, queue);
        }
        Ok(())
    }

    fn proxy_dequeue_shared_queue(&mut self, queue: u32) -> Result<Value, Status> {
        let found = self.queue(queue)?;
        let item = found.items.pop_front().ok_or(Status::EMPTY)?;
        found.size -= item.len();
        if found.items.is_empty() {
            found.items.shrink_to(8);
        }
        let realm = found.realm;
        if let Some(realm) = self.realms.get(realm) {
            realm.account.release(ITEM + item.len());
        }
        let value = Value::of(&item, 0..item.len(), &mut self.scratch);
        self.taken = Some((queue, item));
        if !self.config.choices.undelivered_items_stay {
            self.taken = None;
        }
        planted!(ItemLost => self.taken = None);
        Ok(value)
    }
}

impl State {
    /// A queue whose id is valid in the active plugin's VM id.
    fn queue(&mut self, id: u32) -> Result<&mut Queue, Status> {
        if !self.realm().queues.contains(&id) {
            return Err(Status::NOT_FOUND);
        }
        self.queues.get_mut(&id).ok_or(Status::NOT_FOUND)
    }

    /// Puts back what a call dequeued and could not return to the guest.
    pub(crate) fn undo(&mut self) {
        if let Some((queue, item)) = self.taken.take()
            && let Ok(queue) = self.queue(queue)
        {
            let (realm, size) = (queue.realm, item.len());
            queue.size += size;
            queue.items.push_front(item);
            if let Some(realm) = self.realms.get(realm) {
                realm.account.add(ITEM + size);
            }
        }
    }
}
