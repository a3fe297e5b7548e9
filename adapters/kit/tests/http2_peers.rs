//! HTTP/2 of the kit with `h2` and `hyper` at the other end, as client and as server.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pw_adapter_kit::fields::field;
use pw_adapter_kit::frame::Frame;
use pw_adapter_kit::http2::{CANCEL, Connection};
use pw_cases::data::Fields;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Larger than what HTTP/2 allows a stream and a connection at first.
const LARGE: usize = 1 << 20;

/// The kit's side of a connection.
struct Kit {
    http2: Connection,
    io: DuplexStream,
}

impl Kit {
    fn client() -> (Kit, DuplexStream) {
        Kit::new(Connection::client())
    }

    fn server() -> (Kit, DuplexStream) {
        Kit::new(Connection::server())
    }

    fn new(http2: Connection) -> (Kit, DuplexStream) {
        let (io, peer) = duplex(4 << 20);
        (Kit { http2, io }, peer)
    }

    async fn write(&mut self) {
        self.io.write_all(&self.http2.take_output()).await.expect("the peer is there");
    }

    /// Exchanges bytes with the peer until `is_enough` holds for the frames that came.
    async fn until(&mut self, is_enough: impl Fn(&[Frame]) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        self.write().await;
        while !is_enough(&frames) {
            let size = self.io.read(&mut buffer).await.expect("the peer is there");
            assert_ne!(size, 0, "the peer has closed the connection after {frames:?}");
            frames.extend(self.http2.receive(&buffer[..size]).expect("the peer speaks HTTP/2"));
            self.write().await;
        }
        frames
    }

    /// Exchanges bytes until the peer has ended a stream.
    async fn until_end(&mut self, stream: u32) -> Vec<Frame> {
        let is_end = |frame: &Frame| match frame {
            Frame::Headers { end_of_stream, .. } | Frame::Data { end_of_stream, .. } => *end_of_stream,
            Frame::Reset { .. } => true,
            Frame::Pong(_) => false,
        };
        self.until(|frames| frames.iter().any(|frame| frame.stream() == Some(stream) && is_end(frame))).await
    }
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| field(name, value)).collect()
}

fn request(path: &str, more: &[(&str, &str)]) -> Fields {
    let pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    fields(&[&pseudo, more].concat())
}

/// What a library makes of fields: names and values in their order.
fn listed(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("it is text"))).collect()
}

fn header_map(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_str(value).expect("text")))
        .collect()
}

/// The fields, body and trailers of a message that came in frames.
#[track_caller]
fn message(frames: &[Frame]) -> (Fields, Vec<u8>, Option<Fields>) {
    let mut frames = frames.iter();
    let Some(Frame::Headers { fields: headers, .. }) = frames.next() else { panic!("no headers come first") };
    let (mut body, mut trailers) = (Vec::new(), None);
    for frame in frames {
        match frame {
            Frame::Data { bytes, .. } => body.extend_from_slice(bytes),
            Frame::Headers { fields, .. } => trailers = Some(fields.clone()),
            other => panic!("{other:?}"),
        }
    }
    (headers.clone(), body, trailers)
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|at| b'a' + (at % 23) as u8).collect()
}

