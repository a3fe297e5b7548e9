//! What is received on a connection of HTTP, of either version.

use pw_cases::data::Fields;

/// What the peer sent, without what only the protocol itself needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Headers or trailers.
    Headers {
        /// The stream.
        stream: u32,
        /// The fields, in their order.
        fields: Fields,
        /// The peer ends the stream.
        end_of_stream: bool,
    },
    /// A piece of a body.
    Data {
        /// The stream.
        stream: u32,
        /// The piece.
        bytes: Vec<u8>,
        /// The peer ends the stream.
        end_of_stream: bool,
    },
    /// The peer reset the stream, or said with GOAWAY that it does not process it.
    Reset {
        /// The stream.
        stream: u32,
    },
    /// The answer to a ping with this number.
    Pong(u64),
}

impl Frame {
    /// The stream that the frame belongs to; a pong belongs to none.
    pub fn stream(&self) -> Option<u32> {
        match self {
            Frame::Headers { stream, .. } | Frame::Data { stream, .. } | Frame::Reset { stream } => Some(*stream),
            Frame::Pong(_) => None,
        }
    }
}
