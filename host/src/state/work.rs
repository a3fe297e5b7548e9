//! What is due: one queue of entries, each of which is done by one handler of `proxy`, and what waits for a later event.
//!
//! What an entry leads to at once is put in front of the queue, what calls ask for at its end: so a message goes from plugin
//! to plugin as if handlers called each other, and no depth of the stack depends on how long the queue is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::timers::Timer;
use super::{Charge, Charges, Direction, KEPT, State, Subject};
use crate::callbacks::On;
use crate::effect::Piece;
use crate::{PluginId, StreamId};

/// Something that is due.
pub(crate) enum Work {
    /// The context of the plugin at a place of a stream's chain begins, and then those behind it.
    Open { stream: StreamId, place: usize },
    /// A piece is for the `nth` plugin of a direction, or for the other end of the chain.
    Piece { stream: StreamId, direction: Direction, nth: usize, piece: Piece, charges: Charges },
    /// What waited at the `nth` plugin of a direction is for it, piece by piece.
    Waiting { stream: StreamId, direction: Direction, nth: usize },
    /// A plugin asked to continue what is paused at its place.
    Continue { stream: StreamId, place: usize, direction: Direction },
    /// A plugin gave a response itself.
    LocalResponse { stream: StreamId },
    /// A plugin asked to close the stream.
    Close { stream: StreamId },
    /// The stream is reset, on both sides.
    Cut { stream: StreamId },
    /// The client has reset the stream.
    ClientReset { stream: StreamId },
    /// The stream cannot go on.
    Fail { stream: StreamId },
    /// A message cannot be taken.
    Refuse { stream: StreamId, direction: Direction, status: &'static str },
    /// The plugin at some places of a stream's chain has left.
    Left { stream: StreamId, places: Vec<usize> },
    /// A piece passes the place of a log-only plugin: its copy of the stream gets it.
    Copy { stream: StreamId, direction: Direction, piece: Piece },
    /// What came early of a response is for a log-only plugin's copy.
    Early { stream: StreamId },
    /// A copy ends.
    EndCopy { stream: StreamId },
    /// The connections of a TCP stream are closed: the one to the upstream for all places, then the one to the client.
    Closed { stream: StreamId, upstream: bool, place: usize },
    /// The stream is over: the context of the plugin at a place is done, and then those behind it.
    Done { stream: StreamId, place: usize },
    /// The last callbacks of a context, a stream's or the plugin's own.
    Finalise { stream: Option<StreamId>, plugin: PluginId, context: u32 },
    /// A plugin that ends when its last stream has may have lost it.
    EndIfRetired { plugin: PluginId },
    /// A plugin is removed: its own context is done once its streams are.
    EndPlugin { plugin: PluginId },
    /// A plugin has left its VM, and its streams are left one after the other.
    Part(Box<Part>),
    /// An item came into a queue: the reader at a place is notified, and then those behind it.
    QueueReady { readers: Arc<Vec<PluginId>>, places: Range<usize>, queue: u32, payer: PluginId },
    /// Something falls due.
    Due(Timer),
    /// A callback about something that is not a stream.
    About(Box<About>),
}

/// A plugin that has left its VM.
pub(crate) struct Part {
    pub(crate) plugin: PluginId,
    /// Its streams, and its places in them.
    pub(crate) streams: VecDeque<(StreamId, Vec<usize>)>,
    /// What comes after that.
    pub(crate) then: Then,
}

/// What becomes of a plugin that has left its VM and its streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// It has faulted, and this is what chance says of when it is started again.
    ComeBack(f64),
    /// It is gone for good.
    Dismiss,
    /// Its start has failed, and who started it knows what to do.
    Nothing,
}

/// A callback in a plugin's own context, and what it is about.
pub(crate) struct About {
    pub(crate) plugin: PluginId,
    pub(crate) on: On,
    /// The arguments behind the context.
    pub(crate) args: [u32; 4],
    pub(crate) subject: Subject,
    /// What waits is charged.
    pub(crate) _charge: Charge,
}

/// Whose turn an entry is. What one of them is to do is done in order; among several there is none.
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
            | Work::Cut { stream }
            | Work::ClientReset { stream }
            | Work::Fail { stream }
            | Work::Refuse { stream, .. }
            | Work::Left { stream, .. }
            | Work::Copy { stream, .. }
            | Work::Early { stream }
            | Work::EndCopy { stream }
            | Work::Closed { stream, .. }
            | Work::Done { stream, .. }
            | Work::Finalise { stream: Some(stream), .. } => Owner::Stream(*stream),
            Work::Finalise { stream: None, plugin, .. }
            | Work::EndIfRetired { plugin }
            | Work::EndPlugin { plugin }
            | Work::Due(Timer::Tick(plugin) | Timer::Restart(plugin)) => Owner::Plugin(*plugin),
            Work::Due(Timer::HttpCall(_, plugin) | Timer::GrpcCall(_, plugin)) => Owner::Plugin(*plugin),
            Work::Part(part) => Owner::Plugin(part.plugin),
            Work::About(about) => Owner::Plugin(about.plugin),
            Work::QueueReady { readers, places, .. } => Owner::Plugin(readers[places.start]),
        }
    }

    /// Leaves of an entry what is for one owner, and gives what is for others.
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

/// What is due, and what waits for [`Proxy::advance`](crate::Proxy::advance).
#[derive(Default)]
pub(crate) struct Agenda {
    due: VecDeque<Work>,
    /// What earlier events have left and this one goes on with, when nothing is due; and the order of its owners.
    resumed: BTreeMap<Owner, VecDeque<Work>>,
    turns: VecDeque<Owner>,
    /// What is due after that.
    later: VecDeque<Work>,
    parked: BTreeMap<Owner, VecDeque<Work>>,
}

