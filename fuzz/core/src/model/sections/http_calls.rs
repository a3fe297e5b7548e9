//! The section "HTTP calls".

use pw_abi::Status;

use super::calls::Kind;
use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of};
use crate::model::{BAD_ARGUMENT, Model, OK};

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let headers = Map::parse(Of::Request, call.bytes(1));
    let whole = |map: &Map| [":authority", ":method", ":path"].iter().all(|name| map.get(name.as_bytes()).is_some());
    let known = super::calls::is_upstream(call.bytes(0));
    if !known || !headers.as_ref().is_some_and(whole) || Map::parse(Of::Rest, call.bytes(3)).is_none() {
        // Only the first two are said to be bad arguments, and none of them by a status of its own.
        return call.chosen(&[BAD_ARGUMENT, Status::INTERNAL_FAILURE.0]);
    }
    call.is(&[OK])?;
    if call.ok() { model.flies(instance, call, Kind::Http, 5, call.word(4)) } else { Ok(()) }
}
