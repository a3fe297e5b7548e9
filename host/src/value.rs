//! Bytes on their way from the host to a guest: small ones copied, which is faster than counting their owners.

use bytes::Bytes;

const SMALL: usize = 56;

/// See above.
pub(crate) enum Value {
    Small(u8, [u8; SMALL]),
    Shared(Bytes),
}

impl Value {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Value::Small(size, bytes) => &bytes[..usize::from(*size)],
            Value::Shared(bytes) => bytes,
        }
    }
}

impl From<&Bytes> for Value {
    #[inline]
    fn from(bytes: &Bytes) -> Value {
        let mut small = [0; SMALL];
        match small.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Value::Small(bytes.len() as u8, small)
            }
            None => Value::Shared(bytes.clone()),
        }
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Value {
        Value::Shared(bytes)
    }
}
