//! Bytes on their way from the host to a guest.

use std::ops::Range;

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

impl Value {
    /// Copying fewer bytes costs less than to count who has them.
    const SMALL: usize = 256;

    /// A value that somebody else keeps; the scratch takes it if it is small.
    #[inline]
    pub(crate) fn of(bytes: &Bytes, part: Range<usize>, scratch: &mut Vec<u8>) -> Value {
        if part.len() > Value::SMALL {
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
