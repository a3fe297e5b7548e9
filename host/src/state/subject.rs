//! What a callback is about, if not a stream.

use std::sync::Arc;

use bytes::Bytes;

use super::account::{self};
use super::grpc::GrpcEvent;
use crate::fields::Fields;

/// How a plugin's HTTP call ended.
#[derive(Default)]
pub(crate) struct HttpCallEnd {
    pub(crate) headers: Arc<Fields>,
    pub(crate) body: Bytes,
    pub(crate) trailers: Arc<Fields>,
    pub(crate) status: (u32, &'static str),
}

/// What a callback is about, if not a stream.
pub(crate) enum Subject {
    HttpCall(HttpCallEnd),
    Grpc(GrpcEvent),
    /// The arguments of a foreign call of the embedder.
    ForeignFunction(Bytes),
}

impl Subject {
    /// Bytes of memory that it takes while it waits.
    pub(crate) fn size(&self) -> usize {
        let bytes = match self {
            Subject::HttpCall(end) => {
                2 * account::MAP + end.headers.footprint() + end.body.len() + end.trailers.footprint()
            }
            Subject::Grpc(event) => event.size(),
            Subject::ForeignFunction(arguments) => arguments.len(),
        };
        account::EFFECT + bytes
    }
}
