//! What functions mean differently from one version of the ABI to another, one field per difference. Differences of
//! shape are in the table; nothing else anywhere asks which version it is.

use pw_abi::Version;

/// The meaning of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The value of a key that is not there is NOT_FOUND; before v0.2.0 it is empty.
    pub(crate) missing_key_is_not_found: bool,
    /// Configurations are buffers; before v0.2.0 they have a function of their own.
    pub(crate) configurations_are_buffers: bool,
}

impl Rules {
    pub(crate) fn of(version: Version) -> Rules {
        let since_0_2_0 = version >= Version::V0_2_0;
        Rules { missing_key_is_not_found: since_0_2_0, configurations_are_buffers: since_0_2_0 }
    }
}
