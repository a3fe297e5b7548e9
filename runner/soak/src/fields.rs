//! What a map of fields may have so that it can be sent by HTTP. Written without a look at how the host checks it. Pure.

use pw_host::Fields;

const PSEUDO: [&[u8]; 6] = [b":method", b":scheme", b":authority", b":path", b":status", b":protocol"];

/// Whether a peer reads these fields as they are meant.
pub(super) fn is_http(fields: &Fields) -> bool {
    let lengths = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-length")).count();
    lengths <= 1 && fields.iter().all(|(name, value)| is_name(name) && is_value(value, name == b":path"))
}

fn is_name(name: &[u8]) -> bool {
    let letters = name.iter().all(|byte| matches!(byte, b'!'..=b'~') && !b"\"(),/:;<=>?@[\\]{}".contains(byte));
    PSEUDO.contains(&name) || !name.is_empty() && letters && !name.eq_ignore_ascii_case(b"transfer-encoding")
}

fn is_value(value: &[u8], is_path: bool) -> bool {
    value.iter().all(|byte| !(matches!(byte, b'\r' | b'\n' | 0) || is_path && *byte == b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_http_cannot_carry() {
        let rows: [(&[(&str, &str)], bool); 9] = [
            (&[(":path", "/"), ("x", "y z")], true),
            (&[("content-length", "1")], true),
            (&[("content-length", "1"), ("content-length", "2")], false),
            (&[("transfer-encoding", "chunked")], false),
            (&[(":evil", "1")], false),
            (&[("x y", "1")], false),
            (&[("", "1")], false),
            (&[("x", "a\nb")], false),
            (&[(":path", "/a HTTP/1.1")], false),
        ];
        for (fields, expected) in rows {
            assert_eq!(is_http(&fields.iter().copied().collect()), expected, "{fields:?}");
        }
    }
}
