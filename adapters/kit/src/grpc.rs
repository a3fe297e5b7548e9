//! gRPC over HTTP/2: messages in bodies, metadata in fields, the status in trailers. Knows nothing of connections.

use pw_cases::data::{Data, Fields};

use crate::fields::{field, value};

/// Whether these are the headers of a call or stream.
pub fn is_call(headers: &Fields) -> bool {
    value(headers, "content-type").is_some_and(|kind| kind.0.starts_with(b"application/grpc"))
}

/// The service and the method that headers name.
pub fn method(headers: &Fields) -> (String, String) {
    let path = value(headers, ":path").map(|path| String::from_utf8_lossy(&path.0).into_owned()).unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (service, method) = path.rsplit_once('/').unwrap_or((path, ""));
    (service.to_owned(), method.to_owned())
}

/// The fields of headers without pseudo headers, as they are on the wire: the metadata, and fields that the host adds.
pub fn metadata(headers: &Fields) -> Fields {
    headers.iter().filter(|(name, _)| !name.0.starts_with(b":")).cloned().collect()
}

/// The headers of a response.
pub fn headers(metadata: &Fields) -> Fields {
    let mut fields = vec![field(":status", "200"), field("content-type", "application/grpc")];
    fields.extend_from_slice(metadata);
    fields
}

/// The trailers of a response.
pub fn trailers(status: u32, message: &str, metadata: &Fields) -> Fields {
    let mut fields = vec![field("grpc-status", &status.to_string()), field("grpc-message", &escape(message))];
    fields.extend_from_slice(metadata);
    fields
}

/// A message as it is in a body: a byte 0 (it is not compressed), its length in four bytes, its bytes.
pub fn message(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend((message.len() as u32).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// Takes the complete messages from the start of a body.
pub fn messages(body: &mut Vec<u8>) -> Vec<Data> {
    const PREFIX: usize = 5;
    let mut messages = Vec::new();
    let mut at = 0;
    while let Some(&[_, a, b, c, d]) = body.get(at..at + PREFIX) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(message) = body.get(at + PREFIX..at + PREFIX + length) else { break };
        messages.push(Data(message.to_vec()));
        at += PREFIX + length;
    }
    body.drain(..at);
    messages
}

/// Encodes a status message: `%`, and each byte that is not printable ASCII, is written as `%` and two hex digits.
fn escape(message: &str) -> String {
    let escaped = message.bytes().map(|byte| match byte {
        b'%' | ..b' ' | 0x7f.. => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Fields {
        fields.iter().map(|(name, value)| field(name, value)).collect()
    }

    #[test]
    fn joins_the_pieces_of_messages() {
        let sent: Vec<u8> = ["", "one", "two"].iter().flat_map(|text| message(text.as_bytes())).collect();
        let (mut body, mut received) = (Vec::new(), Vec::new());
        for bytes in sent.chunks(2) {
            body.extend_from_slice(bytes);
            received.extend(messages(&mut body));
        }
        assert_eq!(received, ["", "one", "two"].map(Data::from));
        assert_eq!(body, b"");
    }

    #[test]
    fn frames_messages_as_the_protocol_has_it() {
        assert_eq!(message(b"hi"), b"\x00\x00\x00\x00\x02hi");
        assert_eq!(message(&vec![7; 0x1_0203])[..5], [0, 0, 1, 2, 3]);
        // Two messages, of which one is empty, and half of the prefix of a third.
        let mut body = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03abc\x00\x00\x00".to_vec();
        assert_eq!(messages(&mut body), ["", "abc"].map(Data::from));
        assert_eq!(body, [0, 0, 0]);
    }

    #[test]
    fn parses_the_path_of_a_call() {
        let rows = [("/a.B/C", ("a.B", "C")), ("/a/b/C", ("a/b", "C")), ("/C", ("C", "")), ("", ("", ""))];
        for (path, (service, name)) in rows {
            assert_eq!(method(&fields(&[(":path", path)])), (service.to_owned(), name.to_owned()), "{path}");
        }
        assert!(is_call(&fields(&[("content-type", "application/grpc+proto")])));
        assert!(!is_call(&fields(&[("content-type", "application/json")])));
    }

    #[test]
    fn metadata_stays_as_it_is_on_the_wire() {
        let plain = fields(&[("x-bin", "AP8="), ("x", "y")]);
        let sent = headers(&plain);
        assert_eq!(
            sent,
            fields(&[(":status", "200"), ("content-type", "application/grpc"), ("x-bin", "AP8="), ("x", "y")])
        );
        assert_eq!(metadata(&sent), fields(&[("content-type", "application/grpc"), ("x-bin", "AP8="), ("x", "y")]));
    }

    #[test]
    fn encodes_status_messages() {
        for (text, escaped) in [("not for you", "not for you"), ("50%\n", "50%25%0A"), ("é", "%C3%A9")] {
            assert_eq!(trailers(7, text, &Fields::new()), fields(&[("grpc-status", "7"), ("grpc-message", escaped)]));
        }
    }
}
