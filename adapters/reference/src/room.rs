//! Bounds how much of a run is kept, since a plugin could make its transcript as long as it likes.

use pw_host::{Effect, Fields, Piece};

/// Why a scenario has no transcript.
pub(crate) const TOO_LONG: &str =
    "its plugins send, log and read more than is kept of a case (256 MiB): make its steps fewer or smaller";

/// Bytes of sent, logged and returned values that are kept of a run; the same again for what the host observed.
const MAX_BYTES: usize = 256 << 20;
/// Bytes that each event costs besides its values.
const EVENT_BYTES: usize = 128;

/// The bytes that are left.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    left: usize,
    full: bool,
}

impl Default for Room {
    fn default() -> Room {
        Room { left: MAX_BYTES, full: false }
    }
}

impl Room {
    /// Reserves `bytes`. Returns false if they do not fit, and always after that.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes.saturating_add(EVENT_BYTES)) {
            Some(left) if !self.full => self.left = left,
            _ => self.full = true,
        }
        !self.full
    }

    /// Whether something was left out.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }
}

/// Bytes of an effect.
pub(crate) fn bytes(effect: &Effect) -> usize {
    let fields = |fields: &Fields| fields.iter().map(|(name, value)| name.len() + value.len() + 48).sum::<usize>();
    match effect {
        Effect::Log { message, .. } => message.len(),
        Effect::Upstream { piece, .. } | Effect::Downstream { piece, .. } => match piece {
            Piece::Headers { headers, .. } => fields(headers),
            Piece::Body { body, .. } => body.len(),
            Piece::Trailers { trailers } => fields(trailers),
        },
        Effect::HttpCall { headers, body, trailers, .. } => fields(headers) + body.len() + fields(trailers),
        Effect::GrpcCall { metadata, .. } => fields(metadata),
        Effect::GrpcSend { message, .. } => message.as_ref().map_or(0, |message| message.len()),
        Effect::Fault { reason, .. } => reason.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_it_is_full_nothing_more_goes_in() {
        let mut room = Room::default();
        assert!(room.take(MAX_BYTES / 2) && room.take(0) && !room.is_full());
        assert!(!room.take(MAX_BYTES / 2) && !room.take(0) && room.is_full());
    }
}
