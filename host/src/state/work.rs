//! The work list: one queue of due entries, each of which is done by one handler of `proxy`, and the entries that wait for a later
//! event.
//!
//! What an entry causes at once is put at the front of the queue, what calls ask for at its end: a message goes from plugin to
//! plugin as if handlers called each other, but the depth of the stack does not depend on the length of the queue.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::account::{Charge, Charges};
use super::direction::Direction;
use super::subject::Subject;
use super::timers::Timer;
use crate::callbacks::On;
use crate::effect::Piece;
use crate::ids::{PluginId, StreamId};

/// Capacity that an empty list of effects, work or streams keeps.
pub(crate) const MIN_CAPACITY: usize = 128;

/// An entry of the work list.
pub(crate) enum Work {
    /// The context of the plugin at a place of a stream's chain begins, and then those at later places.
    Open { stream: StreamId, place: usize },
    /// A piece reaches the `nth` plugin of a direction, or the end of the chain.
    Piece { stream: StreamId, direction: Direction, nth: usize, piece: Piece, charges: Charges },
    /// What waits at the `nth` plugin of a direction is passed to it, piece by piece.
    Waiting { stream: StreamId, direction: Direction, nth: usize },
    /// A plugin has resumed what is paused at its place.
    Continue { stream: StreamId, place: usize, direction: Direction },
    /// A plugin has sent a local response.
    LocalResponse { stream: StreamId },
    /// A plugin has closed the stream.
    Close { stream: StreamId },
    /// The stream is reset, to the upstream and to the client.
    Reset { stream: StreamId },
    /// The client has reset the stream.
    ClientReset { stream: StreamId },
    /// The stream cannot continue.
    Fail { stream: StreamId },
    /// The same, with callbacks for the host's response.
    FailThrough { stream: StreamId },
    /// A message is not accepted.
    Reject { stream: StreamId, direction: Direction, status: &'static str },
    /// The plugin at some places of a stream's chain was detached.
    Detached { stream: StreamId, places: Vec<usize> },
    /// A piece passes the place of a log-only plugin: its copy of the stream gets it.
    Copy { stream: StreamId, direction: Direction, piece: Piece },
    /// A log-only plugin's copy gets what came of the response before the plugin had released the request.
    Early { stream: StreamId },
    /// A copy ends.
    EndCopy { stream: StreamId },
    /// The connections of a TCP stream are closed: the one to the upstream for all places, then the one to the client.
    Closed { stream: StreamId, upstream: bool, place: usize },
    /// The stream is over: the context of the plugin at a place ends, and then those at later places.
    Done { stream: StreamId, place: usize },
    /// The last callbacks of a context, of a stream or of a plugin.
    Finalise { stream: Option<StreamId>, plugin: PluginId, context: u32 },
    /// The operator does not want a plugin any more: its own context ends after its streams, of which it may have none left.
    EndIfUnused { plugin: PluginId },
    /// A plugin has left its VM, and is detached from its streams one after the other.
    Detach(Box<Detach>),
    /// An item was enqueued: the reader at a place is notified, and then those at later places.
    QueueReady { readers: Arc<Vec<PluginId>>, places: Range<usize>, queue: u32, payer: PluginId },
    /// A timer is due.
    Due(Timer),
    /// A callback that is not about a stream.
    About(Box<About>),
}

/// A plugin that has left its VM.
pub(crate) struct Detach {
    pub(crate) plugin: PluginId,
    /// Its streams, and its places in them.
    pub(crate) streams: VecDeque<(StreamId, Vec<usize>)>,
    /// What happens after that.
    pub(crate) then: Then,
}

/// What happens to a plugin that has left its VM and its streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// It has crashed, and may be restarted; a random number from 0 to 1 for the delay.
    Restart(f64),
    /// It is not started again.
    DropSource,
    /// Its start has failed, and the caller handles that.
    Nothing,
}

