//! The section "HTTP streams".

use pw_abi::{Returns, pairs};

use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of, carries};
use crate::model::stream::{Direction, Stage};
use crate::model::{BAD_ARGUMENT, Choices, Model, Next, OK};

const LENGTH: &[u8] = b"content-length";

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
    let here = model.here().map(|(number, _)| number);
    let opens = here.is_some_and(|number| model.opens(number));
    let stream = here.and_then(|number| model.streams.get_mut(&number));
    let wild = stream.as_ref().is_some_and(|stream| stream.wild);
    let answered =
        stream.as_ref().is_none_or(|stream| !stream.http || stream.over || stream.response.out.headers.is_some());
    let headers = headers(call.word(0), call.bytes(3));
    if wild {
        return call.promised();
    }
    let (Some(stream), Some(number), Some(mut headers)) = (stream, here, headers.filter(|_| !answered)) else {
        return call.chosen(&[BAD_ARGUMENT]);
    };
    call.is(&[OK])?;
    if !call.ok() || stream.local.is_some() {
        return Ok(());
    }
    // Which of them others have chosen is not known, and what gRPC makes of it is not followed.
    let grpc = call.word(4) != u32::MAX && stream.request.stages.iter().any(Stage::is_grpc);
    if call.choices == Choices::Any || grpc {
        model.cut();
        return Ok(());
    }
    if opens {
        stream.opens();
    }
    let body = if [204, 304].contains(&call.word(0)) { &[] } else { call.bytes(2) };
    describe(&mut headers, body);
    let body = if stream.is_head { &[] } else { body };
    stream.local = Some((headers, body.to_vec()));
    model.going_on.push_back((number, Next::Answer));
    Ok(())
}

/// The headers of a local response with that status, whose status and content length are not the plugin's to say; none if it cannot be.
fn headers(status: u32, given: &[u8]) -> Option<Map> {
    let pairs = pairs::decode(given).ok().filter(|_| (200..=599).contains(&status))?;
    let mut map = Map::default();
    map.add(b":status", status.to_string().as_bytes());
    for (name, value) in pairs {
        let known = name.to_ascii_lowercase();
        match &known[..] {
            b":status" => {}
            LENGTH if map.get(LENGTH).is_some() || [204, 304].contains(&status) => {}
            LENGTH => map.add(LENGTH, b"0"),
            _ if carries(Of::Response, name, value) && !map.has_one(name) => map.add(name, value),
            _ => return None,
        }
    }
    Some(map)
}

/// The reference host says what a body is and how long, where the plugin does not.
fn describe(headers: &mut Map, body: &[u8]) {
    let size = body.len().to_string();
    match headers.get(LENGTH) {
        None if body.is_empty() => return,
        None => headers.add(LENGTH, size.as_bytes()),
        Some(_) => headers.replace(LENGTH, size.as_bytes()),
    }
    if !body.is_empty() && headers.get(b"content-type").is_none() {
        headers.add(b"content-type", b"text/plain");
    }
}
