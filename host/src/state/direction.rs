//! The two messages of a stream.

/// A message of a stream; of a TCP connection, what is sent to the upstream or comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Request,
    Response,
}
