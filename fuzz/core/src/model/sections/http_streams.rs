//! The section "HTTP streams".

use pw_abi::pairs;

use super::HttpStreams;
use crate::model::call::{Call, Judged};
use crate::model::fields::{Map, Of, carries};
use crate::model::state::{BAD_ARGUMENT, Model, Next, OK};
use crate::model::stream::{Direction, Stage};

const LENGTH: &[u8] = b"content-length";

pub(super) fn judge(function: HttpStreams, model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    match function {
        HttpStreams::proxy_continue_request => model.resume(Direction::Request),
        HttpStreams::proxy_continue_response => model.resume(Direction::Response),
        HttpStreams::proxy_clear_route_cache => {}
        HttpStreams::proxy_send_local_response => return local_response(model, call),
    }
    Ok(())
}

/// The specification is silent if there is no request, or if HTTP has no such response.
fn local_response(model: &mut Model, call: &Call<'_>) -> Judged {
    let here = model.here().map(|(number, _)| number);
    let opens = here.is_some_and(|number| model.opens(number));
    let stream = here.and_then(|number| model.streams.get_mut(&number));
    let unfollowed = stream.as_ref().is_some_and(|stream| stream.unfollowed);
    let answered =
        stream.as_ref().is_none_or(|stream| !stream.http || stream.over || stream.response.out.headers.is_some());
    let headers = headers(call.word(0), call.bytes(3));
    if unfollowed {
        return call.promised();
    }
    let (Some(stream), Some(number), Some(mut headers)) = (stream, here, headers.filter(|_| !answered)) else {
        return call.chosen(&[BAD_ARGUMENT]);
    };
    call.is(&[OK])?;
    if !call.ok() || stream.local.is_some() {
        return Ok(());
    }
    // The model does not follow how it becomes a gRPC response.
    let grpc = call.word(4) != u32::MAX && stream.request.stages.iter().any(Stage::is_grpc);
    if grpc {
        model.unfollow();
        return Ok(());
    }
    if opens {
        stream.clear_request();
    }
    let body = if [204, 304].contains(&call.word(0)) { &[] } else { call.bytes(2) };
    describe(&mut headers, body);
    let body = if stream.is_head { &[] } else { body };
    stream.local = Some((headers, body.to_vec()));
    model.pending.push_back((number, Next::LocalResponse));
    Ok(())
}

/// The headers of a local response with that status; `None` if they are not valid. The plugin cannot set its status and its
/// content length.
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

/// The reference host sets the length of the body, and its type if the plugin does not.
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