/// Reads a body to its end, releasing what flow control holds.
async fn read_body(body: &mut h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len()).expect("so much was received");
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[tokio::test]
async fn sends_requests_to_h2() {
    let (mut kit, peer) = Kit::client();
    let long = "x".repeat(50_000);
    let sent = [("z", "1"), ("a", "2"), ("long", long.as_str()), ("m", "3")];
    let body = text(LARGE);
    let server = tokio::spawn(async move {
        let mut connection = h2::server::handshake(peer).await.expect("the preface is right");
        let (request, mut respond) = connection.accept().await.expect("a request comes").expect("it is valid");
        let serving = tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let bytes = read_body(&mut body).await.expect("the body comes");
            let trailers = body.trailers().await.expect("trailers are valid").expect("there are trailers");
            let response = Response::builder().status(201).header("y", "1").header("b", "2").body(());
            let mut stream = respond.send_response(response.expect("it is valid"), false).expect("it is open");
            stream.send_data(Bytes::from(text(LARGE)), false).expect("it is open");
            stream.send_trailers(header_map(&[("t", "1"), ("s", "2")])).expect("it is open");
            (parts, bytes, trailers)
        });
        while connection.accept().await.is_some() {}
        serving.await.expect("it does not panic")
    });
    let stream = kit.http2.open();
    kit.http2.send_fields(stream, &request("/a?b", &sent), false);
    kit.http2.send_data(stream, &body[..10], false);
    kit.http2.send_data(stream, &body[10..], false);
    kit.http2.send_fields(stream, &fields(&[("u", "1"), ("e", "2")]), true);
    let (headers, received, trailers) = message(&kit.until_end(stream).await);
    assert_eq!(headers, fields(&[(":status", "201"), ("y", "1"), ("b", "2")]));
    assert!(received == text(LARGE));
    assert_eq!(trailers, Some(fields(&[("t", "1"), ("s", "2")])));
    drop(kit);
    let (parts, bytes, trailers) = server.await.expect("it does not panic");
    assert_eq!((parts.method.as_str(), parts.uri.path_and_query().map(|path| path.as_str())), ("POST", Some("/a?b")));
    assert_eq!(listed(&parts.headers), sent);
    assert!(bytes == body);
    assert_eq!(listed(&trailers), [("u", "1"), ("e", "2")]);
}

#[tokio::test]
async fn answers_requests_of_h2() {
    let (mut kit, peer) = Kit::server();
    let long = "x".repeat(50_000);
    let client = tokio::spawn(async move {
        let (mut sender, connection) = h2::client::handshake(peer).await.expect("settings are right");
        let driving = tokio::spawn(connection);
        let long = "x".repeat(50_000);
        let request = Request::post("http://a/b?c").header("z", "1").header("long", long).header("a", "2").body(());
        let (response, mut stream) = sender.send_request(request.expect("it is valid"), false).expect("it is open");
        stream.send_data(Bytes::from(text(LARGE)), false).expect("it is open");
        stream.send_trailers(header_map(&[("t", "1"), ("s", "2")])).expect("it is open");
        let (parts, mut body) = response.await.expect("a response comes").into_parts();
        let bytes = read_body(&mut body).await.expect("the body comes");
        let trailers = body.trailers().await.expect("trailers are valid").expect("there are trailers");
        drop((sender, body, stream));
        driving.await.expect("it does not panic").expect("the connection ends in order");
        (parts, bytes, trailers)
    });
    let (headers, received, trailers) = message(&kit.until_end(1).await);
    let expected = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/b?c")];
    assert_eq!(headers, fields(&[&expected[..], &[("z", "1"), ("long", &long), ("a", "2")]].concat()));
    assert!(received == text(LARGE));
    assert_eq!(trailers, Some(fields(&[("t", "1"), ("s", "2")])));
    kit.http2.send_fields(1, &fields(&[(":status", "201"), ("y", "1"), ("b", &long)]), false);
    kit.http2.send_data(1, &text(LARGE), false);
    kit.http2.send_fields(1, &fields(&[("u", "1"), ("e", "2")]), true);
    let is_closed = |io: std::io::Result<usize>| io.is_err() || io.is_ok_and(|size| size == 0);
    kit.write().await;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = kit.io.read(&mut buffer).await;
        let Ok(size @ 1..) = read else {
            assert!(is_closed(read));
            break;
        };
        kit.http2.receive(&buffer[..size]).expect("the peer speaks HTTP/2");
        // The client may have closed its end already.
        let _ = kit.io.write_all(&kit.http2.take_output()).await;
    }
    let (parts, bytes, trailers) = client.await.expect("it does not panic");
    assert_eq!(parts.status.as_u16(), 201);
    assert_eq!(listed(&parts.headers), [("y", "1"), ("b", long.as_str())]);
    assert!(bytes == text(LARGE));
    assert_eq!(listed(&trailers), [("u", "1"), ("e", "2")]);
}