/// A callback in a plugin's own context, and its subject.
pub(crate) struct About {
    pub(crate) plugin: PluginId,
    pub(crate) on: On,
    /// The arguments after the context.
    pub(crate) args: [u32; 4],
    pub(crate) subject: Subject,
    /// The charge for the subject while it waits.
    pub(crate) _charge: Charge,
}

/// The owner of an entry. Entries of one owner are done in order; entries of different owners in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Plugin(PluginId),
    Stream(StreamId),
}

impl Work {
    pub(crate) fn owner(&self) -> Owner {
        match self {
            Work::Open { stream, .. }
            | Work::Piece { stream, .. }
            | Work::Waiting { stream, .. }
            | Work::Continue { stream, .. }
            | Work::LocalResponse { stream }
            | Work::Close { stream }
            | Work::Reset { stream }
            | Work::ClientReset { stream }
            | Work::Fail { stream }
            | Work::FailThrough { stream }
            | Work::Reject { stream, .. }
            | Work::Detached { stream, .. }
            | Work::Copy { stream, .. }
            | Work::Early { stream }
            | Work::EndCopy { stream }
            | Work::Closed { stream, .. }
            | Work::Done { stream, .. }
            | Work::Finalise { stream: Some(stream), .. } => Owner::Stream(*stream),
            Work::Finalise { stream: None, plugin, .. }
            | Work::EndIfUnused { plugin }
            | Work::Due(Timer::Tick(plugin) | Timer::Restart(plugin)) => Owner::Plugin(*plugin),
            Work::Due(Timer::HttpCall(_, plugin) | Timer::GrpcCall(_, plugin)) => Owner::Plugin(*plugin),
            Work::Detach(detach) => Owner::Plugin(detach.plugin),
            Work::About(about) => Owner::Plugin(about.plugin),
            Work::QueueReady { readers, places, .. } => Owner::Plugin(readers[places.start]),
        }
    }

    /// Splits an entry that is for several owners: it keeps the part of the first, and the rest is returned.
    pub(crate) fn split(&mut self) -> Option<Work> {
        let Work::QueueReady { readers, places, queue, payer } = self else { return None };
        let rest = places.start + 1..places.end;
        if rest.is_empty() {
            return None;
        }
        places.end = rest.start;
        Some(Work::QueueReady { readers: readers.clone(), places: rest, queue: *queue, payer: *payer })
    }
}

/// The entries that are due, and those that wait for [`Proxy::advance`](crate::Proxy::advance).
#[derive(Default)]
pub(crate) struct Agenda {
    due: VecDeque<Work>,
    /// What earlier events have left and this one continues when nothing is due, and the order of its owners.
    resumed: BTreeMap<Owner, VecDeque<Work>>,
    turns: VecDeque<Owner>,
    /// What is due after that.
    later: VecDeque<Work>,
    parked: BTreeMap<Owner, VecDeque<Work>>,
}

impl Agenda {
    /// Puts entries before all others, in their order.
    pub(crate) fn first<const N: usize>(&mut self, work: [Work; N]) {
        work.into_iter().rev().for_each(|work| self.due.push_front(work));
    }

    /// Puts an entry after all others.
    pub(crate) fn last(&mut self, work: Work) {
        if self.turns.is_empty() { self.due.push_back(work) } else { self.later.push_back(work) }
    }

    /// Makes the last entry the next one.
    pub(crate) fn last_is_next(&mut self) {
        if let Some(work) = self.later.pop_back().or_else(|| self.due.pop_back()) {
            self.due.push_front(work);
        }
    }

    /// The next entry, and whether an earlier event has left it.
    pub(crate) fn pop(&mut self) -> Option<(Work, bool)> {
        if let Some(work) = self.due.pop_front() {
            return Some((work, false));
        }
        while let Some(owner) = self.turns.front() {
            let next = self.resumed.get_mut(owner).and_then(VecDeque::pop_front);
            if next.is_some() {
                return next.map(|work| (work, true));
            }
            self.resumed.remove(owner);
            self.turns.pop_front();
        }
        if self.later.is_empty() {
            for list in [&mut self.due, &mut self.later] {
                if list.capacity() > MIN_CAPACITY {
                    list.shrink_to(MIN_CAPACITY);
                }
            }
            return None;
        }
        std::mem::swap(&mut self.due, &mut self.later);
        self.due.pop_front().map(|work| (work, false))
    }

