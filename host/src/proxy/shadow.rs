//! Log-only plugins: each runs on a copy of the stream, of which nothing gets out.

use super::{PluginId, Proxy, StreamId, streams};
use crate::effect::Piece;
use crate::state::{Direction, Message, Protocol, Shadow, Stream};

/// Opens the copy of a stream that a log-only plugin runs on; none if the plugin is not there.
pub(super) fn open(proxy: &mut Proxy, of: StreamId, plugin: PluginId) -> Option<StreamId> {
    if !proxy.lives(plugin) {
        return None;
    }
    let found = proxy.state().find(of)?;
    let (info, protocol) = (found.info.clone(), found.protocol);
    let shadow = streams::insert(proxy, &[plugin], info, protocol, Some(Shadow::new(plugin, of)));
    streams::tell(proxy, shadow, 0)?;
    Some(shadow)
}

/// A piece passes the place of a log-only plugin. What comes of a response before the plugin has let the request go
/// waits: without the plugin's leave there were none. A copy for which too much waits ends.
pub(super) fn give(proxy: &mut Proxy, id: StreamId, direction: Direction, piece: Piece) {
    let Some(found) = proxy.state().find(id).filter(|found| !found.over) else { return };
    let (sent, http) = (found.request.sent, found.protocol == Protocol::Http);
    let Some(shadow) = &mut found.shadow else { return };
    if direction == Direction::Response && (!sent || !shadow.early.is_empty()) {
        if let Piece::Body { body, .. } = &piece {
            shadow.early_size += body.len();
        }
        shadow.early.push_back(piece);
        let (waiting, plugin) = (shadow.early_size, shadow.plugin);
        if waiting > proxy.state().plugins[plugin.0].limits.held {
            streams::end(proxy, id);
        }
        return;
    }
    shadow.give(direction, &piece);
    if found.message(direction).takes(&piece, http) {
        streams::feed(proxy, id, direction, 0, piece);
    }
}

/// A copy's plugin has let the request go.
pub(super) fn sent(proxy: &mut Proxy, id: StreamId) {
    loop {
        let Some(shadow) = proxy.state().find(id).and_then(|found| found.shadow.as_mut()) else { return };
        let Some(piece) = shadow.early.pop_front() else { return };
        let rest = std::mem::take(&mut shadow.early);
        give(proxy, id, Direction::Response, piece);
        if let Some(shadow) = proxy.state().find(id).and_then(|found| found.shadow.as_mut()) {
            shadow.early = rest;
        }
    }
}

/// The stream is over. Its copies end with it, but for those that have all of it and only wait for their plugin's leave.
pub(super) fn end(proxy: &mut Proxy, of: StreamId) {
    let Some(found) = proxy.state().find(of) else { return };
    let complete = |message: &Message| message.ended;
    let whole = complete(&found.request) && complete(&found.response);
    let copies: Vec<(PluginId, StreamId)> =
        found.filters.iter().filter_map(|filter| Some((filter.plugin, filter.shadow?))).collect();
    for (plugin, copy) in copies {
        let left = alone(proxy, plugin).len();
        let state = proxy.state();
        let owner = &state.plugins[plugin.0];
        let room = left < owner.limits.pending && !owner.retired;
        let Some(shadow) = state.find(copy).filter(|found| !found.over).and_then(|found| found.shadow.as_mut()) else {
            continue;
        };
        shadow.alone = true;
        if !whole || !room {
            streams::end(proxy, copy);
        }
    }
}

/// A plugin is to end: its copies that only wait for its leave do not hold it.
pub(super) fn let_go(proxy: &mut Proxy, plugin: PluginId) {
    for copy in alone(proxy, plugin) {
        streams::end(proxy, copy);
    }
}

/// The copies of a plugin's that have outlived their streams.
fn alone(proxy: &mut Proxy, plugin: PluginId) -> Vec<StreamId> {
    let is_alone = |stream: &Stream| {
        !stream.over && stream.shadow.as_ref().is_some_and(|shadow| shadow.plugin == plugin && shadow.alone)
    };
    proxy.state().streams.iter().filter(|(_, stream)| is_alone(stream)).map(|(_, stream)| stream.id).collect()
}
