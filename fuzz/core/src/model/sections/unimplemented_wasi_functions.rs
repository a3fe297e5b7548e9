//! The section "Unimplemented WASI functions".

use super::UnimplementedWasiFunctions;
use crate::model::call::{Call, Judged};
use crate::model::finding::Wrong;
use crate::model::state::{Model, OK};

pub(super) fn judge(function: UnimplementedWasiFunctions, _: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    match function {
        UnimplementedWasiFunctions::args_sizes_get => {
            call.is(&[OK])?;
            call.returns(0, 0)?;
            call.returns(1, 0)
        }
        // It writes nothing, whatever its pointers are.
        UnimplementedWasiFunctions::args_get => call.is(&[OK]),
        UnimplementedWasiFunctions::proc_exit => {
            Err(Box::new(Wrong { statuses: Vec::new(), returned: None, actual: "it returned".to_owned(), open: true }))
        }
    }
}
