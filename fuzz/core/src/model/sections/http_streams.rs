//! The section "HTTP streams".

use pw_abi::{Returns, pairs};

use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of, carries};
use crate::model::stream::Direction;
use crate::model::{BAD_ARGUMENT, Model, OK};

pub(super) fn judge(model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    match call.function.name {
        "proxy_continue_request" => model.go_on(Direction::Request),
        "proxy_continue_response" => model.go_on(Direction::Response),
        _ if call.function.returns == Returns::Nothing => {}
        _ => return local_response(model, call),
    }
    Ok(())
}

/// Where there is nothing to answer, or where HTTP has no such answer, the specification is silent.
fn local_response(model: &mut Model, call: &Call<'_>) -> Judged {
    let stream = model.here().and_then(|(number, _)| model.streams.get(&number));
    let wild = stream.is_some_and(|stream| stream.wild);
    let answered = stream.is_none_or(|stream| !stream.http || stream.over || stream.response.out.headers.is_some());
    let sound = carried(call.bytes(3)) && (200..=599).contains(&call.word(0));
    if wild {
        return call.promised();
    }
    if answered || !sound {
        return call.chosen(&[BAD_ARGUMENT]);
    }
    call.is(&[OK])?;
    if call.ok() {
        model.cut();
    }
    Ok(())
}

/// Whether headers can be a local response's: its status and its content length are not theirs to say.
fn carried(headers: &[u8]) -> bool {
    let Ok(pairs) = pairs::decode(headers) else { return false };
    let mut map = Map::default();
    let own = |name: &[u8]| [&b":status"[..], b"content-length"].iter().any(|known| known.eq_ignore_ascii_case(name));
    pairs.into_iter().filter(|(name, _)| !own(name)).all(|(name, value)| {
        let carried = carries(Of::Response, name, value) && !map.has_one(name);
        map.add(name, value);
        carried
    })
}