#[tokio::test]
async fn resets_streams_of_h2_and_sees_its_resets() {
    let (mut kit, peer) = Kit::client();
    let server = tokio::spawn(async move {
        let mut connection = h2::server::handshake(peer).await.expect("the preface is right");
        let (first, _respond) = connection.accept().await.expect("a request comes").expect("it is valid");
        let reading = tokio::spawn(async move { read_body(&mut first.into_body()).await });
        let (_second, mut respond) = connection.accept().await.expect("a request comes").expect("it is valid");
        respond.send_reset(h2::Reason::REFUSED_STREAM);
        while connection.accept().await.is_some() {}
        reading.await.expect("it does not panic")
    });
    let (first, second) = (kit.http2.open(), kit.http2.open());
    kit.http2.send_fields(first, &request("/", &[]), false);
    kit.http2.send_fields(second, &request("/", &[]), false);
    assert_eq!(kit.until_end(second).await, [Frame::Reset { stream: second }]);
    kit.http2.reset(first, CANCEL);
    kit.http2.ping(7);
    assert_eq!(kit.until(|frames| !frames.is_empty()).await, [Frame::Pong(7)]);
    drop(kit);
    let error = server.await.expect("it does not panic").expect_err("the stream was reset");
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
}

#[tokio::test]
async fn goaway_of_h2_resets_the_streams_that_it_does_not_process() {
    let (mut kit, peer) = Kit::client();
    let server = tokio::spawn(async move {
        let mut connection = h2::server::handshake(peer).await.expect("the preface is right");
        let (_request, _respond) = connection.accept().await.expect("a request comes").expect("it is valid");
        connection.abrupt_shutdown(h2::Reason::NO_ERROR);
        while connection.accept().await.is_some() {}
    });
    let first = kit.http2.open();
    kit.http2.send_fields(first, &request("/", &[]), true);
    kit.write().await;
    server.await.expect("it does not panic");
    // The server has sent GOAWAY and closed the connection; the client opens a stream before it reads that.
    let second = kit.http2.open();
    let mut received = Vec::new();
    kit.io.read_to_end(&mut received).await.expect("the server has closed the connection");
    let frames = kit.http2.receive(&received).expect("the peer speaks HTTP/2");
    assert_eq!(frames, [Frame::Reset { stream: second }]);
}

#[tokio::test]
async fn waits_for_the_windows_of_h2() {
    let (mut kit, peer) = Kit::client();
    let (ask, mut asked) = tokio::sync::mpsc::channel::<()>(1);
    let server = tokio::spawn(async move {
        let mut connection = h2::server::Builder::new().initial_window_size(1000).handshake::<_, Bytes>(peer).await;
        let connection = connection.as_mut().expect("the preface is right");
        let (request, _respond) = connection.accept().await.expect("a request comes").expect("it is valid");
        let reading = tokio::spawn(async move {
            asked.recv().await;
            read_body(&mut request.into_body()).await.expect("the body comes").len()
        });
        while connection.accept().await.is_some() {}
        reading.await.expect("it does not panic")
    });
    let stream = kit.http2.open();
    kit.http2.send_fields(stream, &request("/", &[]), false);
    kit.http2.ping(1);
    kit.until(|frames| !frames.is_empty()).await;
    kit.http2.send_data(stream, &text(5000), true);
    let output = kit.http2.take_output();
    assert_eq!(output.len(), 9 + 1000, "one frame of what the window allows");
    kit.io.write_all(&output).await.expect("the peer is there");
    ask.send(()).await.expect("the server waits");
    kit.http2.ping(2);
    kit.until(|frames| frames.contains(&Frame::Pong(2))).await;
    // Each answer to a ping comes after the frames that allow more.
    for number in 3..40 {
        kit.http2.ping(number);
        kit.until(|frames| frames.contains(&Frame::Pong(number))).await;
    }
    drop(kit);
    assert_eq!(server.await.expect("it does not panic"), 5000);
}

