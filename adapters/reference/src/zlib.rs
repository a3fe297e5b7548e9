//! Two foreign functions that plugins in the field call, as Envoy has them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use pw_abi::Status;

/// Bytes that a call may lead to: a few bytes can stand for very many.
const MOST: u64 = 16 << 20;

/// `compress`: its arguments in the format of zlib.
pub(crate) fn compress(arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(arguments).and_then(|()| encoder.finish()).map_err(|_| Status::SERIALIZATION_FAILURE)
}

/// `uncompress`: what its arguments, in that format, stand for.
pub(crate) fn uncompress(arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let mut bytes = Vec::new();
    let mut decoder = ZlibDecoder::new(arguments).take(MOST + 1);
    decoder.read_to_end(&mut bytes).map_err(|_| Status::SERIALIZATION_FAILURE)?;
    if bytes.len() as u64 > MOST { Err(Status::SERIALIZATION_FAILURE) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_can_be_uncompressed() {
        for bytes in [&b""[..], b"hello", &[7; 100_000]] {
            assert_eq!(uncompress(&compress(bytes).expect("it can be compressed")).expect("it was compressed"), bytes);
        }
    }

    #[test]
    fn what_is_not_compressed_or_too_large_is_refused() {
        assert_eq!(uncompress(b"hello"), Err(Status::SERIALIZATION_FAILURE));
        let cut = compress(&[7; 1_000]).expect("it can be compressed");
        assert_eq!(uncompress(&cut[..cut.len() / 2]), Err(Status::SERIALIZATION_FAILURE));
        let bomb = compress(&vec![0; MOST as usize + 1]).expect("it can be compressed");
        assert!(bomb.len() < 100_000);
        assert_eq!(uncompress(&bomb), Err(Status::SERIALIZATION_FAILURE));
    }
}
