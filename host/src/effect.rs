//! What the proxy is to do: the effects that the embedder drains.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pw_abi::LogLevel;

use crate::{Fields, HttpCallId, PluginId, StreamId};

/// A gRPC call or stream that a plugin has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrpcCallId(pub(crate) u64);

/// A piece of an HTTP message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own terms")]
pub enum Piece {
    Headers { headers: Arc<Fields>, end_of_stream: bool },
    Body { body: Bytes, end_of_stream: bool },
    Trailers { trailers: Arc<Fields> },
}

impl Piece {
    /// Headers.
    pub fn headers(headers: impl Into<Fields>, end_of_stream: bool) -> Piece {
        Piece::Headers { headers: Arc::new(headers.into()), end_of_stream }
    }

    /// A piece of the body.
    pub fn body(body: impl Into<Bytes>, end_of_stream: bool) -> Piece {
        Piece::Body { body: body.into(), end_of_stream }
    }

    /// Trailers, which end the message.
    pub fn trailers(trailers: impl Into<Fields>) -> Piece {
        Piece::Trailers { trailers: Arc::new(trailers.into()) }
    }

    /// Whether nothing of the message comes after it.
    pub fn ends(&self) -> bool {
        match self {
            Piece::Headers { end_of_stream, .. } | Piece::Body { end_of_stream, .. } => *end_of_stream,
            Piece::Trailers { .. } => true,
        }
    }
}

/// What a log-only plugin would have done to a stream. Shown as `request headers +x-added: yes -x-removed: no`,
/// `response body`, `answer 403`, `reset`, `route`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own terms")]
pub enum Discarded {
    /// Other headers of the request or else of the response.
    Headers { request: bool, before: Arc<Fields>, after: Arc<Fields> },
    /// Another body.
    Body { request: bool },
    /// Other trailers.
    Trailers { request: bool, before: Arc<Fields>, after: Arc<Fields> },
    /// A response of its own.
    Answer { headers: Arc<Fields> },
    /// The client cut off.
    Reset,
    /// The route chosen anew.
    ClearRouteCache,
}

impl Discarded {
    /// Bytes of it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Discarded::Headers { before, after, .. } | Discarded::Trailers { before, after, .. } => {
                before.footprint() + after.footprint()
            }
            Discarded::Answer { headers } => headers.footprint(),
            Discarded::Body { .. } | Discarded::Reset | Discarded::ClearRouteCache => 0,
        }
    }
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = |request: &bool| if *request { "request" } else { "response" };
        match self {
            Discarded::Headers { request, before, after } => {
                write!(f, "{} headers", message(request))?;
                difference(f, before, after)
            }
            Discarded::Body { request } => write!(f, "{} body", message(request)),
            Discarded::Trailers { request, before, after } => {
                write!(f, "{} trailers", message(request))?;
                difference(f, before, after)
            }
            Discarded::Answer { headers } => {
                write!(f, "answer {}", String::from_utf8_lossy(headers.get(b":status").unwrap_or(b"without a status")))
            }
            Discarded::Reset => f.write_str("reset"),
            Discarded::ClearRouteCache => f.write_str("route"),
        }
    }
}

/// The fields that only one of the maps has, each as often as it has them more.
fn difference(f: &mut fmt::Formatter<'_>, before: &Fields, after: &Fields) -> fmt::Result {
    for (sign, from, to) in [('+', before, after), ('-', after, before)] {
        let mut counts: HashMap<(&[u8], &[u8]), usize> = HashMap::new();
        from.iter().for_each(|field| *counts.entry(field).or_default() += 1);
        for field in to.iter() {
            match counts.get_mut(&field).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => {
                    let text = String::from_utf8_lossy;
                    write!(f, " {sign}{}: {}", text(field.0), text(field.1))?;
                }
            }
        }
    }
    Ok(())
}

/// Something that the proxy is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Write a line to the log.
    Log {
        /// Who wrote it.
        plugin: PluginId,
        /// How grave it is.
        level: LogLevel,
        /// Bytes, not always text.
        message: Bytes,
    },
    /// Open a connection to the upstream for a TCP stream.
    Connect {
        /// The stream.
        stream: StreamId,
    },
    /// Send this to the upstream. Bytes of a TCP stream are pieces of a body.
    Upstream {
        /// The stream.
        stream: StreamId,
        /// What.
        piece: Piece,
    },
    /// Send this to the client. Bytes of a TCP stream are pieces of a body.
    Downstream {
        /// The stream.
        stream: StreamId,
        /// What.
        piece: Piece,
    },
    /// Give up the exchange, or the connection, with the upstream.
    ResetUpstream {
        /// The stream.
        stream: StreamId,
    },
    /// Cut the client off.
    ResetDownstream {
        /// The stream.
        stream: StreamId,
    },
    /// Choose the route of the request anew.
    ClearRouteCache {
        /// The stream.
        stream: StreamId,
    },
    /// Send a request to an upstream, and give the answer to [`Proxy::http_call_response`](crate::Proxy::http_call_response).
    HttpCall {
        /// By which the answer is told.
        call: HttpCallId,
        /// Whose call it is.
        plugin: PluginId,
        /// The upstream's name.
        upstream: String,
        /// The request's headers.
        headers: Arc<Fields>,
        /// The request's body.
        body: Bytes,
        /// The request's trailers.
        trailers: Arc<Fields>,
        /// After which the host itself takes the call for failed; none waits for ever.
        timeout: Option<Duration>,
    },
    /// Nobody waits for that answer any more.
    CancelHttpCall {
        /// The call.
        call: HttpCallId,
    },
    /// Open a gRPC call or stream, and tell of it by [`Proxy::grpc_event`](crate::Proxy::grpc_event).
    GrpcCall {
        /// By which it is told of.
        call: GrpcCallId,
        /// Whose it is.
        plugin: PluginId,
        /// The upstream's name.
        upstream: String,
        /// The service's full name.
        service: String,
        /// The method's name.
        method: String,
        /// The initial metadata.
        metadata: Arc<Fields>,
        /// After which the host itself takes the call for failed; none waits for ever.
        timeout: Option<Duration>,
    },
    /// Send this on a gRPC call or stream.
    GrpcSend {
        /// Which.
        call: GrpcCallId,
        /// The message, if there is one.
        message: Option<Bytes>,
        /// The plugin sends no more.
        end_of_stream: bool,
    },
    /// Nobody waits for that gRPC call or stream any more.
    CancelGrpcCall {
        /// Which.
        call: GrpcCallId,
    },
    /// A plugin trapped, or ran out of fuel. Its VM is not called again; its streams fail or go on without it.
    Fault {
        /// The plugin.
        plugin: PluginId,
        /// One line.
        reason: String,
    },
    /// A plugin that had faulted runs again, in a new VM.
    Restarted {
        /// The plugin.
        plugin: PluginId,
    },
    /// A canary has faulted too often, and gets no more streams.
    RolledBack {
        /// The plugin whose place it was to take.
        plugin: PluginId,
        /// The canary.
        canary: PluginId,
    },
    /// A log-only plugin would have done this. It may have taken longer for it than the stream lasted.
    Discarded {
        /// The plugin.
        plugin: PluginId,
        /// The stream.
        stream: StreamId,
        /// What.
        what: Discarded,
    },
    /// All contexts of a stream are deleted; its id means nothing any more.
    StreamEnded {
        /// The stream.
        stream: StreamId,
    },
}
