//! The section "Shared Queues".

use std::collections::VecDeque;

use pw_abi::Status;
use pw_cases::transcript::Returned;

use crate::model::call::{Call, Judged};
use crate::model::{Model, NOT_FOUND, OK, Wanted};

const READY: &str = "proxy_on_queue_ready";

/// All queues, and who is to be told of items.
#[derive(Default)]
pub(in crate::model) struct Queues {
    queues: Vec<Queue>,
    /// Instance and id of the queue.
    ready: Vec<(usize, u32)>,
}

struct Queue {
    id: u32,
    vm_id: String,
    name: Vec<u8>,
    items: VecDeque<Vec<u8>>,
    readers: Vec<usize>,
}

impl Queues {
    /// An instance is gone, and reads no more.
    pub(in crate::model) fn leave(&mut self, instance: usize) {
        self.queues.iter_mut().for_each(|queue| queue.readers.retain(|reader| *reader != instance));
        self.ready.retain(|(reader, _)| *reader != instance);
    }
}

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let own = &model.scenario.plugins[model.instances[instance].plugin].vm_id;
    let queues = &mut model.queues.queues;
    match call.function.name {
        "proxy_register_shared_queue" => {
            call.is(&[OK])?;
            if call.ok() { register(queues, instance, own, call) } else { Ok(()) }
        }
        "proxy_resolve_shared_queue" => {
            let vm_id = if call.bytes(0).is_empty() { own.as_bytes() } else { call.bytes(0) };
            match queues.iter().find(|queue| queue.vm_id.as_bytes() == vm_id && queue.name == call.bytes(1)) {
                Some(queue) => {
                    call.is(&[OK])?;
                    call.returns(2, queue.id.into())
                }
                None => call.is(&[NOT_FOUND]),
            }
        }
        name => {
            let Some(queue) = queues.iter_mut().find(|queue| queue.id == call.word(0)) else {
                return call.is(&[NOT_FOUND]);
            };
            if name == "proxy_dequeue_shared_queue" {
                return dequeue(queue, call);
            }
            call.is(&[OK])?;
            if call.ok() {
                queue.items.push_back(call.bytes(1).to_vec());
                model.queues.ready.extend(queue.readers.iter().map(|reader| (*reader, queue.id)));
            }
            Ok(())
        }
    }
}

fn register(queues: &mut Vec<Queue>, instance: usize, vm_id: &str, call: &Call<'_>) -> Judged {
    let (name, id) = (call.bytes(0), call.returned(1) as u32);
    if let Some(queue) = queues.iter_mut().find(|queue| queue.vm_id == vm_id && queue.name == name) {
        if !queue.readers.contains(&instance) {
            queue.readers.push(instance);
        }
        return call.returns(1, queue.id.into());
    }
    if queues.iter().any(|queue| queue.id == id) {
        return call.wrong_value(1, Returned::Untouched, format!("{id}, which is another queue's"));
    }
    let (vm_id, name) = (vm_id.to_owned(), name.to_vec());
    queues.push(Queue { id, vm_id, name, items: VecDeque::new(), readers: vec![instance] });
    Ok(())
}

/// An item that cannot be handed over stays where it is.
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
    /// A plugin is told of an item.
    pub(in crate::model) fn queue_ready(&mut self, instance: usize, queue: u32) {
        let due = self.queues.ready.iter().position(|due| *due == (instance, queue));
        match due {
            Some(due) => drop(self.queues.ready.remove(due)),
            None => {
                let plugin = Some(self.instances[instance].plugin);
                let message = "a plugin is told of an item that is not for it";
                self.found(READY, message, plugin, Some(Wanted::Never(READY)));
            }
        }
    }

    /// Whoever registered a queue was told of its items.
    pub(in crate::model) fn queues_overdue(&mut self) {
        let late = std::mem::take(&mut self.queues.ready);
        if let Some((instance, _)) = late.iter().find(|(instance, _)| !self.instances[*instance].dead) {
            let plugin = Some(self.instances[*instance].plugin);
            let message = "a plugin is not told of an item in a queue that it registered";
            self.found(READY, message, plugin, Some(Wanted::Due(READY)));
        }
    }
}
