//! HTTP/1.1 as it is on the wire, for one connection: bytes in, frames out, and back.
//!
//! Knows nothing of sockets, and does not judge messages. Pseudo headers are the parts of the first line, and `host`. Callers say
//! which piece of a body is the last, as with HTTP/2: a body without `content-length` is sent in chunks, and
//! `transfer-encoding` is not reported.

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};
use pw_cases::data::{Data, Fields};

use crate::frame::Frame;

/// Bytes of a head, or of trailers, that the peer may send; more is an error.
const MAX_HEAD_BYTES: usize = 64 << 20;

/// One connection, on which one message follows the other.
pub struct Connection {
    input: Vec<u8>,
    output: Vec<u8>,
    reading: Reading,
    writing: Writing,
    /// The number of the latest request, as if it were a stream of HTTP/2.
    stream: u32,
    /// Messages that have begun to arrive.
    messages: u64,
    /// Whether the latest request is one for a head alone.
    is_head: bool,
    is_reset: bool,
    is_client: bool,
}

/// What the peer sends next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Head,
    /// The rest of a body with this many bytes.
    Body(u64),
    /// The size of a chunk.
    Size,
    /// The rest of a chunk with this many bytes.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    Trailers,
    /// A body that ends with the connection.
    Rest,
}

/// What is sent next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    Head,
    /// A body whose length the head says.
    Body,
    Chunks,
    Nothing,
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
        Connection {
            input: Vec::new(),
            output: Vec::new(),
            reading: Reading::Head,
            writing: Writing::Nothing,
            stream: 0,
            messages: 0,
            is_head: false,
            is_reset: false,
            is_client,
        }
    }

    /// The bytes that are to be written to the socket; they are removed from here.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether the connection is to be reset.
    pub fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Begins the client's next request and returns its number.
    pub fn open(&mut self) -> u32 {
        self.begin();
        self.stream
    }

    fn begin(&mut self) {
        self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
        self.writing = Writing::Head;
    }

    /// Sends the head of a message, or its trailers, which are left out if the head says the length of the body: HTTP has no place
    /// for them there.
    pub fn send_fields(&mut self, stream: u32, fields: &Fields, end_of_stream: bool) {
        match self.writing {
            _ if stream != self.stream => {}
            Writing::Head => self.send_head(fields, end_of_stream),
            Writing::Chunks => {
                self.output.extend(b"0\r\n");
                self.send_lines(fields);
                self.writing = Writing::Nothing;
            }
            Writing::Body => self.writing = Writing::Nothing,
            Writing::Nothing => {}
        }
    }

    /// Sends a piece of a body.
    pub fn send_data(&mut self, stream: u32, bytes: &[u8], end_of_stream: bool) {
        match self.writing {
            Writing::Body if stream == self.stream => self.output.extend(bytes),
            Writing::Chunks if stream == self.stream => {
                if !bytes.is_empty() {
                    self.output.extend(format!("{:x}\r\n", bytes.len()).as_bytes());
                    self.output.extend(bytes);
                    self.output.extend(b"\r\n");
                }
                if end_of_stream {
                    self.output.extend(b"0\r\n\r\n");
                }
            }
            _ => return,
        }
        if end_of_stream {
            self.writing = Writing::Nothing;
        }
    }

    /// Ends the message, and with it the connection.
    pub fn reset(&mut self, stream: u32) {
        self.is_reset |= stream == self.stream;
    }

    fn send_head(&mut self, fields: &Fields, end_of_stream: bool) {
        let get =
            |name: &[u8]| fields.iter().find(|(found, _)| found.0 == name).map_or(&b""[..], |(_, value)| &value.0);
        let status = get(b":status");
        if self.is_client {
            let (method, path) = (get(b":method"), get(b":path"));
            self.is_head = method == b"HEAD";
            let target = if path.is_empty() { get(b":authority") } else { path };
            self.output.extend([method, b" ", target, b" HTTP/1.1\r\nhost: ", get(b":authority"), b"\r\n"].concat());
        } else {
            self.output.extend([b"HTTP/1.1 ", status, b" \r\n"].concat());
        }
        let has_length = fields.iter().any(|(name, _)| name.0.eq_ignore_ascii_case(b"content-length"));
        let is_informational = status.starts_with(b"1");
        let may_have_body =
            !self.is_client && !is_informational && !self.is_head && ![&b"204"[..], b"304"].contains(&status);
        self.writing = match (end_of_stream, has_length) {
            _ if is_informational => Writing::Head,
            (true, _) => Writing::Nothing,
            (false, true) => Writing::Body,
            (false, false) => Writing::Chunks,
        };
        if self.writing == Writing::Chunks {
            self.output.extend(b"transfer-encoding: chunked\r\n");
        } else if end_of_stream && !has_length && may_have_body {
            self.output.extend(b"content-length: 0\r\n");
        }
        self.send_lines(fields);
    }

    /// Sends the fields, without pseudo headers, and then an empty line.
    fn send_lines(&mut self, fields: &Fields) {
        for (name, value) in fields.iter().filter(|(name, _)| !name.0.starts_with(b":")) {
            self.output.extend([&name.0[..], b": ", &value.0, b"\r\n"].concat());
        }
        self.output.extend(b"\r\n");
    }
}

