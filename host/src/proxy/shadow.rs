//! Log-only plugins: each runs on a copy of the stream, from which nothing is sent.

use super::{Proxy, chain};
use crate::effect::Piece;
use crate::http::Facts;
use crate::ids::{PluginId, StreamId};
use crate::state::{Charges, Direction, Message, Protocol, Shadow, State, Work, piece_cost};

/// Opens the copy of a stream on which a log-only plugin at a place of its chain runs, if the plugin runs.
pub(super) fn open(proxy: &mut Proxy, of: StreamId, place: usize, plugin: PluginId) {
    let runs = |found: &crate::state::Plugin| found.vm.is_some() && !found.removed;
    if !proxy.state().plugins.get(plugin).is_some_and(runs) {
        return;
    }
    let Some(found) = proxy.state().find(of) else { return };
    let (info, protocol) = (found.info.clone(), found.protocol);
    let copy = chain::insert(proxy, &[plugin], info, protocol, Some(Shadow::new(plugin, of)));
    if let Some(found) = proxy.state().find(of) {
        found.filters[place].shadow = Some(copy);
    }
    proxy.state().agenda.first([Work::Open { stream: copy, place: 0 }]);
}

/// A piece passes the place of a log-only plugin. The response is buffered until the plugin has released the request. A copy for
/// which too much is buffered ends.
pub(super) fn feed(proxy: &mut Proxy, id: StreamId, direction: Direction, piece: Piece) {
    let State { streams, plugins, agenda, .. } = proxy.state();
    let Some(found) = streams.get_mut(id.index).filter(|found| found.id == id && !found.over) else { return };
    found.backlog = found.backlog.saturating_sub(piece_cost(&piece));
    let (sent, http) = (found.request.sent, found.protocol == Protocol::Http);
    if found.answered {
        return;
    }
    let Some(shadow) = &mut found.shadow else { return };
    let Some(owner) = plugins.get(shadow.plugin) else { return };
    if !shadow.charge(&piece, &owner.account, owner.limits.host_memory) {
        return agenda.first([Work::EndCopy { stream: id }]);
    }
    if direction == Direction::Response && (!sent || shadow.has_early()) {
        shadow.wait(piece);
        if shadow.early_size > owner.limits.held {
            agenda.first([Work::EndCopy { stream: id }]);
        }
        return;
    }
    shadow.record(direction, &piece);
    if found.message(direction).accepts(&piece, http, &Facts::of_piece(&piece)) {
        agenda.first([Work::Piece { stream: id, direction, nth: 0, piece, charges: Charges::default() }]);
    }
}

/// A copy's plugin has released the request: it gets what came of the response before that, piece by piece.
pub(super) fn early(proxy: &mut Proxy, id: StreamId) {
    let Some(found) = proxy.state().find(id).filter(|found| !found.over && !found.answered) else { return };
    let http = found.protocol == Protocol::Http;
    let Some(shadow) = &mut found.shadow else { return };
    let Some(piece) = shadow.next() else { return };
    shadow.record(Direction::Response, &piece);
    let accepts = found.message(Direction::Response).accepts(&piece, http, &Facts::of_piece(&piece));
    let agenda = &mut proxy.state().agenda;
    agenda.first([Work::Early { stream: id }]);
    if accepts {
        let direction = Direction::Response;
        agenda.first([Work::Piece { stream: id, direction, nth: 0, piece, charges: Charges::default() }]);
    }
}

/// The stream is over. Its copies end with it, except for those that have both messages and only wait for their plugin to release
/// them.
pub(super) fn end(proxy: &mut Proxy, of: StreamId) {
    let Some(found) = proxy.state().find(of) else { return };
    if found.filters.iter().all(|filter| filter.shadow.is_none()) {
        return;
    }
    let complete = |message: &Message| message.ended;
    let whole = complete(&found.request) && complete(&found.response);
    let copies: Vec<(PluginId, StreamId)> =
        found.filters.iter().filter_map(|filter| Some((filter.plugin, filter.shadow?))).collect();
    // The entry of the first copy is put in front last, so that it ends first.
    for (plugin, copy) in copies.into_iter().rev() {
        let state = proxy.state();
        let owner = state.plugins.get(plugin);
        let room = owner.is_some_and(|owner| owner.alone < owner.limits.pending && !owner.retired && !owner.removed);
        let Some(shadow) = state.find(copy).filter(|found| !found.over).and_then(|found| found.shadow.as_mut()) else {
            continue;
        };
        shadow.alone = true;
        if let Some(owner) = state.plugins.get_mut(plugin) {
            owner.alone += 1;
        }
        if !whole || !room {
            state.agenda.first([Work::EndCopy { stream: copy }]);
        }
    }
}

/// A plugin is to end: its copies that have outlived their streams end, so that they do not delay it.
pub(super) fn end_lone_copies(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let contexts = state.plugins.get(plugin).into_iter().flat_map(|found| found.contexts.values());
    let streams: Vec<usize> = contexts.filter_map(|context| Some(context.stream?.0)).collect();
    for index in streams {
        let alone = state.streams.get(index).filter(|found| found.shadow.as_ref().is_some_and(|shadow| shadow.alone));
        if let Some(stream) = alone.map(|found| found.id) {
            state.agenda.last(Work::EndCopy { stream });
        }
    }
}
