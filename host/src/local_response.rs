//! The headers of a local response, as plugins and clients expect them.

use std::sync::Arc;

use pw_abi::Status;

use crate::choices::Choices;
use crate::fields::Fields;
use crate::http::{CONTENT_LENGTH, Part, decode, has_no_body, set_content_length};

const CONTENT_TYPE: &[u8] = b"content-type";
const GRPC: &[u8] = b"application/grpc";

/// The headers of a local response. A status among the given fields is ignored, and a content length is corrected to that of the
/// body, or removed if the status permits no body.
///
/// # Errors
///
/// As [`Part::read`].
pub(crate) fn headers(status: u32, given: &[u8], body: &[u8], max: usize) -> Result<Fields, Status> {
    let mut headers = Fields::from([(":status", status.to_string())]);
    for (name, value) in decode(given, max, Status::BAD_ARGUMENT)? {
        if name.eq_ignore_ascii_case(b":status") {
            continue;
        }
        if name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            if !has_no_body(status) && headers.get(name).is_none() {
                headers.add(name, body.len().to_string().as_bytes());
            }
            continue;
        }
        if !Part::Response.permits_more(&headers, name, value) {
            return Err(Status::BAD_ARGUMENT);
        }
        headers.add(name, value);
    }
    Ok(headers)
}

/// Adds the fields about a body that the plugin has not set.
pub(crate) fn complete(headers: &mut Fields, body: &[u8], choices: &Choices) {
    if body.is_empty() {
        return;
    }
    if choices.local_response_content_length {
        headers.replace(CONTENT_LENGTH, body.len().to_string().as_bytes());
    }
    if choices.local_response_content_type && headers.get(CONTENT_TYPE).is_none() {
        headers.add(CONTENT_TYPE, b"text/plain");
    }
}

/// Sets the content length of the body, `always` or only if the map has a content length.
pub(crate) fn set_length(headers: &mut Arc<Fields>, size: usize, always: bool) {
    if always && headers.get(CONTENT_LENGTH).is_none() {
        Arc::make_mut(headers).add(CONTENT_LENGTH, size.to_string().as_bytes());
    }
    set_content_length(headers, Some(size));
}

/// Whether a request is a gRPC request, by its headers.
pub(crate) fn is_grpc(request: &Fields) -> bool {
    let rest = request.get(CONTENT_TYPE).and_then(|value| value.trim_ascii().strip_prefix(GRPC));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Changes the headers to those of a gRPC response without messages, with at most `max` bytes. A status message that does not fit is
/// left out.
pub(crate) fn make_grpc(headers: &mut Fields, status: u32, message: &[u8], max: usize) {
    const STATUS: &[u8] = b"grpc-status";
    const MESSAGE: &[u8] = b"grpc-message";
    headers.replace(b":status", b"200");
    headers.replace(CONTENT_TYPE, GRPC);
    headers.remove(CONTENT_LENGTH);
    if headers.get(STATUS).is_none() {
        headers.add(STATUS, status.to_string().as_bytes());
    }
    if message.is_empty() || message.len() > max {
        return;
    }
    let message = percent_encoded(message);
    if headers.has_room(MESSAGE, &message, true, max) {
        headers.replace(MESSAGE, &message);
    }
}

/// A gRPC status message in HTTP: printable ASCII except for the percent sign is not encoded.
fn percent_encoded(message: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(message.len());
    for byte in message {
        match byte {
            b' '..=b'~' if *byte != b'%' => encoded.push(*byte),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_grpc_requests_by_content_type() {
        let rows = [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("text/plain", false),
            ("", false),
        ];
        for (value, expected) in rows {
            assert_eq!(is_grpc(&Fields::from([("content-type", value)])), expected, "{value:?}");
        }
        assert!(!is_grpc(&Fields::new()));
    }

    #[test]
    fn percent_encodes_a_grpc_message_and_leaves_it_out_if_too_large() {
        let message = |text: &[u8], max| {
            let mut headers = Fields::from([(":status", "403"), ("content-length", "2")]);
            make_grpc(&mut headers, 7, text, max);
            let text = |name: &[u8]| headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
            let known = [&b":status"[..], b"content-type", b"grpc-status"].map(text);
            assert_eq!(known, ["200", "application/grpc", "7"].map(|value| Some(value.to_owned())));
            assert_eq!(text(b"content-length"), None);
            text(b"grpc-message")
        };
        assert_eq!(message(b"", 1_000), None);
        assert_eq!(message(b"not you", 1_000).as_deref(), Some("not you"));
        assert_eq!(message(b"50%\n\xFF~", 1_000).as_deref(), Some("50%25%0A%FF~"));
        assert_eq!(message(&[0; 500], 1_000), None);
    }
}
