//! Bytes that the host returns to a guest.

use std::ops::Range;

use bytes::Bytes;

/// Bytes that a call returns. Small ones are copied to a buffer of the state, which costs less than to allocate or to count references.
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

impl Value {
    /// Copying at most this many bytes costs less than to count references.
    const MAX_COPIED_BYTES: usize = 256;

    /// A part of `bytes`, copied to the scratch buffer if it is small.
    #[inline]
    pub(crate) fn of(bytes: &Bytes, part: Range<usize>, scratch: &mut Vec<u8>) -> Value {
        if part.len() > Value::MAX_COPIED_BYTES {
            return Value::Shared(bytes.slice(part));
        }
        scratch.clear();
        scratch.extend_from_slice(&bytes[part]);
        Value::Scratch(scratch.len())
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Value {
        Value::Shared(bytes)
    }
}
