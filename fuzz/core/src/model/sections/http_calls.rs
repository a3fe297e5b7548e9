//! The section "HTTP calls".

use pw_abi::Status;

use super::HttpCalls;
use crate::model::call::{Call, Judged};
use crate::model::calls::Kind;
use crate::model::fields::{Map, Of};
use crate::model::state::{BAD_ARGUMENT, Model, OK};

pub(super) fn judge(function: HttpCalls, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let HttpCalls::proxy_http_call = function;
    let headers = Map::parse(Of::Request, call.bytes(1));
    let is_complete =
        |map: &Map| [":authority", ":method", ":path"].iter().all(|name| map.get(name.as_bytes()).is_some());
    let known = super::calls::is_upstream(call.bytes(0));
    if !known || !headers.as_ref().is_some_and(is_complete) || Map::parse(Of::Rest, call.bytes(3)).is_none() {
        // The specification promises BAD_ARGUMENT for the first two, and does not say which status the others have.
        return call.chosen(&[BAD_ARGUMENT, Status::INTERNAL_FAILURE.0]);
    }
    call.is(&[OK])?;
    if call.ok() { model.starts_call(instance, call, Kind::Http, 5, call.word(4)) } else { Ok(()) }
}
