//! Calls of plugins that wait for their answers.

use pw_host::{GrpcCallId, HttpCallId};

/// A call of a plugin that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Http(HttpCallId),
    Grpc(GrpcCallId),
}
