//! The section "gRPC calls".

use pw_abi::Status;

use super::calls::Kind;
use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of};
use crate::model::{BAD_ARGUMENT, Model, NOT_FOUND, OK};

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    match call.function.name {
        "proxy_grpc_call" | "proxy_grpc_stream" => open(model, instance, call),
        name => {
            let Some(kind) = model.flying(instance, call.word(0)) else { return call.is(&[NOT_FOUND]) };
            let wrong = kind == Kind::Http || name == "proxy_grpc_send" && kind != Kind::Stream;
            if wrong {
                return call.chosen(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            match (name, kind) {
                _ if !call.ok() => {}
                ("proxy_grpc_send", _) if call.word(2) == 0 => {}
                ("proxy_grpc_send", _) | ("proxy_grpc_close", Kind::Stream | Kind::HalfClosed) => {
                    model.becomes(instance, call.word(0), Kind::HalfClosed);
                }
                _ => model.lands(instance, call.word(0)),
            }
            Ok(())
        }
    }
}

fn open(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let text = |param: usize| {
        let is_name = |name: &str| name.chars().all(|letter| letter > ' ' && letter != '\x7F');
        std::str::from_utf8(call.bytes(param)).is_ok_and(is_name)
    };
    let sound =
        super::calls::is_upstream(call.bytes(0)) && text(1) && text(2) && Map::parse(Of::Rest, call.bytes(3)).is_some();
    if !sound {
        return call.chosen(&[Status::PARSE_FAILURE.0]);
    }
    call.is(&[OK])?;
    match call.function.name {
        _ if !call.ok() => Ok(()),
        "proxy_grpc_call" => model.flies(instance, call, Kind::Call, 6, call.word(5)),
        _ => model.flies(instance, call, Kind::Stream, 4, 0),
    }
}
