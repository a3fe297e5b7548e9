//! A client's connection, and each of its requests.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pw_host::{Piece, StreamId, StreamInfo};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::exchange::next_piece;
use crate::message::{self, Reset};
use crate::pipe::{Pipe, PipeBody};
use crate::upstream::Local;
use crate::worker::Worker;

/// Bytes of headers that a client may send.
const MAX_HEADER_BYTES: u32 = 1 << 20;
/// Bytes of a body that a client may send before they are taken.
const WINDOW_BYTES: u32 = 1 << 20;

/// What all connections of a worker have in common.
pub(crate) struct Front {
    pub(crate) worker: Rc<Worker>,
    /// Of the upstream, for properties.
    pub(crate) upstream: SocketAddr,
    /// See [`crate::config::Config::frame_bytes`].
    pub(crate) frame_bytes: u32,
    /// The number of connections so far.
    pub(crate) connections: Cell<u64>,
}

/// A builder of servers' connections that speak HTTP/1.1 or HTTP/2, and add nothing to messages.
pub(crate) fn builder(frame_bytes: u32) -> Builder<Local> {
    let mut builder = Builder::new(Local);
    builder.http1().timer(TokioTimer::new()).auto_date_header(false);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).auto_date_header(false).max_frame_size(frame_bytes);
    http2.max_header_list_size(MAX_HEADER_BYTES);
    http2.initial_stream_window_size(WINDOW_BYTES.max(frame_bytes));
    http2.initial_connection_window_size(WINDOW_BYTES.max(frame_bytes) * 16);
    builder
}

impl Front {
    /// Serves a client's connection until it ends, or until the requests that it has when the sidecar is to end are done.
    pub(crate) async fn serve(self: Rc<Self>, socket: TcpStream, mut ends: watch::Receiver<bool>) {
        let (Ok(source), Ok(destination)) = (socket.peer_addr(), socket.local_addr()) else { return };
        if socket.set_nodelay(true).is_err() {
            return;
        }
        self.connections.set(self.connections.get() + 1);
        let connection_id = self.connections.get();
        let service = service_fn(|request: Request<Incoming>| {
            let protocol = if request.version() == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
            let info = StreamInfo {
                connection_id,
                source: Some(source),
                destination: Some(destination),
                upstream: Some(self.upstream),
                protocol,
                ..StreamInfo::default()
            };
            respond(self.worker.clone(), source.port(), info, request)
        });
        let builder = builder(self.frame_bytes);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
        tokio::select! {
            // A client that goes away is nothing special.
            _ = connection.as_mut() => return,
            _ = ends.wait_for(|ends| *ends) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// A tunnel is not opened: the bytes in it are not messages that plugins could see.
fn refuse_tunnel() -> Response<PipeBody> {
    let nothing = Rc::new(Pipe::default());
    nothing.end();
    let mut response = Response::new(PipeBody::new(nothing, None));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}

/// Passes a request through the plugins, and returns the response; the rest of both follows.
async fn respond(
    worker: Rc<Worker>,
    port: u16,
    info: StreamInfo,
    request: Request<Incoming>,
) -> Result<Response<PipeBody>, Reset> {
    if request.method() == Method::CONNECT {
        return Ok(refuse_tunnel());
    }
    let (parts, body) = request.into_parts();
    let ended = body.is_end_stream();
    let (stream, down) = worker.open(port, info);
    let reset = {
        let worker = worker.clone();
        Box::new(move || worker.event(|proxy| proxy.downstream_reset(stream)))
    };
    // If the client resets the stream, this is dropped.
    let response = PipeBody::new(down.clone(), Some(reset));
    worker.event(|proxy| proxy.request(stream, Piece::headers(message::request_fields(&parts), ended)));
    if !ended {
        spawn_local(receive(worker.clone(), stream, body));
    }
    let headers = down.headers().await.ok_or(Reset)?;
    message::response(&headers, response)
}

/// Passes the body of a request to the plugins, no faster than the upstream takes it.
async fn receive(worker: Rc<Worker>, stream: StreamId, mut body: Incoming) {
    loop {
        worker.room(stream).await;
        let Some(piece) = next_piece(&mut body).await else {
            return worker.event(|proxy| proxy.downstream_reset(stream));
        };
        let ended = piece.ends();
        worker.event(|proxy| proxy.request(stream, piece));
        if ended {
            return;
        }
    }
}