impl Agenda {
    /// Puts entries in front of all others, in their order.
    pub(crate) fn first<const N: usize>(&mut self, work: [Work; N]) {
        work.into_iter().rev().for_each(|work| self.due.push_front(work));
    }

    /// Puts an entry behind all others.
    pub(crate) fn last(&mut self, work: Work) {
        if self.turns.is_empty() { self.due.push_back(work) } else { self.later.push_back(work) }
    }

    /// Makes the entry that was put behind all others the next one.
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
                if list.capacity() > KEPT {
                    list.shrink_to(KEPT);
                }
            }
            return None;
        }
        std::mem::swap(&mut self.due, &mut self.later);
        self.due.pop_front().map(|work| (work, false))
    }

    /// An entry that an earlier event has left cannot be done in this one either: it waits, and so does what comes after it.
    pub(crate) fn postpone(&mut self, work: Work) {
        let owner = work.owner();
        let mut left = self.resumed.remove(&owner).unwrap_or_default();
        left.push_front(work);
        self.park_again(owner, left);
    }

    /// What was left stays left, behind what it has led to meanwhile.
    fn park_again(&mut self, owner: Owner, mut left: VecDeque<Work>) {
        let first = self.parked.remove(&owner).unwrap_or_default();
        first.into_iter().rev().for_each(|work| left.push_front(work));
        // It has become shorter one by one.
        if left.capacity() > KEPT && left.len() < left.capacity() / 4 {
            left.shrink_to(2 * left.len());
        }
        if !left.is_empty() {
            self.parked.insert(owner, left);
        }
    }

    /// The event has done enough: what was resumed stays left, and this is what is due besides, before it and after it.
    pub(crate) fn suspend(&mut self) -> [VecDeque<Work>; 2] {
        let (due, later) = (std::mem::take(&mut self.due), std::mem::take(&mut self.later));
        if self.turns.is_empty() {
            return [due, later];
        }
        self.turns.clear();
        for (owner, left) in std::mem::take(&mut self.resumed) {
            self.park_again(owner, left);
        }
        // What is due was put in front of all that was resumed.
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

    /// Whether work of somebody's is left for later, so that what comes now waits behind it.
    pub(crate) fn waits(&self, owner: Owner) -> bool {
        !self.parked.is_empty() && self.parked.contains_key(&owner)
    }

    /// Leaves an entry for later, behind the others of its owner.
    pub(crate) fn park(&mut self, work: Work) {
        self.parked.entry(work.owner()).or_default().push_back(work);
    }

    /// Forgets the pieces that wait for a stream which nobody receives any more.
    pub(crate) fn drop_pieces(&mut self, stream: StreamId) {
        if let Some(waiting) = self.parked.get_mut(&Owner::Stream(stream)) {
            waiting.retain(|work| !matches!(work, Work::Piece { .. }));
        }
    }

    /// Forgets what is under way of a stream's response, which another one replaces.
    pub(crate) fn drop_response(&mut self, stream: StreamId) {
        let is_of_it = |work: &Work| matches!(work, Work::Piece { stream: of, direction: Direction::Response, .. } if *of == stream);
        let owner = Owner::Stream(stream);
        let left = [self.resumed.get_mut(&owner), self.parked.get_mut(&owner)].into_iter().flatten();
        left.chain([&mut self.due, &mut self.later]).for_each(|list| list.retain(|work| !is_of_it(work)));
    }

    /// Forgets what is left for later of an owner, also what this event was to go on with.
    pub(crate) fn drop_parked(&mut self, owner: Owner) -> VecDeque<Work> {
        let mut dropped = self.parked.remove(&owner).unwrap_or_default();
        if let Some(resumed) = self.resumed.get_mut(&owner) {
            dropped.append(resumed);
        }
        dropped
    }

    /// Goes on with what was left for later, once nothing is due. What a stream goes on with may be for its copies, and comes
    /// behind what is theirs already.
    pub(crate) fn resume(&mut self) {
        let is_copy = |owner: &Owner| matches!(owner, Owner::Stream(stream) if stream.shadow);
        self.resumed = std::mem::take(&mut self.parked);
        let (copies, others): (Vec<Owner>, Vec<Owner>) = self.resumed.keys().copied().partition(is_copy);
        self.turns.extend(copies.into_iter().chain(others));
    }
}

impl State {
    /// The entry for the last callbacks of a plugin's context.
    pub(crate) fn finalise(&self, plugin: PluginId, context: u32) -> Work {
        let known = self.plugins.get(plugin).and_then(|found| found.contexts.get(&context));
        let stream = known.and_then(|known| known.stream).and_then(|(stream, _)| self.streams.get(stream));
        Work::Finalise { stream: stream.map(|stream| stream.id), plugin, context }
    }

    /// Something asked for by a call, which has to wait until the callback has returned.
    pub(crate) fn defer(&mut self, work: Work) {
        self.agenda.last(work);
    }

    /// Notices that an item is in a queue, for which the active plugin pays.
    pub(crate) fn notify(&mut self, readers: Arc<Vec<PluginId>>, queue: u32) {
        if !readers.is_empty() {
            self.plugin().account.take(super::account::NOTICE * readers.len());
            let (places, payer) = (0..readers.len(), self.active.plugin);
            self.defer(Work::QueueReady { readers, places, queue, payer });
        }
    }
}
