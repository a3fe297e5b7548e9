//! Differences in the meaning of functions between versions of the ABI, one field each. Differences of shape are in the
//! table; nothing else depends on the version.

use pw_abi::Version;

/// The meaning of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Reading a missing key returns NOT_FOUND; before v0.2.0 it returns an empty value.
    pub(crate) missing_key_is_not_found: bool,
    /// Configurations are read as buffers; before v0.2.0 by a function of their own.
    pub(crate) configurations_are_buffers: bool,
}

impl Rules {
    pub(crate) fn of(version: Version) -> Rules {
        let since_0_2_0 = version >= Version::V0_2_0;
        Rules { missing_key_is_not_found: since_0_2_0, configurations_are_buffers: since_0_2_0 }
    }
}
