//! What the embedder must do: the effects that it drains.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pw_abi::LogLevel;

use crate::fields::Fields;
use crate::ids::{GrpcCallId, HttpCallId, PluginId, StreamId};

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

    /// Whether it is the last piece of the message.
    pub fn ends(&self) -> bool {
        match self {
            Piece::Headers { end_of_stream, .. } | Piece::Body { end_of_stream, .. } => *end_of_stream,
            Piece::Trailers { .. } => true,
        }
    }
}

/// What a log-only plugin would have changed in a stream. Shown as `request headers +x-added: yes -x-removed: no`,
/// `response body`, `answer 403`, `reset`, `route`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "HTTP's own terms")]
pub enum Discarded {
    /// The headers of the request, or if `request` is false of the response.
    Headers { request: bool, before: Arc<Fields>, after: Arc<Fields> },
    /// The body of the request, or if `request` is false of the response.
    Body { request: bool },
    /// The trailers of the request, or if `request` is false of the response.
    Trailers { request: bool, before: Arc<Fields>, after: Arc<Fields> },
    /// A local response.
    Answer { headers: Arc<Fields> },
    /// A reset of the stream.
    Reset,
    /// A new choice of the route.
    ClearRouteCache,
}

impl Discarded {
    /// Bytes of memory that it holds, about.
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

/// Writes the fields that only one of the maps has; of several equal ones, those that the other map lacks.
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

/// Something that the embedder must do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Write a line to the log.
    Log {
        /// The plugin that wrote it.
        plugin: PluginId,
        /// The severity.
        level: LogLevel,
        /// The line, which need not be UTF-8.
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
        /// The piece of the message.
        piece: Piece,
    },
    /// Send this to the client. Bytes of a TCP stream are pieces of a body.
    Downstream {
        /// The stream.
        stream: StreamId,
        /// What.
        piece: Piece,
    },
    /// Reset the stream, or close the TCP connection, to the upstream.
    ResetUpstream {
        /// The stream.
        stream: StreamId,
    },
    /// Reset the stream, or close the TCP connection, to the client.
    ResetDownstream {
        /// The stream.
        stream: StreamId,
    },
    /// Choose the route of the request again.
    ClearRouteCache {
        /// The stream.
        stream: StreamId,
    },
    /// Send a request to an upstream, and pass the response to [`Proxy::http_call_response`](crate::Proxy::http_call_response).
    HttpCall {
        /// Identifies the call in `Proxy::http_call_response`.
        call: HttpCallId,
        /// The plugin that made the call.
        plugin: PluginId,
        /// The upstream's name.
        upstream: String,
        /// The request's headers.
        headers: Arc<Fields>,
        /// The request's body.
        body: Bytes,
        /// The request's trailers.
        trailers: Arc<Fields>,
        /// The time after which the host ends the call as failed; `None`: no timeout.
        timeout: Option<Duration>,
    },
    /// Cancel the call: its response is not needed any more.
    CancelHttpCall {
        /// The call.
        call: HttpCallId,
    },
    /// Open a gRPC call or stream, and report its events to [`Proxy::grpc_event`](crate::Proxy::grpc_event).
    GrpcCall {
        /// Identifies the call in `Proxy::grpc_event`.
        call: GrpcCallId,
        /// The plugin that opened it.
        plugin: PluginId,
        /// The upstream's name.
        upstream: String,
        /// The service's full name.
        service: String,
        /// The method's name.
        method: String,
        /// The initial metadata.
        metadata: Arc<Fields>,
        /// The time after which the host ends the call as failed; `None`: no timeout.
        timeout: Option<Duration>,
    },
    /// Send this on a gRPC call or stream.
    GrpcSend {
        /// The call or stream.
        call: GrpcCallId,
        /// The message, if there is one.
        message: Option<Bytes>,
        /// The plugin sends no more.
        end_of_stream: bool,
    },
    /// Cancel the gRPC call or stream: its events are not needed any more.
    CancelGrpcCall {
        /// The call or stream.
        call: GrpcCallId,
    },
    /// A plugin trapped, or ran out of fuel. Its VM is not called again; its streams fail or continue without it.
    Fault {
        /// The plugin.
        plugin: PluginId,
        /// The reason, in one line.
        reason: String,
    },
    /// A plugin that had crashed runs again, in a new VM.
    Restarted {
        /// The plugin.
        plugin: PluginId,
    },
    /// A canary has crashed too often, and gets no more streams.
    RolledBack {
        /// The plugin that it was to replace.
        plugin: PluginId,
        /// The canary.
        canary: PluginId,
    },
    /// A log-only plugin would have done this. The effect may come after the stream has ended.
    Discarded {
        /// The plugin.
        plugin: PluginId,
        /// The stream.
        stream: StreamId,
        /// What it would have changed.
        what: Discarded,
    },
    /// All contexts of a stream are deleted; its id is not valid any more.
    StreamEnded {
        /// The stream.
        stream: StreamId,
    },
}
