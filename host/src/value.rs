//! Bytes on their way from the host to a guest.

use bytes::Bytes;

/// Small ones are copied to a place that is always there, which costs less than to allocate or to count owners.
pub(crate) enum Value {
    /// In [`State::scratch`](crate::state::State).
    Scratch(usize),
    Shared(Bytes),
}

impl Value {
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Scratch(size) => *size,
            Value::Shared(bytes) => bytes.len(),
        }
    }

    pub(crate) fn as_slice<'a>(&'a self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Value::Scratch(size) => &scratch[..*size],
            Value::Shared(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Value {
        Value::Shared(bytes)
    }
}