/// What the peer sends.
impl Connection {
    /// Takes bytes from the socket and returns the frames that are complete. What comes behind a message and does not begin
    /// another one belongs to its body, which is then longer than its length.
    ///
    /// # Errors
    ///
    /// The peer does not speak HTTP/1.1, or sends a head that is too long.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.input.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while !self.input.is_empty() {
            let is_between = self.reading == Reading::Head && self.messages > 0;
            match self.next() {
                Ok(Some(read)) => frames.extend(read),
                Ok(None) => break,
                Err(_) if is_between => {
                    let more = std::mem::take(&mut self.input);
                    match frames.last_mut() {
                        Some(Frame::Data { bytes, .. }) => bytes.extend(more),
                        _ => frames.push(Frame::Data { stream: self.stream, bytes: more, end_of_stream: false }),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(frames)
    }

    /// The peer sends nothing more: the end of a body that ends with the connection.
    pub fn end(&mut self) -> Option<Frame> {
        let ends = self.reading == Reading::Rest;
        ends.then(|| {
            self.reading = Reading::Head;
            Frame::Data { stream: self.stream, bytes: Vec::new(), end_of_stream: true }
        })
    }

    /// Reads the next part of a message, which may be without a frame; `None` if it is not complete.
    fn next(&mut self) -> Result<Option<Option<Frame>>, String> {
        match self.reading {
            Reading::Head => Ok(self.head()?.map(Some)),
            Reading::Body(left) => {
                let (bytes, left) = self.take(left);
                self.reading = if left == 0 { Reading::Head } else { Reading::Body(left) };
                Ok(Some(Some(Frame::Data { stream: self.stream, bytes, end_of_stream: left == 0 })))
            }
            Reading::Rest => {
                let (bytes, _) = self.take(u64::MAX);
                Ok(Some(Some(Frame::Data { stream: self.stream, bytes, end_of_stream: false })))
            }
            Reading::Size => {
                let size = httparse::parse_chunk_size(&self.input).map_err(|_| "a chunk has no size")?;
                let Status::Complete((length, size)) = size else { return Ok(None) };
                self.input.drain(..length);
                self.reading = if size == 0 { Reading::Trailers } else { Reading::Chunk(size) };
                Ok(Some(None))
            }
            Reading::Chunk(left) => {
                let (bytes, left) = self.take(left);
                self.reading = if left == 0 { Reading::ChunkEnd } else { Reading::Chunk(left) };
                Ok(Some(Some(Frame::Data { stream: self.stream, bytes, end_of_stream: false })))
            }
            Reading::ChunkEnd => {
                let Some(end) = self.input.get(..2) else { return Ok(None) };
                if end != b"\r\n" {
                    return Err("a chunk is longer than its size".into());
                }
                self.input.drain(..2);
                self.reading = Reading::Size;
                Ok(Some(None))
            }
            Reading::Trailers => Ok(self.trailers()?.map(Some)),
        }
    }

    /// Takes this many bytes, or as many as there are; how many are left.
    fn take(&mut self, left: u64) -> (Vec<u8>, u64) {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(self.input.len());
        (self.input.drain(..size).collect(), left - size as u64)
    }

    fn head(&mut self) -> Result<Option<Frame>, String> {
        let mut space = vec![EMPTY_HEADER; lines(&self.input)?];
        let mut fields = Fields::new();
        let mut pseudo = |name: &str, value: &[u8]| fields.push((Data::from(name), Data(value.to_vec())));
        let (length, received, status) = if self.is_client {
            let mut response = Response::new(&mut space);
            let status = response
                .parse(&self.input)
                .map_err(|error| format!("a response is not of HTTP/1.1: {error} in {}", excerpt(&self.input)))?;
            let Status::Complete(length) = status else { return Ok(None) };
            let status = response.code.unwrap_or_default();
            pseudo(":status", status.to_string().as_bytes());
            (length, &*response.headers, status)
        } else {
            let mut request = Request::new(&mut space);
            let status = request
                .parse(&self.input)
                .map_err(|error| format!("a request is not of HTTP/1.1: {error} in {}", excerpt(&self.input)))?;
            let Status::Complete(length) = status else { return Ok(None) };
            self.is_head = request.method == Some("HEAD");
            pseudo(":method", request.method.unwrap_or_default().as_bytes());
            pseudo(":path", request.path.unwrap_or_default().as_bytes());
            for host in request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host")) {
                pseudo(":authority", host.value);
            }
            (length, &*request.headers, 0)
        };
        let is_chunked = has(received, "transfer-encoding", |value| value.to_ascii_lowercase().ends_with(b"chunked"));
        let size = received.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
        let size = size.and_then(|field| str::from_utf8(field.value).ok()?.parse::<u64>().ok());
        let is_framing = |field: &&Header<'_>| {
            field.name.eq_ignore_ascii_case("transfer-encoding")
                || !self.is_client && field.name.eq_ignore_ascii_case("host")
        };
        fields.extend(received.iter().filter(|field| !is_framing(field)).map(data));
        let is_informational = (100..200).contains(&status);
        let has_no_body = self.is_client && (self.is_head || matches!(status, 204 | 304));
        self.reading = match size {
            _ if is_informational || has_no_body => Reading::Head,
            _ if is_chunked => Reading::Size,
            Some(0) => Reading::Head,
            Some(size) => Reading::Body(size),
            None if self.is_client => Reading::Rest,
            None => Reading::Head,
        };
        self.input.drain(..length);
        self.messages += 1;
        if !self.is_client {
            self.begin();
        }
        let end_of_stream = self.reading == Reading::Head && !is_informational;
        Ok(Some(Frame::Headers { stream: self.stream, fields, end_of_stream }))
    }

