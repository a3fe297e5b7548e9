//! The work list: each entry is done by one handler, which may add entries, but calls no other handler.

use super::{Proxy, calls, endings, lifecycle, shadow, streams, tcp};
use crate::callbacks::On;
use crate::ids::PluginId;
use crate::planted::planted;
use crate::state::account::NOTICE;
use crate::state::{Owner, Share, Timer, Work, piece_cost};

/// Maximum number of entries that an event does, for all plugins: those without a callback cost a fraction of a microsecond.
const MAX_ENTRIES: usize = 1 << 18;

impl Proxy {
    /// Begins a new event: every plugin has its whole budget again.
    #[inline]
    pub(super) fn begin(&mut self) {
        let state = self.state();
        state.event += 1;
        if !state.spent.is_empty() {
            state.spent.clear();
        }
    }

    /// Does an entry as a new event, after what is due already.
    pub(super) fn event(&mut self, work: Work) {
        self.begin();
        self.more(work);
    }

    /// Does an entry as a part of the event that has begun.
    pub(super) fn more(&mut self, work: Work) {
        let agenda = &mut self.state().agenda;
        if agenda.is_idle() {
            self.handle(work);
        } else {
            agenda.last(work);
        }
        self.run();
    }

    /// Does what is due. What is left when a plugin has used up its budget for the event, or when there is too much, waits for
    /// the next [`Proxy::advance`], and so does what comes after it.
    pub(super) fn run(&mut self) {
        for _ in 0..MAX_ENTRIES {
            let state = self.state();
            let Some((mut work, left)) = state.agenda.pop() else { return };
            if let Some(rest) = work.split() {
                state.agenda.first([rest]);
            }
            // Detaching a plugin does not wait, as it frees memory.
            let may_wait = !matches!(work, Work::Detach(_));
            if may_wait && (state.agenda.waits(work.owner()) || !state.spent.is_empty() && self.is_spent(&work)) {
                match left {
                    true => self.state().agenda.postpone(work),
                    false => self.park(work),
                }
                continue;
            }
            self.handle(work);
        }
        let [due, later] = self.state().agenda.suspend();
        due.into_iter().chain(later).for_each(|work| self.park(work));
    }

    /// Leaves an entry for later. A log-only plugin's copy for which too much waits ends instead. As in a stream, pieces may always
    /// cost [`MIN_WAITING_BYTES`](streams::MIN_WAITING_BYTES), so that what is reported does not depend on a plugin's budget.
    fn park(&mut self, work: Work) {
        let state = self.state();
        let Work::Copy { stream, piece, .. } = &work else { return state.agenda.park(work) };
        let stream = *stream;
        let is_open = |found: &&mut crate::state::Stream| found.id == stream && !found.over;
        let Some(found) = state.streams.get_mut(stream.index).filter(is_open) else { return };
        found.backlog = found.backlog.saturating_add(piece_cost(piece));
        let owner = found.shadow.as_ref().and_then(|shadow| state.plugins.get(shadow.plugin));
        if owner.is_some_and(|owner| found.backlog <= owner.limits.held.max(streams::MIN_WAITING_BYTES)) {
            return state.agenda.park(work);
        }
        state.agenda.drop_parked(Owner::Stream(stream));
        state.agenda.park(Work::EndCopy { stream });
    }

    fn handle(&mut self, work: Work) {
        match work {
            Work::Open { stream, place } => streams::notify_created(self, stream, place),
            Work::Piece { stream, direction, nth, piece, charges } => {
                streams::feed(self, stream, direction, nth, piece, charges);
            }
            Work::Waiting { stream, direction, nth } => streams::waiting(self, stream, direction, nth),
            Work::Continue { stream, place, direction } => streams::resume(self, stream, place, direction),
            Work::LocalResponse { stream } => endings::local_response(self, stream),
            Work::Close { stream } => endings::close(self, stream),
            Work::Reset { stream } => endings::reset(self, stream, true),
            Work::ClientReset { stream } => endings::reset(self, stream, false),
            Work::Fail { stream } => endings::fail(self, stream),
            Work::FailThrough { stream } => endings::fail_through(self, stream),
            Work::Reject { stream, direction, status } => endings::reject(self, stream, direction, status),
            Work::Detached { stream, places } => endings::detached(self, stream, &places),
            Work::Copy { stream, direction, piece } => shadow::feed(self, stream, direction, piece),
            Work::Early { stream } => shadow::early(self, stream),
            Work::EndCopy { stream } => endings::end(self, stream),
            Work::Closed { stream, upstream, place } => tcp::closed(self, stream, upstream, place),
            Work::Done { stream, place } => endings::done(self, stream, place),
            Work::Finalise { plugin, context, .. } => lifecycle::finalise(self, plugin, context),
            Work::EndIfUnused { plugin } => lifecycle::end_if_unused(self, plugin),
            Work::Detach(detach) => lifecycle::detached(self, detach),
            Work::QueueReady { readers, places, queue, payer } => {
                self.notified(payer);
                let plugin = readers[places.start];
                if let Some(root) = self.root(plugin) {
                    self.call(plugin, On::proxy_on_queue_ready, root, [root, queue, 0, 0, 0]);
                }
            }
            Work::Due(timer) => calls::due(self, timer),
            Work::About(about) => calls::about(self, *about),
        }
    }

