//! The section "Shared Queues". A queue is removed with the last plugin of its VM id, and its id is known to the VM ids that
//! have registered or resolved it.

use std::collections::VecDeque;

use pw_abi::Status;
use pw_cases::transcript::Returned;

use super::SharedQueues;
use crate::model::call::{Call, Judged};
use crate::model::finding::Wanted;
use crate::model::queues::{Queue, Queues};
use crate::model::state::{Model, NOT_FOUND, OK};

const READY: &str = "proxy_on_queue_ready";

pub(super) fn judge(function: SharedQueues, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let scenario = model.scenario.clone();
    let own = &scenario.plugins[model.instances[instance].plugin].settings.vm_id;
    // Plugins that have just crashed are removed at some time before the step is over; what they shared may be removed already.
    let by_id = matches!(function, SharedQueues::proxy_enqueue_shared_queue | SharedQueues::proxy_dequeue_shared_queue);
    if let Some(place) = named(function, model, own, call).filter(|_| call.status == NOT_FOUND)
        && (!by_id || model.queues.queues[place].known_to.contains(own))
        && !model.has_plugins(&model.queues.queues[place].vm_id)
    {
        model.queues.queues.remove(place);
        return Ok(());
    }
    let found = named(function, model, own, call).map(|place| &mut model.queues.queues[place]);
    match (function, found) {
        (SharedQueues::proxy_register_shared_queue, found) => {
            call.is(&[OK])?;
            match found {
                _ if !call.ok() => Ok(()),
                Some(queue) => {
                    if !queue.readers.contains(&instance) {
                        queue.readers.push(instance);
                    }
                    call.returns(1, queue.id.into())
                }
                None => register(&mut model.queues, instance, own, call),
            }
        }
        (_, None) => call.is(&[NOT_FOUND]),
        (SharedQueues::proxy_resolve_shared_queue, Some(queue)) => {
            call.is(&[OK])?;
            if call.ok() {
                queue.known_to.insert(own.clone());
            }
            call.returns(2, queue.id.into())
        }
        (_, Some(queue)) if !queue.known_to.contains(own) => call.chosen(&[NOT_FOUND]),
        (SharedQueues::proxy_dequeue_shared_queue, Some(queue)) => dequeue(queue, call),
        (SharedQueues::proxy_enqueue_shared_queue, Some(queue)) => {
            call.is(&[OK])?;
            if call.ok() {
                queue.items.push_back(call.bytes(1).to_vec());
                model.queues.ready.extend(queue.readers.iter().map(|reader| (*reader, queue.id)));
            }
            Ok(())
        }
    }
}

/// The index of the queue that a call is about, by its name or by its id.
fn named(function: SharedQueues, model: &Model, own: &str, call: &Call<'_>) -> Option<usize> {
    let (vm_id, name) = match function {
        SharedQueues::proxy_register_shared_queue => (own.as_bytes(), call.bytes(0)),
        SharedQueues::proxy_resolve_shared_queue if call.bytes(0).is_empty() => (own.as_bytes(), call.bytes(1)),
        SharedQueues::proxy_resolve_shared_queue => (call.bytes(0), call.bytes(1)),
        SharedQueues::proxy_enqueue_shared_queue | SharedQueues::proxy_dequeue_shared_queue => {
            return model.queues.queues.iter().position(|queue| queue.id == call.word(0));
        }
    };
    model.queues.queues.iter().position(|queue| queue.vm_id.as_bytes() == vm_id && queue.name == name)
}

/// No id is returned twice.
fn register(queues: &mut Queues, instance: usize, vm_id: &str, call: &Call<'_>) -> Judged {
    let id = call.returned(1) as u32;
    if !queues.ids.insert(id) {
        return call.wrong_value(1, Returned::Untouched, format!("{id}, which was another queue's"));
    }
    let (name, known_to) = (call.bytes(0).to_vec(), [vm_id.to_owned()].into());
    let (vm_id, items, readers) = (vm_id.to_owned(), VecDeque::new(), vec![instance]);
    queues.queues.push(Queue { id, vm_id, name, items, readers, known_to });
    Ok(())
}

/// An item that cannot be returned stays in the queue.
fn dequeue(queue: &mut Queue, call: &Call<'_>) -> Judged {
    let Some(item) = queue.items.front() else { return call.is(&[Status::EMPTY.0]) };
    call.is(&[OK])?;
    call.returns_bytes(1, item)?;
    if call.ok() {
        queue.items.pop_front();
    }
    Ok(())
}

impl Model {
    /// A plugin is notified of an item.
    pub(in crate::model) fn queue_ready(&mut self, instance: usize, queue: u32) {
        let due = self.queues.ready.iter().position(|due| *due == (instance, queue));
        match due {
            Some(due) => drop(self.queues.ready.remove(due)),
            None => {
                let plugin = Some(self.instances[instance].plugin);
                let message = "a plugin is notified of an item that is not for it";
                self.found(READY, message, plugin, Some(Wanted::Never(READY)));
            }
        }
    }

    /// Checks that the plugins that registered a queue were notified of its items.
    pub(in crate::model) fn check_queues(&mut self) {
        let late = std::mem::take(&mut self.queues.ready);
        if let Some((instance, _)) = late.iter().find(|(instance, _)| !self.instances[*instance].ended) {
            let plugin = Some(self.instances[*instance].plugin);
            let message = "a plugin is not notified of an item in a queue that it registered";
            self.found(READY, message, plugin, Some(Wanted::Due(READY)));
        }
    }
}