    /// The trailers behind the last chunk, or without any the end of the body.
    fn trailers(&mut self) -> Result<Option<Frame>, String> {
        let mut space = vec![EMPTY_HEADER; lines(&self.input)?];
        let read = httparse::parse_headers(&self.input, &mut space)
            .map_err(|error| format!("trailers do not parse: {error}"))?;
        let Status::Complete((length, received)) = read else { return Ok(None) };
        let (stream, fields) = (self.stream, received.iter().map(data).collect::<Fields>());
        self.input.drain(..length);
        self.reading = Reading::Head;
        Ok(Some(match fields.is_empty() {
            true => Frame::Data { stream, bytes: Vec::new(), end_of_stream: true },
            false => Frame::Headers { stream, fields, end_of_stream: true },
        }))
    }
}

/// How many lines, and so fields, a head has at most.
fn lines(input: &[u8]) -> Result<usize, String> {
    let end = input.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(input.len());
    if end > MAX_HEAD_BYTES {
        return Err(format!("a head is longer than {MAX_HEAD_BYTES} bytes"));
    }
    Ok(input[..end].iter().filter(|byte| **byte == b'\n').count() + 1)
}

fn has(fields: &[Header<'_>], name: &str, is: impl Fn(&[u8]) -> bool) -> bool {
    fields.iter().any(|field| field.name.eq_ignore_ascii_case(name) && is(field.value))
}

fn data(field: &Header<'_>) -> (Data, Data) {
    (Data(field.name.to_ascii_lowercase().into_bytes()), Data(field.value.to_vec()))
}

/// The beginning of what came, for a message.
fn excerpt(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 300;
    format!("\"{}\"", bytes[..bytes.len().min(MAX_BYTES)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::field;

    fn headers(fields: &[(&str, &str)], end_of_stream: bool) -> Frame {
        let fields = fields.iter().map(|(name, value)| field(name, value)).collect();
        Frame::Headers { stream: 1, fields, end_of_stream }
    }

    fn body(bytes: &[u8], end_of_stream: bool) -> Frame {
        Frame::Data { stream: 1, bytes: bytes.to_vec(), end_of_stream }
    }

    const GET: [(&str, &str); 3] = [(":method", "GET"), (":path", "/a"), (":authority", "b")];

    /// A client that has sent the head of a request, and a server that has read it.
    fn peers(request: &[(&str, &str)]) -> (Connection, Connection) {
        let (mut client, mut server) = (Connection::client(), Connection::server());
        let stream = client.open();
        let Frame::Headers { fields, .. } = headers(request, true) else { unreachable!("it is a head") };
        client.send_fields(stream, &fields, true);
        server.receive(&client.take_output()).expect("it is HTTP/1.1");
        (client, server)
    }

    #[test]
    fn chunks_and_trailers_arrive_as_they_were_sent_however_they_are_cut() {
        let mut client = Connection::client();
        assert_eq!(client.open(), 1);
        let fields =
            |fields: &[(&str, &str)]| fields.iter().map(|(name, value)| field(name, value)).collect::<Fields>();
        client.send_fields(1, &fields(&[(":method", "POST"), (":path", "/a"), (":authority", "b"), ("x", "1")]), false);
        client.send_data(1, b"hello", false);
        client.send_data(1, b"", false);
        client.send_data(1, b" world", false);
        client.send_fields(1, &fields(&[("t", "2")]), true);
        client.send_data(1, b"ignored", true);
        let sent = client.take_output();
        for step in 1..sent.len() {
            let mut server = Connection::server();
            let frames: Vec<Frame> =
                sent.chunks(step).flat_map(|piece| server.receive(piece).expect("it is HTTP/1.1")).collect();
            let pieces = frames
                .iter()
                .filter_map(|frame| if let Frame::Data { bytes, .. } = frame { Some(&bytes[..]) } else { None });
            assert_eq!(pieces.collect::<Vec<_>>().concat(), b"hello world", "in pieces of {step}");
            assert_eq!(
                frames[0],
                headers(&[(":method", "POST"), (":path", "/a"), (":authority", "b"), ("x", "1")], false)
            );
            assert_eq!(frames.last(), Some(&headers(&[("t", "2")], true)));
        }
    }

    #[test]
    fn bodies_of_a_response_end_where_http_says() {
        let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let rows: [(&str, String, Vec<Frame>); 7] = [
            (
                "GET",
                head("Content-Length: 2\r\n") + "hi",
                vec![headers(&[(":status", "200"), ("content-length", "2")], false), body(b"hi", true)],
            ),
            ("GET", head("content-length: 0\r\n"), vec![headers(&[(":status", "200"), ("content-length", "0")], true)]),
            (
                "GET",
                head("transfer-encoding: chunked\r\n") + "2\r\nhi\r\n0\r\n\r\n",
                vec![headers(&[(":status", "200")], false), body(b"hi", false), body(b"", true)],
            ),
            ("GET", head("") + "hi", vec![headers(&[(":status", "200")], false), body(b"hi", false)]),
            (
                "HEAD",
                head("content-length: 5\r\n"),
                vec![headers(&[(":status", "200"), ("content-length", "5")], true)],
            ),
            ("GET", "HTTP/1.1 304 \r\n\r\n".into(), vec![headers(&[(":status", "304")], true)]),
            (
                "GET",
                "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 \r\n\r\n".into(),
                vec![headers(&[(":status", "103"), ("link", "x")], false), headers(&[(":status", "204")], true)],
            ),
        ];
        for (method, text, expected) in rows {
            let (mut client, _) = peers(&[(":method", method), (":path", "/"), (":authority", "b")]);
            assert_eq!(client.receive(text.as_bytes()).expect("it is HTTP/1.1"), expected, "{text}");
            let ends = matches!(expected.last(), Some(Frame::Data { end_of_stream: false, .. }));
            assert_eq!(client.end(), ends.then(|| body(b"", true)), "{text}");
        }
    }

    #[test]
    fn a_response_says_where_it_ends() {
        let send = |request: &[(&str, &str)], status: &str, pieces: &[&[u8]]| {
            let (mut client, mut server) = peers(request);
            server.send_fields(1, &vec![field(":status", status)], pieces.is_empty());
            pieces.iter().enumerate().for_each(|(at, piece)| server.send_data(1, piece, at + 1 == pieces.len()));
            client.receive(&server.take_output()).expect("it is HTTP/1.1")
        };
        assert_eq!(send(&GET, "200", &[]), [headers(&[(":status", "200"), ("content-length", "0")], true)]);
        assert_eq!(
            send(&GET, "200", &[b"a", b"b"]),
            [headers(&[(":status", "200")], false), body(b"a", false), body(b"b", false), body(b"", true)]
        );
        assert_eq!(send(&GET, "204", &[]), [headers(&[(":status", "204")], true)]);
        assert_eq!(send(&[(":method", "HEAD"), (":path", "/")], "200", &[]), [headers(&[(":status", "200")], true)]);
    }

    #[test]
    fn a_second_request_follows_on_the_same_connection() {
        let (mut client, mut server) = peers(&GET);
        server.send_fields(1, &vec![field(":status", "200")], true);
        client.receive(&server.take_output()).expect("it is HTTP/1.1");
        assert_eq!(client.open(), 3);
        client.send_fields(3, &vec![field(":method", "GET"), field(":path", "/b")], true);
        let frames = server.receive(&client.take_output()).expect("it is HTTP/1.1");
        assert!(matches!(&frames[..], [Frame::Headers { stream: 3, end_of_stream: true, .. }]), "{frames:?}");
        server.reset(1);
        assert!(!server.is_reset(), "the first is over");
        server.reset(3);
        assert!(server.is_reset());
    }

    #[test]
    fn what_comes_behind_a_message_belongs_to_it() {
        let (_, mut server) = peers(&GET);
        let text = b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nlonger than five";
        let frames = server.receive(text).expect("the first is HTTP/1.1");
        let data = |bytes: &[u8], end_of_stream| Frame::Data { stream: 3, bytes: bytes.to_vec(), end_of_stream };
        assert_eq!(frames[1..], [data(b"longer than five", true)]);
        assert_eq!(server.receive(b" and more"), Ok(vec![data(b" and more", false)]));
    }

    #[test]
    fn refuses_what_is_not_http1() {
        let rows = [
            ("\u{1}\r\n\r\n", "a request is not of HTTP/1.1"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "a chunk has no size"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc", "longer than its size"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\u{1}: x\r\n\r\n", "trailers do not parse"),
        ];
        for (bytes, reason) in rows {
            let error = Connection::server().receive(bytes.as_bytes()).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }
}
