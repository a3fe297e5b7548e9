//! The section "Randomness".

use pw_abi::Errno;

use super::Randomness;
use crate::model::call::{Call, Judged, Pointers};
use crate::model::state::{Model, OK};

/// Bytes that a call must return if it asks for as many.
const MAX_PROMISED_BYTES: u64 = 1 << 16;

pub(super) fn judge(function: Randomness, _: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let Randomness::random_get = function;
    let (buffer, size) = (call.number(0), call.number(1));
    let large = size > MAX_PROMISED_BYTES;
    match call.readable(buffer, size) {
        Pointers::OutOfBounds if large => call.is(&[Errno::INVAL.0, Errno::FAULT.0]),
        Pointers::OutOfBounds => call.is(&[Errno::FAULT.0]),
        Pointers::Unspecified => call.is(&[OK, Errno::FAULT.0]),
        Pointers::Valid if large => call.is(&[OK, Errno::INVAL.0]),
        Pointers::Valid => call.is(&[OK]),
    }
}