/// Answers with the method, the body and the trailers of the request.
async fn echo(request: Request<Incoming>) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let method = request.method().to_string();
    let first = request.headers().iter().next().map(|(name, _)| name.to_string()).unwrap_or_default();
    let collected = request.into_body().collect().await.expect("the body comes");
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let body = Full::new(collected.to_bytes()).with_trailers(async move { Some(Ok(trailers)) });
    Ok(Response::builder().header("method", method).header("first", first).body(body).expect("it is valid"))
}

#[tokio::test]
async fn sends_requests_to_hyper() {
    let (mut kit, peer) = Kit::client();
    let server = tokio::spawn(async move {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(peer), service_fn(echo)).await
    });
    for _ in 0..3 {
        let stream = kit.http2.open();
        kit.http2.send_fields(stream, &request("/", &[("z", "1"), ("a", "2")]), false);
        kit.http2.send_data(stream, &text(LARGE), false);
        kit.http2.send_fields(stream, &fields(&[("t", "1")]), true);
        let (headers, body, trailers) = message(&kit.until_end(stream).await);
        assert_eq!(headers[..3], fields(&[(":status", "200"), ("method", "POST"), ("first", "z")]));
        assert!(body == text(LARGE));
        assert_eq!(trailers, Some(fields(&[("t", "1")])));
    }
    drop(kit);
    // The client has closed the connection without a word.
    let _ = server.await.expect("it does not panic");
}

#[tokio::test]
async fn answers_requests_of_hyper() {
    let (mut kit, peer) = Kit::server();
    let client = tokio::spawn(async move {
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(peer)).await;
        let (mut sender, connection) = handshake.expect("settings are right");
        let driving = tokio::spawn(connection);
        let request = Request::put("http://a/b").header("z", "1").body(Full::new(Bytes::from(text(LARGE))));
        let response = sender.send_request(request.expect("it is valid")).await.expect("a response comes");
        let status = response.status();
        let collected = response.into_body().collect().await.expect("the body comes");
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let refused = sender.send_request(Request::new(Full::new(Bytes::new()))).await.expect_err("it is reset");
        drop(sender);
        let _ = driving.await.expect("it does not panic");
        (status, collected.to_bytes(), trailers, refused)
    });
    let (headers, body, trailers) = message(&kit.until_end(1).await);
    assert_eq!(headers[..4], fields(&[(":method", "PUT"), (":scheme", "http"), (":authority", "a"), (":path", "/b")]));
    assert!(headers.contains(&field("z", "1")));
    assert!(body == text(LARGE));
    assert_eq!(trailers, None);
    kit.http2.send_fields(1, &fields(&[(":status", "418")]), false);
    kit.http2.send_data(1, &text(LARGE), false);
    kit.http2.send_data(1, b"!", false);
    kit.http2.send_fields(1, &fields(&[("t", "1")]), true);
    kit.until_end(3).await;
    kit.http2.reset(3, CANCEL);
    kit.write().await;
    let mut rest = Vec::new();
    // The client closes the connection when it is done.
    let _ = kit.io.read_to_end(&mut rest).await;
    let (status, bytes, trailers, refused) = client.await.expect("it does not panic");
    assert_eq!(status.as_u16(), 418);
    assert!(bytes == [text(LARGE), b"!".to_vec()].concat());
    assert_eq!(listed(&trailers), [("t", "1")]);
    assert!(format!("{refused:?}").contains("CANCEL"), "{refused:?}");
}
