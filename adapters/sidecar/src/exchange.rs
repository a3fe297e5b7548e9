//! The upstream's side of streams, and HTTP calls of plugins.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use pw_host::{Fields, Piece, StreamId};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;

use crate::config::Config;
use crate::message;
use crate::pipe::{Pipe, PipeBody};
use crate::upstream::{Upstream, Upstreams};
use crate::worker::{Job, Worker};

/// Bytes of the body of a response to a plugin's call; with more the call fails.
const MAX_CALL_BYTES: usize = 64 << 20;

/// Does the jobs of a worker, side by side, without end.
pub(crate) async fn run(worker: Rc<Worker>, config: Arc<Config>, mut jobs: UnboundedReceiver<Job>) {
    let upstreams = Upstreams::new(&config.upstreams, config.frame_bytes);
    let field = config.client_port_field.as_ref().and_then(|name| name.parse::<hyper::header::HeaderName>().ok());
    while let Some(job) = jobs.recv().await {
        let worker = worker.clone();
        match job {
            Job::Exchange { stream, headers, client, up, down } => {
                let Some(upstream) = upstreams.get(&config.route) else { continue };
                let field = field.clone().map(|name| (name, HeaderValue::from(client)));
                spawn_local(async move {
                    let answered = async {
                        let mut request =
                            message::request(&headers, upstream.is_http2(), PipeBody::new(up.clone(), None)).ok()?;
                        request.headers_mut().extend(field);
                        let response = upstream.send(request).await.ok()?;
                        respond(&worker, stream, response, &down).await
                    };
                    let failed = tokio::select! {
                        biased;
                        () = up.reset_by_plugins() => false,
                        answered = answered => answered.is_none(),
                    };
                    if failed {
                        worker.event(|proxy| proxy.upstream_reset(stream));
                    }
                });
            }
            Job::Call { call, upstream, headers, body, trailers, cancelled } => {
                let Some(upstream) = upstreams.get(&upstream) else {
                    worker.call_ended(call, None);
                    continue;
                };
                spawn_local(async move {
                    tokio::select! {
                        biased;
                        _ = cancelled => {}
                        response = answer(&upstream, &headers, body, trailers) => worker.call_ended(call, response),
                    }
                });
            }
        }
    }
}

/// Passes a response to the plugins, no faster than the client takes it; `None` if the upstream has reset it.
async fn respond(worker: &Worker, stream: StreamId, response: Response<Incoming>, down: &Pipe) -> Option<()> {
    let (parts, mut body) = response.into_parts();
    let mut ended = body.is_end_stream();
    let headers = Piece::headers(message::response_fields(&parts), ended);
    worker.event(|proxy| proxy.response(stream, headers));
    while !ended {
        down.room().await;
        let piece = next_piece(&mut body).await?;
        ended = piece.ends();
        worker.event(|proxy| proxy.response(stream, piece));
    }
    Some(())
}

/// The next piece of a body, or its trailers; `None` if it was reset.
pub(crate) async fn next_piece(body: &mut Incoming) -> Option<Piece> {
    match body.frame().await {
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => Some(Piece::body(data, body.is_end_stream())),
            Err(frame) => {
                frame.into_trailers().ok().map(|trailers| Piece::trailers(message::trailer_fields(&trailers)))
            }
        },
        Some(Err(_)) => None,
        None => Some(Piece::body("", true)),
    }
}

/// The whole response to a call; `None` if it failed.
async fn answer(
    upstream: &Rc<Upstream>,
    headers: &Arc<Fields>,
    body: Bytes,
    trailers: Arc<Fields>,
) -> Option<(Fields, Bytes, Fields)> {
    let pipe = Rc::new(Pipe::default());
    pipe.push(Piece::body(body, trailers.is_empty()));
    if !trailers.is_empty() {
        pipe.push(Piece::Trailers { trailers });
    }
    let request = message::request(headers, upstream.is_http2(), PipeBody::new(pipe, None)).ok()?;
    let (parts, mut body) = upstream.send(request).await.ok()?.into_parts();
    let (mut bytes, mut trailers) = (BytesMut::new(), Fields::new());
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = message::trailer_fields(frame.trailers_ref()?),
        }
        if bytes.len() > MAX_CALL_BYTES {
            return None;
        }
    }
    Some((message::response_fields(&parts), bytes.freeze(), trailers))
}
