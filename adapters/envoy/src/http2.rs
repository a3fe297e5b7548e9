//! HTTP/2 as it is on the wire, for one connection: bytes in, frames out, and back.
//!
//! Knows nothing of sockets, and judges no message: fields keep their order, their case and whatever is in them,
//! `content-length` is not compared with anything, a `:status` may be any text. Only frames, compression and flow
//! control must be right.

use std::collections::{BTreeMap, VecDeque};

use loona_hpack::{Decoder, encoder::encode_integer};
use pw_cases::data::{Data, Fields};

/// The error code of a stream that is given up.
pub const CANCEL: u32 = 8;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const LARGEST_WINDOW: i64 = 0x7fff_ffff;
const DEFAULT_WINDOW: i64 = 0xffff;
const DEFAULT_FRAME: usize = 0x4000;
const LARGEST_FRAME: usize = 0xff_ffff;

/// Frame types.
mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Frame flags.
mod flag {
    pub(super) const ACK: u8 = 1;
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const PADDED: u8 = 8;
    pub(super) const PRIORITY: u8 = 0x20;
}

/// Settings.
mod setting {
    pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(super) const MAX_FRAME_SIZE: u16 = 5;
}

/// What the peer sent, as far as it matters above frames.
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
    /// The peer gives the stream up.
    Reset {
        /// The stream.
        stream: u32,
    },
    /// The answer to a [`Connection::ping`].
    Pong(u64),
}

impl Frame {
    /// The stream that it is of, if it is of one.
    pub fn stream(&self) -> Option<u32> {
        match self {
            Frame::Headers { stream, .. } | Frame::Data { stream, .. } | Frame::Reset { stream } => Some(*stream),
            Frame::Pong(_) => None,
        }
    }
}

/// One connection.
pub struct Connection {
    input: Vec<u8>,
    output: Vec<u8>,
    decoder: Decoder<'static>,
    /// What is yet to come of the client's preface.
    preface: &'static [u8],
    /// A field block whose end has not come: stream, end of stream, bytes.
    block: Option<(u32, bool, Vec<u8>)>,
    window: i64,
    initial_window: i64,
    frame_size: usize,
    outgoing: BTreeMap<u32, Outgoing>,
    opened: u32,
}

/// What waits for the peer's permission on one stream.
struct Outgoing {
    window: i64,
    queue: VecDeque<Piece>,
}

enum Piece {
    Fields(Vec<u8>, bool),
    Bytes(Vec<u8>, bool),
}

impl Connection {
    /// The client's side.
    pub fn client() -> Connection {
        Connection::new(PREFACE, b"")
    }

    /// The server's side.
    pub fn server() -> Connection {
        Connection::new(b"", PREFACE)
    }

    fn new(sent: &[u8], expected: &'static [u8]) -> Connection {
        let mut connection = Connection {
            input: Vec::new(),
            output: sent.to_vec(),
            decoder: Decoder::new(),
            preface: expected,
            block: None,
            window: DEFAULT_WINDOW,
            initial_window: DEFAULT_WINDOW,
            frame_size: DEFAULT_FRAME,
            outgoing: BTreeMap::new(),
            opened: 0,
        };
        let mut settings = Vec::new();
        for (name, value) in
            [(setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW as u32), (setting::MAX_FRAME_SIZE, LARGEST_FRAME as u32)]
        {
            settings.extend(name.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        connection.frame(kind::SETTINGS, 0, 0, &settings);
        connection.allow((LARGEST_WINDOW - DEFAULT_WINDOW) as u32);
        connection
    }

    /// What is to be written to the socket; it is forgotten here.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The number of the client's next stream.
    pub fn open(&mut self) -> u32 {
        self.opened += 1;
        self.opened * 2 - 1
    }

    /// Sends headers or trailers, after what waits on the stream.
    pub fn send_fields(&mut self, stream: u32, fields: &Fields, end_of_stream: bool) {
        self.send(stream, Piece::Fields(encode(fields), end_of_stream));
    }

    /// Sends a piece of a body as soon as the peer allows it.
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], end_of_stream: bool) {
        self.send(stream, Piece::Bytes(bytes.to_vec(), end_of_stream));
    }

    /// Gives a stream up.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.outgoing.remove(&stream);
        self.frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Asks for a [`Frame::Pong`], which comes after all that the peer does because of earlier frames on this connection.
    pub fn ping(&mut self, number: u64) {
        self.frame(kind::PING, 0, 0, &number.to_be_bytes());
    }

