//! One connection of HTTP, of either version.
//!
//! A server finds out by the first bytes which version the client speaks, and writes nothing before that.

use pw_cases::data::Fields;

use crate::frame::Frame;
use crate::{http1, http2};

/// How the first bytes of HTTP/2 begin, and no request of HTTP/1.1.
const PREFACE: &[u8] = b"PRI ";

/// One connection.
pub enum Connection {
    /// A server that has not received enough to know.
    Unknown(Vec<u8>),
    /// HTTP/1.1.
    Http1(http1::Connection),
    /// HTTP/2.
    Http2(Box<http2::Connection>),
}

impl Connection {
    /// The client's side of HTTP/2.
    pub fn client() -> Connection {
        Connection::Http2(Box::new(http2::Connection::client()))
    }

    /// The client's side of HTTP/1.1.
    pub fn http1_client() -> Connection {
        Connection::Http1(http1::Connection::client())
    }

    /// The server's side.
    pub fn server() -> Connection {
        Connection::Unknown(Vec::new())
    }

    /// Whether the other end answers pings.
    pub fn answers_pings(&self) -> bool {
        matches!(self, Connection::Http2(_))
    }

    /// The bytes that are to be written to the socket; they are removed from here.
    pub fn take_output(&mut self) -> Vec<u8> {
        match self {
            Connection::Unknown(_) => Vec::new(),
            Connection::Http1(http) => http.take_output(),
            Connection::Http2(http) => http.take_output(),
        }
    }

    /// Whether the connection is to be reset.
    pub fn is_reset(&self) -> bool {
        matches!(self, Connection::Http1(http) if http.is_reset())
    }

    /// Begins the client's next request and returns its number.
    pub fn open(&mut self) -> u32 {
        match self {
            Connection::Unknown(_) => 0,
            Connection::Http1(http) => http.open(),
            Connection::Http2(http) => http.open(),
        }
    }

    /// Sends headers or trailers, after what waits on the stream. A stream that is closed, or that this side has ended, is
    /// left as it is.
    pub fn send_fields(&mut self, stream: u32, fields: &Fields, end_of_stream: bool) {
        match self {
            Connection::Unknown(_) => {}
            Connection::Http1(http) => http.send_fields(stream, fields, end_of_stream),
            Connection::Http2(http) => http.send_fields(stream, fields, end_of_stream),
        }
    }

    /// Sends a piece of a body as soon as the peer allows it. A stream that is closed, or that this side has ended, is left
    /// as it is.
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], end_of_stream: bool) {
        match self {
            Connection::Unknown(_) => {}
            Connection::Http1(http) => http.send_data(stream, bytes, end_of_stream),
            Connection::Http2(http) => http.send_data(stream, bytes, end_of_stream),
        }
    }

    /// Resets a stream, which with HTTP/1.1 is the connection.
    pub fn reset(&mut self, stream: u32) {
        match self {
            Connection::Unknown(_) => {}
            Connection::Http1(http) => http.reset(stream),
            Connection::Http2(http) => http.reset(stream, http2::CANCEL),
        }
    }

    /// Asks for a [`Frame::Pong`] with this number, which does not come with HTTP/1.1.
    pub fn ping(&mut self, number: u64) {
        if let Connection::Http2(http) = self {
            http.ping(number);
        }
    }

    /// Takes bytes from the socket and returns the frames that are complete.
    ///
    /// # Errors
    ///
    /// The peer does not speak HTTP, or sends headers or trailers that are too long.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        if let Connection::Unknown(start) = self {
            start.extend_from_slice(bytes);
            let known = start.len().min(PREFACE.len());
            let bytes = std::mem::take(start);
            if bytes[..known] != PREFACE[..known] {
                *self = Connection::Http1(http1::Connection::server());
            } else if known == PREFACE.len() {
                *self = Connection::Http2(Box::new(http2::Connection::server()));
            } else {
                *start = bytes;
                return Ok(Vec::new());
            }
            return self.receive(&bytes);
        }
        match self {
            Connection::Unknown(_) => Ok(Vec::new()),
            Connection::Http1(http) => http.receive(bytes),
            Connection::Http2(http) => http.receive(bytes),
        }
    }

    /// The peer sends nothing more: the end of a body that ends with the connection.
    pub fn end(&mut self) -> Option<Frame> {
        if let Connection::Http1(http) = self { http.end() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::field;

    #[test]
    fn a_server_speaks_what_the_client_speaks() {
        let fields: Fields = vec![field(":method", "GET"), field(":path", "/")];
        for (mut client, pings) in [(Connection::client(), true), (Connection::http1_client(), false)] {
            let mut server = Connection::server();
            assert!(server.take_output().is_empty());
            let stream = client.open();
            client.send_fields(stream, &fields, true);
            let frames: Vec<Frame> =
                client.take_output().chunks(1).flat_map(|byte| server.receive(byte).expect("it is HTTP")).collect();
            assert!(matches!(&frames[..], [Frame::Headers { stream: 1, end_of_stream: true, .. }]), "{frames:?}");
            assert_eq!((server.answers_pings(), client.answers_pings()), (pings, pings));
        }
    }
}