    /// A notice of a queue's item is done or dropped: it is not charged any more.
    fn notified(&mut self, payer: PluginId) {
        if let Some(payer) = self.state().plugins.get(payer) {
            payer.account.release(NOTICE);
        }
    }

    /// Drops what is left for later of a plugin that has left its VM, which is not about its next VM. Entries that are also for
    /// other plugins stay for those.
    pub(super) fn drop_parked(&mut self, plugin: PluginId) {
        let state = self.state();
        for work in state.agenda.drop_parked(Owner::Plugin(plugin)) {
            let Work::QueueReady { readers, mut places, queue, payer } = work else { continue };
            let has_left = |reader: &PluginId| state.plugins.get(*reader).is_none_or(|reader| reader.vm.is_none());
            let dropped =
                readers[places.clone()].iter().take_while(|reader| **reader == plugin || has_left(reader)).count();
            places.start += dropped;
            if let Some(payer) = state.plugins.get(payer) {
                payer.account.release(NOTICE * dropped);
            }
            if !places.is_empty() {
                state.agenda.park(Work::QueueReady { readers, places, queue, payer });
            }
        }
    }

    /// Whether an entry is for a plugin that has used up its budget for this event.
    #[cold]
    fn is_spent(&mut self, work: &Work) -> bool {
        planted!(QueueStorm => if matches!(work, Work::QueueReady { .. }) { return false; });
        let state = self.state();
        let place = |state: &mut crate::state::State, stream, place: Option<usize>| {
            let filter = state.find(stream)?.filters.get(place?)?;
            (!filter.gone).then_some(filter.plugin)
        };
        let plugin: Option<PluginId> = match work {
            Work::Piece { stream, direction, nth, .. } | Work::Waiting { stream, direction, nth } => {
                let at = state.find(*stream).and_then(|found| found.place(*nth, *direction));
                place(state, *stream, at)
            }
            Work::Open { stream, place: at }
            | Work::Continue { stream, place: at, .. }
            | Work::Closed { stream, place: at, .. }
            | Work::Done { stream, place: at } => place(state, *stream, Some(*at)),
            Work::Finalise { plugin, .. } => Some(*plugin),
            Work::Copy { stream, .. } | Work::Early { stream } | Work::EndCopy { stream } => {
                place(state, *stream, Some(0))
            }
            _ => match work.owner() {
                Owner::Plugin(plugin) => Some(plugin),
                Owner::Stream(_) => None,
            },
        };
        plugin.is_some_and(|plugin| self.state().spent.contains(&plugin))
    }

    /// Counts a callback towards a plugin's budget for this event: the time that it took, and the maximum, in fuel or ticks.
    #[inline]
    pub(super) fn count(&mut self, plugin: PluginId, time: u64, max: u64) {
        let state = self.state();
        let event = state.event;
        let Some(found) = state.plugins.get_mut(plugin) else { return };
        if found.share.event != event {
            found.share = Share { event, ..Share::default() };
        }
        found.share.callbacks += 1;
        found.share.time = found.share.time.saturating_add(time);
        let limits = &found.limits;
        if found.share.callbacks >= limits.callbacks_per_event.max(1) || found.share.time >= max.max(1) {
            state.spent.insert(plugin);
        }
    }
}

impl Timer {
    /// The plugin that it is for.
    pub(super) fn plugin(self) -> PluginId {
        match self {
            Timer::Tick(plugin) | Timer::Restart(plugin) => plugin,
            Timer::HttpCall(_, plugin) | Timer::GrpcCall(_, plugin) => plugin,
        }
    }
}