    /// Takes what came from the socket. An error means that the peer does not speak HTTP/2.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.input.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut at = 0;
        let length = self.preface.len().min(self.input.len());
        if self.input[..length] != self.preface[..length] {
            return Err("the preface is not that of HTTP/2".into());
        }
        self.preface = &self.preface[length..];
        at += length;
        while let Some(header) = self.input.get(at..at + 9) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (kind, flags) = (header[3], header[4]);
            let stream = number(&header[5..9]) & 0x7fff_ffff;
            let Some(payload) = self.input.get(at + 9..at + 9 + length).map(<[u8]>::to_vec) else { break };
            at += 9 + length;
            self.understand(kind, flags, stream, payload, &mut frames)?;
        }
        self.input.drain(..at);
        self.flush();
        Ok(frames)
    }

    fn understand(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), String> {
        match kind {
            kind::DATA => {
                self.allow(payload.len() as u32);
                let bytes = content(&payload, flags)?.to_vec();
                frames.push(Frame::Data { stream, bytes, end_of_stream: flags & flag::END_STREAM != 0 });
            }
            kind::HEADERS => {
                let mut block = content(&payload, flags)?;
                if flags & flag::PRIORITY != 0 {
                    block = block.get(5..).ok_or("a HEADERS frame is too short")?;
                }
                self.block = Some((stream, flags & flag::END_STREAM != 0, block.to_vec()));
                self.end_block(flags, frames)?;
            }
            kind::CONTINUATION => {
                let (_, _, block) = self.block.as_mut().ok_or("a CONTINUATION frame continues nothing")?;
                block.extend_from_slice(&payload);
                self.end_block(flags, frames)?;
            }
            kind::RST_STREAM => {
                self.outgoing.remove(&stream);
                frames.push(Frame::Reset { stream });
            }
            kind::SETTINGS if flags & flag::ACK == 0 => {
                payload.chunks_exact(6).for_each(|entry| self.set(entry));
                self.frame(kind::SETTINGS, flag::ACK, 0, &[]);
            }
            kind::PING => {
                let bytes: [u8; 8] = payload.as_slice().try_into().map_err(|_| "a PING frame is not of 8 bytes")?;
                match flags & flag::ACK {
                    0 => self.frame(kind::PING, flag::ACK, 0, &bytes),
                    _ => frames.push(Frame::Pong(u64::from_be_bytes(bytes))),
                }
            }
            kind::WINDOW_UPDATE if payload.len() == 4 => {
                let more = i64::from(number(&payload) & 0x7fff_ffff);
                match self.outgoing.get_mut(&stream) {
                    _ if stream == 0 => self.window += more,
                    Some(outgoing) => outgoing.window += more,
                    None => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_block(&mut self, flags: u8, frames: &mut Vec<Frame>) -> Result<(), String> {
        if flags & flag::END_HEADERS != 0
            && let Some((stream, end_of_stream, block)) = self.block.take()
        {
            let fields = self.decoder.decode(&block).map_err(|error| format!("fields do not decode: {error:?}"))?;
            let fields = fields.into_iter().map(|(name, value)| (Data(name), Data(value))).collect();
            frames.push(Frame::Headers { stream, fields, end_of_stream });
        }
        Ok(())
    }

    fn set(&mut self, entry: &[u8]) {
        let value = number(&entry[2..6]);
        match u16::from_be_bytes([entry[0], entry[1]]) {
            setting::INITIAL_WINDOW_SIZE => {
                let more = i64::from(value) - self.initial_window;
                self.initial_window += more;
                self.outgoing.values_mut().for_each(|outgoing| outgoing.window += more);
            }
            setting::MAX_FRAME_SIZE => self.frame_size = (value as usize).clamp(DEFAULT_FRAME, LARGEST_FRAME),
            _ => {}
        }
    }

    fn send(&mut self, stream: u32, piece: Piece) {
        let window = self.initial_window;
        let outgoing = self.outgoing.entry(stream).or_insert_with(|| Outgoing { window, queue: VecDeque::new() });
        outgoing.queue.push_back(piece);
        self.flush();
    }

    /// Writes what the windows allow.
    fn flush(&mut self) {
        for stream in self.outgoing.keys().copied().collect::<Vec<_>>() {
            let mut ended = false;
            while let Some(outgoing) = self.outgoing.get_mut(&stream)
                && let Some(piece) = outgoing.queue.pop_front()
            {
                match piece {
                    Piece::Fields(block, end) => {
                        self.write_block(stream, &block, end);
                        ended |= end;
                    }
                    Piece::Bytes(mut bytes, end) => {
                        let room = self.window.min(outgoing.window).clamp(0, self.frame_size as i64) as usize;
                        if room == 0 && !bytes.is_empty() {
                            outgoing.queue.push_front(Piece::Bytes(bytes, end));
                            break;
                        }
                        let rest = bytes.split_off(room.min(bytes.len()));
                        self.window -= bytes.len() as i64;
                        outgoing.window -= bytes.len() as i64;
                        let last = end && rest.is_empty();
                        if !rest.is_empty() {
                            outgoing.queue.push_front(Piece::Bytes(rest, end));
                        }
                        self.frame(kind::DATA, if last { flag::END_STREAM } else { 0 }, stream, &bytes);
                        ended |= last;
                    }
                }
            }
            if ended {
                self.outgoing.remove(&stream);
            }
        }
    }

    fn write_block(&mut self, stream: u32, block: &[u8], end: bool) {
        let mut chunks = block.chunks(DEFAULT_FRAME).peekable();
        let mut kind = kind::HEADERS;
        let mut flags = if end { flag::END_STREAM } else { 0 };
        loop {
            let chunk = chunks.next().unwrap_or_default();
            if chunks.peek().is_none() {
                flags |= flag::END_HEADERS;
            }
            self.frame(kind, flags, stream, chunk);
            if flags & flag::END_HEADERS != 0 {
                return;
            }
            (kind, flags) = (kind::CONTINUATION, 0);
        }
    }

    /// Allows the peer to send more on the connection; the streams' windows are as large as can be from the start.
    fn allow(&mut self, more: u32) {
        if more > 0 {
            self.frame(kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.output.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.output.extend_from_slice(&[kind, flags]);
        self.output.extend_from_slice(&stream.to_be_bytes());
        self.output.extend_from_slice(payload);
    }
}

/// The payload without its padding.
fn content(payload: &[u8], flags: u8) -> Result<&[u8], String> {
    if flags & flag::PADDED == 0 {
        return Ok(payload);
    }
    let padding = payload.first().copied().map(usize::from);
    let end = padding.and_then(|padding| payload.len().checked_sub(padding));
    end.and_then(|end| payload.get(1..end)).ok_or_else(|| "a frame has more padding than payload".into())
}

/// Every field as a literal: nothing is compressed, so nothing can be changed on the way.
fn encode(fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.extend(encode_integer(text.0.len(), 7));
            block.extend_from_slice(&text.0);
        }
    }
    block
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries what one side wrote to the other, until both are silent.
    #[track_caller]
    fn exchange(a: &mut Connection, b: &mut Connection) -> (Vec<Frame>, Vec<Frame>) {
        let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
        loop {
            let (from_a, from_b) = (a.take_output(), b.take_output());
            if from_a.is_empty() && from_b.is_empty() {
                return (to_a, to_b);
            }
            for bytes in from_a.chunks(7) {
                to_b.extend(b.receive(bytes).expect("a speaks HTTP/2"));
            }
            to_a.extend(a.receive(&from_b).expect("b speaks HTTP/2"));
        }
    }

    fn fields(fields: &[(&str, &str)]) -> Fields {
        fields.iter().map(|(name, value)| (Data::from(*name), Data::from(*value))).collect()
    }

    #[test]
    fn fields_arrive_as_they_are() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let sent = fields(&[(":path", "/"), ("a", "1"), ("B", "\0\r\n"), ("a", "2"), ("", "")]);
        let stream = client.open();
        client.send_fields(stream, &sent, true);
        let (_, received) = exchange(&mut client, &mut server);
        assert_eq!(received, [Frame::Headers { stream: 1, fields: sent, end_of_stream: true }]);
    }

    #[test]
    fn long_fields_are_continued() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let sent = fields(&[("a", &"x".repeat(50_000))]);
        let stream = client.open();
        client.send_fields(stream, &sent, false);
        let (_, received) = exchange(&mut client, &mut server);
        assert_eq!(received, [Frame::Headers { stream: 1, fields: sent, end_of_stream: false }]);
    }

    #[test]
    fn a_large_body_waits_for_the_window_and_trailers_wait_for_it() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let stream = client.open();
        client.send_fields(stream, &fields(&[("a", "1")]), false);
        client.send_data(stream, &vec![7; 1 << 20], false);
        client.send_fields(stream, &fields(&[("t", "1")]), true);
        let (_, received) = exchange(&mut client, &mut server);
        let size: usize =
            received.iter().map(|frame| if let Frame::Data { bytes, .. } = frame { bytes.len() } else { 0 }).sum();
        assert_eq!(size, 1 << 20);
        assert!(matches!(received.last(), Some(Frame::Headers { end_of_stream: true, .. })));
    }

    #[test]
    fn pings_and_resets() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let stream = client.open();
        client.send_fields(stream, &fields(&[("a", "1")]), false);
        client.ping(42);
        exchange(&mut client, &mut server);
        server.reset(stream, CANCEL);
        client.ping(43);
        let (received, _) = exchange(&mut client, &mut server);
        assert_eq!(received, [Frame::Reset { stream: 1 }, Frame::Pong(43)]);
    }
}
