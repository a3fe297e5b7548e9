//! The section "Foreign function interface (FFI)".

use pw_abi::Status;

use super::ForeignFunctionInterface;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, NOT_FOUND, OK};

pub(super) fn judge(function: ForeignFunctionInterface, _: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let ForeignFunctionInterface::proxy_call_foreign_function = function;
    if call.bytes(0) == b"uncompress" {
        // Which no argument here can be.
        return call.chosen(&[Status::SERIALIZATION_FAILURE.0]);
    }
    if call.bytes(0) != b"echo" {
        return call.is(&[NOT_FOUND]);
    }
    // Only the reference host has that function when it runs cases.
    call.chosen(&[OK])?;
    // Its results are optional.
    if call.number(2) == 0 || call.lanes.last() == Some(&0) { Ok(()) } else { call.returns_bytes(2, call.bytes(1)) }
}
