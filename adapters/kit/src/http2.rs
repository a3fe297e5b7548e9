//! HTTP/2 as it is on the wire, for one connection: bytes in, frames out, and back.
//!
//! Knows nothing of sockets, and does not judge messages: fields keep their order, their case and all of their bytes,
//! `content-length` is not compared with anything, a `:status` may be any text. Only frames, compression and flow
//! control have to be right.

mod wire;

use std::collections::{BTreeMap, VecDeque};

use loona_hpack::{Decoder, encoder::encode_integer};
use pw_cases::data::{Data, Fields};

use crate::frame::Frame;

use wire::{PREFACE, Raw, flag, kind, setting};

/// The error code with which a stream is reset that is not needed any more.
pub const CANCEL: u32 = 8;

/// Bytes that a window may allow at most.
const MAX_WINDOW_BYTES: i64 = 0x7fff_ffff;
/// Bytes that a window allows until something else is agreed.
const DEFAULT_WINDOW_BYTES: i64 = 0xffff;
/// Bytes of a frame's payload until something else is agreed.
const DEFAULT_FRAME_BYTES: usize = 0x4000;
/// Bytes of a frame's payload at most.
const MAX_FRAME_BYTES: usize = 0xff_ffff;
/// Bytes of a block of compressed fields that the peer may send; more is an error.
const MAX_BLOCK_BYTES: usize = 64 << 20;

/// One connection.
pub struct Connection {
    input: Vec<u8>,
    output: Vec<u8>,
    decoder: Decoder<'static>,
    /// The rest of the client's preface, which a server still expects.
    preface: &'static [u8],
    /// A block of fields that is not complete: stream, end of stream, bytes.
    block: Option<(u32, bool, Vec<u8>)>,
    /// Bytes that the peer allows on the connection.
    window: i64,
    /// Bytes that the peer allows on a new stream.
    initial_window: i64,
    /// Bytes of a frame's payload that the peer accepts.
    frame_size: usize,
    /// The streams that are not closed.
    streams: BTreeMap<u32, Stream>,
    /// The latest stream, whichever side opened it.
    latest: u32,
    is_client: bool,
}

/// A stream that at least one side has not ended.
struct Stream {
    /// Bytes that the peer allows.
    window: i64,
    /// What waits for the window.
    queue: VecDeque<Piece>,
    /// Our last piece is sent, or in the queue.
    ended_here: bool,
    /// The peer has sent its last piece.
    ended_there: bool,
}

struct Piece {
    content: Content,
    end_of_stream: bool,
}

