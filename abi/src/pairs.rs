//! The serialised form of a map: the number of pairs, the sizes of all keys and values, then keys and values, each
//! followed by a NUL; numbers are 32-bit little-endian.
//!
//! An empty map is written as no bytes. Three forms of it are read: no bytes, one NUL (both from the specification) and
//! a count of 0, which SDKs write. The specification's example shows one-byte numbers and decimal codes for digits;
//! here its text applies.

use std::fmt;

/// Keys and values, in order, borrowed from the serialised bytes.
pub type PairsRef<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The size of `pairs` when serialised, in bytes.
pub fn size<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> usize {
    let pairs = pairs.into_iter().fold(0, |size, (key, value)| size + 10 + key.len() + value.len());
    if pairs == 0 { 0 } else { 4 + pairs }
}

/// Writes `pairs` into `bytes`, whose length must be their [`size`].
pub fn write<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])> + Clone, bytes: &mut [u8]) {
    let count = pairs.clone().into_iter().count();
    if count == 0 {
        return;
    }
    let (head, mut rest) = bytes.split_at_mut(4 + 8 * count);
    head[..4].copy_from_slice(&word(count));
    for ((key, value), sizes) in pairs.into_iter().zip(head[4..].chunks_exact_mut(8)) {
        sizes[..4].copy_from_slice(&word(key.len()));
        sizes[4..].copy_from_slice(&word(value.len()));
        for text in [key, value] {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(text.len() + 1);
            place[..text.len()].copy_from_slice(text);
            place[text.len()] = 0;
            rest = after;
        }
    }
}

/// `pairs`, serialised.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let mut bytes = vec![0; size(pairs.clone())];
    write(pairs, &mut bytes);
    bytes
}

/// Reads a serialised map.
///
/// # Errors
///
/// Why the bytes are not a serialised map.
pub fn decode(bytes: &[u8]) -> Result<PairsRef<'_>, Malformed> {
    if matches!(bytes, [] | [0]) {
        return Ok(Vec::new());
    }
    let (count, mut rest) = number(bytes).ok_or(Malformed::Count)?;
    let sizes_size = count.checked_mul(8).filter(|size| *size <= rest.len()).ok_or(Malformed::Sizes { count })?;
    let (sizes, after) = rest.split_at(sizes_size);
    rest = after;
    let mut pairs = Vec::with_capacity(count);
    for (index, sizes) in sizes.chunks_exact(8).enumerate() {
        let (key_size, sizes) = number(sizes).ok_or(Malformed::Count)?;
        let (value_size, _) = number(sizes).ok_or(Malformed::Count)?;
        let mut text = |size: usize| {
            let text = rest.get(..size).ok_or(Malformed::Short { index })?;
            match rest.get(size) {
                Some(0) => rest = &rest[size + 1..],
                Some(_) => return Err(Malformed::Terminator { index }),
                None => return Err(Malformed::Short { index }),
            }
            Ok(text)
        };
        pairs.push((text(key_size)?, text(value_size)?));
    }
    match rest.len() {
        0 => Ok(pairs),
        size => Err(Malformed::Trailing { size }),
    }
}

/// Why bytes are not a serialised map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Too short for the number of pairs.
    Count,
    /// Too short for the sizes of `count` pairs.
    Sizes {
        /// The number of pairs that the bytes claim.
        count: usize,
    },
    /// The pair at `index` reaches past the end.
    Short {
        /// Counted from 0.
        index: usize,
    },
    /// A key or value of the pair at `index` is not followed by a NUL.
    Terminator {
        /// Counted from 0.
        index: usize,
    },
    /// Bytes are left over.
    Trailing {
        /// The number of bytes.
        size: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Count => write!(f, "too short for the number of pairs"),
            Malformed::Sizes { count } => write!(f, "too short for the sizes of {count} pairs"),
            Malformed::Short { index } => write!(f, "pair {index} reaches past the end"),
            Malformed::Terminator { index } => write!(f, "pair {index} lacks a NUL"),
            Malformed::Trailing { size } => write!(f, "{size} bytes are left over"),
        }
    }
}

impl std::error::Error for Malformed {}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number) as usize, rest))
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_specifications_example() {
        let map: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"22")];
        let bytes =
            [2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'a', 0, b'1', 0, b'b', 0, b'2', b'2', 0];
        assert_eq!(encode(map), bytes);
        assert_eq!(decode(&bytes), Ok(map.to_vec()));
    }

    #[test]
    fn reads_all_forms_of_an_empty_map() {
        assert_eq!(encode([]), []);
        for bytes in [&[][..], &[0], &[0, 0, 0, 0]] {
            assert_eq!(decode(bytes), Ok(vec![]), "{bytes:?}");
        }
    }

    #[test]
    fn rejects_malformed_maps() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Malformed) {
            assert_eq!(decode(bytes), Err(expected), "{bytes:?}");
        }
        check(&[1, 0], Malformed::Count);
        check(&[1, 0, 0, 0, 1], Malformed::Sizes { count: 1 });
        check(&[255; 4], Malformed::Sizes { count: u32::MAX as usize });
        check(&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'a'], Malformed::Short { index: 0 });
        check(&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'a', 1, 0], Malformed::Terminator { index: 0 });
        check(&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'a', 0], Malformed::Short { index: 0 });
        check(&[0, 0, 0, 0, 7], Malformed::Trailing { size: 1 });
    }
}
