//! The section "gRPC calls".

use pw_abi::Status;

use super::GrpcCalls;
use crate::model::call::{Call, Judged};
use crate::model::calls::Kind;
use crate::model::fields::{Map, Of};
use crate::model::state::{BAD_ARGUMENT, Model, NOT_FOUND, OK};

/// What a call does to a gRPC call or stream that is in flight.
#[derive(PartialEq, Eq)]
enum Does {
    Send,
    Close,
    Cancel,
}

pub(super) fn judge(function: GrpcCalls, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    match function {
        GrpcCalls::proxy_grpc_call => open(model, instance, call, (Kind::Call, 6, call.word(5))),
        GrpcCalls::proxy_grpc_stream => open(model, instance, call, (Kind::Stream, 4, 0)),
        GrpcCalls::proxy_grpc_send => change(model, instance, call, Does::Send),
        GrpcCalls::proxy_grpc_close => change(model, instance, call, Does::Close),
        GrpcCalls::proxy_grpc_cancel => change(model, instance, call, Does::Cancel),
    }
}

fn change(model: &mut Model, instance: usize, call: &Call<'_>, does: Does) -> Judged {
    let Some(kind) = model.in_flight(instance, call.word(0)) else { return call.is(&[NOT_FOUND]) };
    if kind == Kind::Http || does == Does::Send && kind != Kind::Stream {
        return call.chosen(&[BAD_ARGUMENT]);
    }
    call.is(&[OK])?;
    match (does, kind) {
        _ if !call.ok() => {}
        (Does::Send, _) if call.word(2) == 0 => {}
        (Does::Send, _) | (Does::Close, Kind::Stream | Kind::HalfClosed) => {
            model.set_kind(instance, call.word(0), Kind::HalfClosed);
        }
        _ => model.ends_call(instance, call.word(0)),
    }
    Ok(())
}

/// Opens a call or stream: its kind, the parameter that returns its id, and its timeout in milliseconds.
fn open(model: &mut Model, instance: usize, call: &Call<'_>, (kind, id, timeout): (Kind, usize, u32)) -> Judged {
    let text = |param: usize| {
        let is_odd = |letter: char| letter <= ' ' || "/?#%\\\x7F".contains(letter);
        let is_name = |name: &str| !name.contains(is_odd);
        std::str::from_utf8(call.bytes(param)).is_ok_and(is_name)
    };
    let valid =
        super::calls::is_upstream(call.bytes(0)) && text(1) && text(2) && Map::parse(Of::Rest, call.bytes(3)).is_some();
    if !valid {
        return call.chosen(&[Status::PARSE_FAILURE.0]);
    }
    call.is(&[OK])?;
    if call.ok() { model.starts_call(instance, call, kind, id, timeout) } else { Ok(()) }
}
