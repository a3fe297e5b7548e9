//! SHA-256 digests of modules, as manifests and resources have them.

use sha2::{Digest, Sha256};

/// The digest, in 64 hex digits.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