enum Content {
    /// Compressed.
    Fields(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Connection {
    /// The client's side.
    pub fn client() -> Connection {
        Connection::new(true)
    }

    /// The server's side.
    pub fn server() -> Connection {
        Connection::new(false)
    }

    fn new(is_client: bool) -> Connection {
        let (output, preface) = if is_client { (PREFACE.to_vec(), &b""[..]) } else { (Vec::new(), PREFACE) };
        let mut connection = Connection {
            input: Vec::new(),
            output,
            decoder: Decoder::new(),
            preface,
            block: None,
            window: DEFAULT_WINDOW_BYTES,
            initial_window: DEFAULT_WINDOW_BYTES,
            frame_size: DEFAULT_FRAME_BYTES,
            streams: BTreeMap::new(),
            latest: 0,
            is_client,
        };
        let mut settings = Vec::new();
        for (name, value) in
            [(setting::INITIAL_WINDOW_SIZE, MAX_WINDOW_BYTES as u32), (setting::MAX_FRAME_SIZE, MAX_FRAME_BYTES as u32)]
        {
            settings.extend(name.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        connection.write(kind::SETTINGS, 0, 0, &settings);
        connection.allow((MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES) as u32);
        connection
    }

    /// The bytes that are to be written to the socket; they are removed from here.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Opens the client's next stream and returns its number.
    pub fn open(&mut self) -> u32 {
        let stream = if self.latest == 0 { 1 } else { self.latest + 2 };
        self.insert(stream);
        stream
    }

    /// Sends headers or trailers, after what waits on the stream. A stream that is closed, or that this side has ended, is
    /// left as it is.
    pub fn send_fields(&mut self, stream: u32, fields: &Fields, end_of_stream: bool) {
        self.send(stream, Piece { content: Content::Fields(encode(fields)), end_of_stream });
    }

    /// Sends a piece of a body as soon as the peer allows it. A stream that is closed, or that this side has ended, is left
    /// as it is.
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], end_of_stream: bool) {
        self.send(stream, Piece { content: Content::Bytes(bytes.to_vec()), end_of_stream });
    }

    /// Resets a stream; what waits on it is not sent.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.streams.remove(&stream);
        self.write(kind::RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Asks for a [`Frame::Pong`] with this number.
    pub fn ping(&mut self, number: u64) {
        self.write(kind::PING, 0, 0, &number.to_be_bytes());
    }

    /// Takes bytes from the socket and returns the frames that are complete.
    ///
    /// # Errors
    ///
    /// The peer does not speak HTTP/2, or sends a block of fields that is too long.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.input.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut at = self.preface.len().min(self.input.len());
        if self.input[..at] != self.preface[..at] {
            return Err("the preface is not that of HTTP/2".into());
        }
        self.preface = &self.preface[at..];
        while let Some((frame, size)) = Raw::read(&self.input[at..]) {
            at += size;
            self.handle(&frame, &mut frames)?;
        }
        self.input.drain(..at);
        self.flush();
        Ok(frames)
    }
}

/// What the peer sends.
impl Connection {
    fn handle(&mut self, frame: &Raw, frames: &mut Vec<Frame>) -> Result<(), String> {
        let stream = frame.stream;
        match frame.kind {
            kind::DATA => {
                self.allow(frame.payload.len() as u32);
                let end_of_stream = frame.has(flag::END_STREAM);
                frames.push(Frame::Data { stream, bytes: frame.content()?.to_vec(), end_of_stream });
                self.end_there(stream, end_of_stream);
            }
            kind::HEADERS => {
                if !self.is_client && stream > self.latest {
                    self.insert(stream);
                }
                self.block = Some((stream, frame.has(flag::END_STREAM), frame.content()?.to_vec()));
                self.end_block(frame, frames)?;
            }
            kind::CONTINUATION => {
                let (_, _, block) = self.block.as_mut().ok_or("a CONTINUATION frame continues nothing")?;
                block.extend_from_slice(&frame.payload);
                if block.len() > MAX_BLOCK_BYTES {
                    return Err(format!("a block of fields is longer than {MAX_BLOCK_BYTES} bytes"));
                }
                self.end_block(frame, frames)?;
            }
            kind::RST_STREAM => {
                self.streams.remove(&stream);
                frames.push(Frame::Reset { stream });
            }
            kind::SETTINGS if !frame.has(flag::ACK) => {
                frame.settings().into_iter().for_each(|(name, value)| self.set(name, value));
                self.write(kind::SETTINGS, flag::ACK, 0, &[]);
            }
            kind::PING => {
                let number = frame.payload.as_slice().try_into().map_err(|_| "a PING frame is not of 8 bytes")?;
                if frame.has(flag::ACK) {
                    frames.push(Frame::Pong(u64::from_be_bytes(number)));
                } else {
                    self.write(kind::PING, flag::ACK, 0, &number);
                }
            }
            kind::GOAWAY => self.go_away(frame.value().ok_or("a GOAWAY frame is too short")?, frames),
            kind::WINDOW_UPDATE => {
                let more = i64::from(frame.value().ok_or("a WINDOW_UPDATE frame is too short")?);
                match self.streams.get_mut(&stream) {
                    _ if stream == 0 => self.window += more,
                    Some(stream) => stream.window += more,
                    // It is closed.
                    None => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_block(&mut self, frame: &Raw, frames: &mut Vec<Frame>) -> Result<(), String> {
        if frame.has(flag::END_HEADERS)
            && let Some((stream, end_of_stream, block)) = self.block.take()
        {
            let fields = self.decoder.decode(&block).map_err(|error| format!("fields do not decode: {error:?}"))?;
            let fields = fields.into_iter().map(|(name, value)| (Data(name), Data(value))).collect();
            frames.push(Frame::Headers { stream, fields, end_of_stream });
            self.end_there(stream, end_of_stream);
        }
        Ok(())
    }

    fn set(&mut self, name: u16, value: u32) {
        match name {
            setting::INITIAL_WINDOW_SIZE => {
                let more = i64::from(value) - self.initial_window;
                self.initial_window += more;
                self.streams.values_mut().for_each(|stream| stream.window += more);
            }
            setting::MAX_FRAME_SIZE => {
                self.frame_size = (value as usize).clamp(DEFAULT_FRAME_BYTES, MAX_FRAME_BYTES);
            }
            _ => {}
        }
    }

    /// The peer processes no stream of ours after `last`.
    fn go_away(&mut self, last: u32, frames: &mut Vec<Frame>) {
        if self.is_client && last < self.latest {
            let refused = self.streams.split_off(&(last + 1));
            frames.extend(refused.into_keys().map(|stream| Frame::Reset { stream }));
        }
    }

    fn insert(&mut self, stream: u32) {
        let window = self.initial_window;
        self.latest = stream;
        self.streams.insert(stream, Stream { window, queue: VecDeque::new(), ended_here: false, ended_there: false });
    }

    fn end_there(&mut self, stream: u32, end_of_stream: bool) {
        if end_of_stream && let Some(found) = self.streams.get_mut(&stream) {
            found.ended_there = true;
            self.forget(stream);
        }
    }

    /// Removes a stream that both sides have ended.
    fn forget(&mut self, stream: u32) {
        let is_closed = |stream: &Stream| stream.ended_here && stream.ended_there && stream.queue.is_empty();
        if self.streams.get(&stream).is_some_and(is_closed) {
            self.streams.remove(&stream);
        }
    }
}

/// What is sent to the peer.
impl Connection {
    fn send(&mut self, stream: u32, piece: Piece) {
        let Some(found) = self.streams.get_mut(&stream).filter(|stream| !stream.ended_here) else { return };
        found.ended_here = piece.end_of_stream;
        found.queue.push_back(piece);
        self.flush();
    }

    /// Writes what the windows allow.
    fn flush(&mut self) {
        for stream in self.streams.keys().copied().collect::<Vec<_>>() {
            while let Some(piece) = self.next_piece(stream) {
                match &piece.content {
                    Content::Fields(block) => self.write_block(stream, block, piece.end_of_stream),
                    Content::Bytes(bytes) => {
                        self.write(kind::DATA, if piece.end_of_stream { flag::END_STREAM } else { 0 }, stream, bytes);
                    }
                }
            }
            self.forget(stream);
        }
    }

    /// Takes the next piece of a stream's queue, or as much of it as the windows and the size of a frame allow.
    fn next_piece(&mut self, stream: u32) -> Option<Piece> {
        let found = self.streams.get_mut(&stream)?;
        let Piece { content: Content::Bytes(bytes), .. } = found.queue.front_mut()? else {
            return found.queue.pop_front();
        };
        let allowed = self.window.min(found.window).clamp(0, self.frame_size as i64) as usize;
        if allowed == 0 && !bytes.is_empty() {
            return None;
        }
        let size = allowed.min(bytes.len());
        self.window -= size as i64;
        found.window -= size as i64;
        if size == bytes.len() {
            return found.queue.pop_front();
        }
        let rest = bytes.split_off(size);
        let content = Content::Bytes(std::mem::replace(bytes, rest));
        Some(Piece { content, end_of_stream: false })
    }

    fn write_block(&mut self, stream: u32, block: &[u8], end_of_stream: bool) {
        let mut chunks = block.chunks(DEFAULT_FRAME_BYTES).peekable();
        let mut kind = kind::HEADERS;
        let mut flags = if end_of_stream { flag::END_STREAM } else { 0 };
        loop {
            let chunk = chunks.next().unwrap_or_default();
            if chunks.peek().is_none() {
                flags |= flag::END_HEADERS;
            }
            self.write(kind, flags, stream, chunk);
            if flags & flag::END_HEADERS != 0 {
                return;
            }
            (kind, flags) = (kind::CONTINUATION, 0);
        }
    }

    /// Allows the peer to send more on the connection. Streams need no such frame: their windows have the maximum size from the
    /// start, and no body is as long.
    fn allow(&mut self, more: u32) {
        if more > 0 {
            self.write(kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        wire::write(&mut self.output, kind, flags, stream, payload);
    }
}

/// Encodes every field as a literal that is not indexed: nothing is compressed, so no field can be changed.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries bytes between both sides until neither writes any more.
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

    /// A frame's bytes, with the payload as it is written here.
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::write(&mut bytes, kind, flags, stream, payload);
        bytes
    }

    #[test]
    fn fields_arrive_unchanged() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let sent = fields(&[(":path", "/"), ("a", "1"), ("B", "\0\r\n"), ("a", "2"), ("", "")]);
        let stream = client.open();
        client.send_fields(stream, &sent, true);
        let (_, received) = exchange(&mut client, &mut server);
        assert_eq!(received, [Frame::Headers { stream: 1, fields: sent, end_of_stream: true }]);
    }

    #[test]
    fn splits_long_fields_over_frames() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let sent = fields(&[("a", &"x".repeat(50_000))]);
        let stream = client.open();
        client.send_fields(stream, &sent, false);
        let (_, received) = exchange(&mut client, &mut server);
        assert_eq!(received, [Frame::Headers { stream: 1, fields: sent, end_of_stream: false }]);
    }

    #[test]
    fn trailers_wait_for_a_body_larger_than_the_window() {
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
    fn receives_resets_and_pongs_in_order() {
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

    #[test]
    fn reads_padding_priority_and_continuation() {
        let mut server = Connection::server();
        // A literal field `a: 1`, in two parts.
        let block = b"\x00\x01a\x011";
        let headers = [&[2][..], &[0, 0, 0, 0, 16], &block[..3], &[0, 0]].concat();
        let data = [&[3][..], b"body", &[0, 0, 0]].concat();
        let bytes = [
            PREFACE.to_vec(),
            frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, 1, &headers),
            frame(kind::CONTINUATION, flag::END_HEADERS, 1, &block[3..]),
            frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, &data),
        ];
        let expected = [
            Frame::Headers { stream: 1, fields: fields(&[("a", "1")]), end_of_stream: false },
            Frame::Data { stream: 1, bytes: b"body".to_vec(), end_of_stream: true },
        ];
        assert_eq!(server.receive(&bytes.concat()), Ok(expected.to_vec()));
    }

    #[test]
    fn refuses_what_is_not_http2() {
        let rows = [
            (b"GET / HTTP/1.1\r\n".to_vec(), "preface"),
            ([PREFACE, &frame(kind::DATA, flag::PADDED, 1, &[9, 1])].concat(), "padding"),
            ([PREFACE, &frame(kind::HEADERS, flag::PRIORITY, 1, &[0; 4])].concat(), "priority"),
            ([PREFACE, &frame(kind::CONTINUATION, 0, 1, b"")].concat(), "continues nothing"),
            ([PREFACE, &frame(kind::PING, 0, 0, &[0; 7])].concat(), "8 bytes"),
            ([PREFACE, &frame(kind::GOAWAY, 0, 0, &[0; 3])].concat(), "GOAWAY"),
        ];
        for (bytes, reason) in rows {
            let error = Connection::server().receive(&bytes).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn limits_a_block_of_fields() {
        let mut server = Connection::server();
        server.receive(&[PREFACE, &frame(kind::HEADERS, 0, 1, b"")].concat()).expect("the block may be empty");
        let more = frame(kind::CONTINUATION, 0, 1, &vec![0; MAX_FRAME_BYTES]);
        let results: Vec<_> = (0..5).map(|_| server.receive(&more).is_ok()).collect();
        assert_eq!(results, [true, true, true, true, false]);
    }

    #[test]
    fn window_counts_before_the_first_piece_is_sent() {
        let mut server = Connection::server();
        let update = |stream, bytes: u32| frame(kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
        let headers = frame(kind::HEADERS, flag::END_HEADERS, 1, b"\x00\x01a\x011");
        server.receive(&[PREFACE, &headers, &update(1, 1 << 20), &update(0, 1 << 20)].concat()).expect("it is HTTP/2");
        server.take_output();
        server.send_data(1, &vec![7; 1 << 20], true);
        assert!(server.take_output().len() > 1 << 20);
        assert!(server.streams[&1].queue.is_empty());
    }

    #[test]
    fn goaway_resets_the_streams_that_are_not_processed() {
        let mut client = Connection::client();
        let streams: Vec<u32> = (0..3).map(|_| client.open()).collect();
        streams.iter().for_each(|stream| client.send_fields(*stream, &fields(&[("a", "1")]), true));
        let frames = client.receive(&frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 0]));
        assert_eq!(frames, Ok(vec![Frame::Reset { stream: 5 }]));
        assert_eq!(client.receive(&frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 0])), Ok(vec![]));
    }

    #[test]
    fn a_stream_is_forgotten_when_both_sides_have_ended_it() {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let stream = client.open();
        client.send_fields(stream, &fields(&[("a", "1")]), true);
        exchange(&mut client, &mut server);
        assert_eq!((client.streams.len(), server.streams.len()), (1, 1));
        // It is ended on this side.
        client.send_data(stream, b"late", true);
        server.send_fields(stream, &fields(&[(":status", "200")]), true);
        let (received, late) = exchange(&mut client, &mut server);
        assert_eq!((received.len(), late.len()), (1, 0));
        assert_eq!((client.streams.len(), server.streams.len()), (0, 0));
    }
}
