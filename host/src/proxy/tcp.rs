//! TCP streams: connections and their ends.

use bytes::Bytes;
use pw_abi::PeerType;

use super::{Proxy, chain, endings};
use crate::callbacks::On;
use crate::config::StreamInfo;
use crate::effect::{Effect, Piece};
use crate::fields::Fields;
use crate::ids::{PluginId, StreamId};
use crate::state::{Charges, Direction, Protocol, Work};

impl Proxy {
    /// A client has opened a TCP connection, which runs through these plugins, chosen as in [`Proxy::open_stream`].
    ///
    /// # Panics
    ///
    /// Panics if a plugin belongs to another proxy.
    pub fn open_connection(&mut self, plugins: &[PluginId], info: StreamInfo) -> StreamId {
        let stream = self.open(plugins, info, Protocol::Tcp { closed_by: (PeerType::LOCAL, PeerType::LOCAL) });
        self.message(stream, Direction::Request, Piece::headers(Fields::default(), false));
        stream
    }

    /// Bytes came from the client; after the end of the stream it sends no more.
    pub fn downstream_data(&mut self, stream: StreamId, data: impl Into<Bytes>, end_of_stream: bool) {
        self.begin();
        self.message(stream, Direction::Request, Piece::body(data, end_of_stream));
    }

    /// Bytes came from the upstream; after the end of the stream it sends no more.
    pub fn upstream_data(&mut self, stream: StreamId, data: impl Into<Bytes>, end_of_stream: bool) {
        self.begin();
        self.message(stream, Direction::Response, Piece::body(data, end_of_stream));
    }
}

/// A piece leaves the chain. The connections are closed when both directions are complete; the peer that ended the first
/// direction has closed both.
pub(super) fn emit(proxy: &mut Proxy, stream: StreamId, direction: Direction, piece: Piece, charges: Charges) {
    let Some(found) = proxy.state().find(stream) else { return };
    let ends = piece.ends();
    let over = found.request.complete && found.response.complete;
    if ends && !over {
        match direction {
            Direction::Request => found.closed_by(PeerType::REMOTE, PeerType::LOCAL),
            Direction::Response => found.closed_by(PeerType::LOCAL, PeerType::REMOTE),
        }
    }
    let effect = match piece {
        Piece::Headers { .. } => Effect::Connect { stream },
        piece => chain::effect(stream, direction, piece),
    };
    proxy.state().emit_charged(stream, effect, charges);
    if over {
        endings::end(proxy, stream);
    } else if stream.shadow && direction == Direction::Request {
        proxy.state().agenda.first([Work::Early { stream }]);
    }
}

/// Notifies the plugin at a place that the connection to the upstream is closed, or the one to the client, and then the plugins
/// at later places.
pub(super) fn closed(proxy: &mut Proxy, stream: StreamId, upstream: bool, place: usize) {
    let Some(found) = proxy.state().find(stream) else { return };
    let Protocol::Tcp { closed_by } = found.protocol else { return };
    if place >= found.filters.len() {
        if upstream {
            proxy.state().agenda.first([Work::Closed { stream, upstream: false, place: 0 }]);
        }
        return;
    }
    proxy.state().agenda.first([Work::Closed { stream, upstream, place: place + 1 }]);
    let (on, peer) = if upstream {
        (On::proxy_on_upstream_connection_close, closed_by.1)
    } else {
        (On::proxy_on_downstream_connection_close, closed_by.0)
    };
    if let Some((plugin, context)) = chain::context_at(proxy, stream, place) {
        proxy.call(plugin, on, context, [context, peer.0, 0, 0, 0]);
    }
}