    /// An entry that an earlier event has left cannot be done in this one either: it waits again, with what comes after it.
    pub(crate) fn postpone(&mut self, work: Work) {
        let owner = work.owner();
        let mut left = self.resumed.remove(&owner).unwrap_or_default();
        left.push_front(work);
        self.park_again(owner, left);
    }

    /// What was left waits again, after what it has caused meanwhile.
    fn park_again(&mut self, owner: Owner, mut left: VecDeque<Work>) {
        let first = self.parked.remove(&owner).unwrap_or_default();
        first.into_iter().rev().for_each(|work| left.push_front(work));
        // Its entries were removed one by one.
        if left.capacity() > MIN_CAPACITY && left.len() < left.capacity() / 4 {
            left.shrink_to(2 * left.len());
        }
        if !left.is_empty() {
            self.parked.insert(owner, left);
        }
    }

    /// The event has reached its limit: what was resumed waits again. The other due entries, before and after it.
    pub(crate) fn suspend(&mut self) -> [VecDeque<Work>; 2] {
        let (due, later) = (std::mem::take(&mut self.due), std::mem::take(&mut self.later));
        if self.turns.is_empty() {
            return [due, later];
        }
        self.turns.clear();
        for (owner, left) in std::mem::take(&mut self.resumed) {
            self.park_again(owner, left);
        }
        // What is due was put before all that was resumed.
        for work in due.into_iter().rev() {
            self.parked.entry(work.owner()).or_default().push_front(work);
        }
        [VecDeque::new(), later]
    }

    /// Whether nothing is due, now or later.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.turns.is_empty() && self.later.is_empty() && self.parked.is_empty()
    }

    /// Whether work is left for later.
    pub(crate) fn is_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Whether work of an owner is left for later, so that what comes now must wait for it.
    pub(crate) fn waits(&self, owner: Owner) -> bool {
        self.parked.contains_key(&owner)
    }

    /// Leaves an entry for later, after the others of its owner.
    pub(crate) fn park(&mut self, work: Work) {
        self.parked.entry(work.owner()).or_default().push_back(work);
    }

    /// Drops the pieces that wait for a stream that the client has reset.
    pub(crate) fn drop_pieces(&mut self, stream: StreamId) {
        if let Some(waiting) = self.parked.get_mut(&Owner::Stream(stream)) {
            waiting.retain(|work| !matches!(work, Work::Piece { .. }));
        }
    }

    /// Drops the pieces of a stream's response, which another response replaces.
    pub(crate) fn drop_response(&mut self, stream: StreamId) {
        let is_of_it = |work: &Work| matches!(work, Work::Piece { stream: of, direction: Direction::Response, .. } if *of == stream);
        let owner = Owner::Stream(stream);
        let left = [self.resumed.get_mut(&owner), self.parked.get_mut(&owner)].into_iter().flatten();
        left.chain([&mut self.due, &mut self.later]).for_each(|list| list.retain(|work| !is_of_it(work)));
    }

    /// Drops what is left for later of an owner, also what this event was to continue. Returns it.
    pub(crate) fn drop_parked(&mut self, owner: Owner) -> VecDeque<Work> {
        let mut dropped = self.parked.remove(&owner).unwrap_or_default();
        if let Some(resumed) = self.resumed.get_mut(&owner) {
            dropped.append(resumed);
        }
        dropped
    }

    /// Continues what was left for later, once nothing is due. Copies come first, because entries of streams may add to theirs.
    pub(crate) fn resume(&mut self) {
        let is_copy = |owner: &Owner| matches!(owner, Owner::Stream(stream) if stream.shadow);
        self.resumed = std::mem::take(&mut self.parked);
        let (copies, others): (Vec<Owner>, Vec<Owner>) = self.resumed.keys().copied().partition(is_copy);
        self.turns.extend(copies.into_iter().chain(others));
    }
}
