//! Log-only plugins: each runs on a copy of the stream, of which nothing gets out.

use super::{PluginId, Proxy, StreamId, endings, streams};
use crate::effect::Piece;
use crate::http::Facts;
use crate::state::{Charges, Direction, Message, Protocol, Shadow, State, Work, piece_cost};

/// Opens the copy of a stream that a log-only plugin at a place of its chain runs on; none if the plugin is not there.
pub(super) fn open(proxy: &mut Proxy, of: StreamId, place: usize, plugin: PluginId) {
    let is_there = |found: &crate::state::Plugin| found.vm.is_some() && !found.removed;
    if !proxy.state().plugins.get(plugin).is_some_and(is_there) {
        return;
    }
    let Some(found) = proxy.state().find(of) else { return };
    let (info, protocol) = (found.info.clone(), found.protocol);
    let copy = streams::insert(proxy, &[plugin], info, protocol, Some(Shadow::new(plugin, of)));
    if let Some(found) = proxy.state().find(of) {
        found.filters[place].shadow = Some(copy);
    }
    proxy.state().agenda.first([Work::Open { stream: copy, place: 0 }]);
}

/// A piece passes the place of a log-only plugin. What comes of a response before the plugin has let the request go
/// waits: without the plugin's leave there were none. A copy for which too much waits ends.
pub(super) fn give(proxy: &mut Proxy, id: StreamId, direction: Direction, piece: Piece) {
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
    shadow.give(direction, &piece);
    if found.message(direction).takes(&piece, http, &Facts::of_piece(&piece)) {
        agenda.first([Work::Piece { stream: id, direction, nth: 0, piece, charges: Charges::default() }]);
    }
}

/// A copy's plugin has let the request go: what came early of the response is for it, piece by piece.
pub(super) fn early(proxy: &mut Proxy, id: StreamId) {
    let Some(found) = proxy.state().find(id).filter(|found| !found.over && !found.answered) else { return };
    let http = found.protocol == Protocol::Http;
    let Some(shadow) = &mut found.shadow else { return };
    let Some(piece) = shadow.next() else { return };
    shadow.give(Direction::Response, &piece);
    let takes = found.message(Direction::Response).takes(&piece, http, &Facts::of_piece(&piece));
    let agenda = &mut proxy.state().agenda;
    agenda.first([Work::Early { stream: id }]);
    if takes {
        let direction = Direction::Response;
        agenda.first([Work::Piece { stream: id, direction, nth: 0, piece, charges: Charges::default() }]);
    }
}

/// The stream is over. Its copies end with it, but for those that have all of it and only wait for their plugin's leave.
pub(super) fn end(proxy: &mut Proxy, of: StreamId) {
    let Some(found) = proxy.state().find(of) else { return };
    if found.filters.iter().all(|filter| filter.shadow.is_none()) {
        return;
    }
    let complete = |message: &Message| message.ended;
    let whole = complete(&found.request) && complete(&found.response);
    let copies: Vec<(PluginId, StreamId)> =
        found.filters.iter().filter_map(|filter| Some((filter.plugin, filter.shadow?))).collect();
    // The first one ends first.
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

/// A copy ends.
pub(super) fn end_copy(proxy: &mut Proxy, copy: StreamId) {
    endings::end(proxy, copy);
}

/// A plugin is to end: its copies that only wait for its leave do not hold it.
pub(super) fn let_go(proxy: &mut Proxy, plugin: PluginId) {
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
