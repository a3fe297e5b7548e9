//! The section "Randomness".

use pw_abi::Errno;

use crate::model::call::{Call, Judged, Pointers};
use crate::model::{Model, OK};

/// What a call gives at the least, if it is asked for as much.
const SMALL: u64 = 1 << 16;

pub(super) fn judge(_: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let (buffer, size) = (call.number(0), call.number(1));
    let large = size > SMALL;
    match call.readable(buffer, size) {
        Pointers::Astray if large => call.is(&[Errno::INVAL.0, Errno::FAULT.0]),
        Pointers::Astray => call.is(&[Errno::FAULT.0]),
        Pointers::Doubtful => call.is(&[OK, Errno::FAULT.0]),
        Pointers::Sound if large => call.is(&[OK, Errno::INVAL.0]),
        Pointers::Sound => call.is(&[OK]),
    }
}
