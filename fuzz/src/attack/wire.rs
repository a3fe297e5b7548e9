//! What may leave a proxy, by HTTP's own rules: written here once more, apart from the host that is under test.

use pw_host::{Fields, Piece};

/// How far the messages of a stream have left.
pub(crate) struct Messages {
    tcp: bool,
    request: Progress,
    response: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    Headers,
    Over,
}

impl Messages {
    pub(crate) fn new(tcp: bool) -> Messages {
        Messages { tcp, request: Progress::Nothing, response: Progress::Nothing }
    }

    /// The connection to the upstream is opened.
    pub(crate) fn connects(&mut self) -> Result<(), String> {
        match self.request {
            Progress::Nothing if self.tcp => self.request = Progress::Headers,
            _ => return Err("a connection where there cannot be one".to_owned()),
        }
        Ok(())
    }

    /// A piece leaves; what is wrong about it.
    pub(crate) fn leaves(&mut self, is_request: bool, piece: &Piece) -> Result<(), String> {
        let progress = if is_request { &mut self.request } else { &mut self.response };
        // With 101 HTTP ends.
        let informational = |headers: &Fields| {
            headers.get(b":status").is_some_and(|status| status.starts_with(b"1") && status != b"101")
        };
        match (piece, *progress) {
            (_, Progress::Over) => return Err(format!("a piece after the end of a message: {piece:?}")),
            (Piece::Body { .. }, Progress::Headers) if self.tcp => {}
            (Piece::Body { .. }, Progress::Nothing) if self.tcp && !is_request => {}
            (Piece::Headers { headers, .. }, Progress::Nothing) => {
                if is_request {
                    request(headers)?
                } else {
                    response(headers)?
                }
                if is_request || !informational(headers) {
                    *progress = Progress::Headers;
                }
            }
            (Piece::Body { .. }, Progress::Headers) => {}
            (Piece::Trailers { trailers: fields }, Progress::Headers) => trailers(fields)?,
            _ => return Err(format!("a piece where it cannot be: {piece:?}")),
        }
        if piece.ends() {
            *progress = Progress::Over;
        }
        Ok(())
    }
}

/// The headers of a request.
pub(crate) fn request(headers: &Fields) -> Result<(), String> {
    message(headers, &[b":method", b":path", b":scheme", b":authority", b":protocol"], b":method")
}

/// The headers of a response.
fn response(headers: &Fields) -> Result<(), String> {
    message(headers, &[b":status"], b":status")?;
    match headers.get(b":status") {
        Some(status) if status.len() == 3 && status.iter().all(u8::is_ascii_digit) => Ok(()),
        status => Err(format!("a response of status {status:?}")),
    }
}

/// Trailers, and metadata, which have no pseudo headers, and nothing that a receiver acts upon before it reads the body.
pub(crate) fn trailers(fields: &Fields) -> Result<(), String> {
    const EARLY: [&str; 8] = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    fields.iter().try_for_each(|(name, value)| {
        if EARLY.iter().any(|early| name.eq_ignore_ascii_case(early.as_bytes())) {
            return Err(format!("{} among trailers", name.escape_ascii()));
        }
        field(name, value)
    })
}

fn message(headers: &Fields, pseudo: &[&[u8]], needed: &[u8]) -> Result<(), String> {
    let count = |name: &[u8]| headers.iter().filter(|(known, _)| *known == name).count();
    if let Some(name) = pseudo.iter().find(|name| count(name) > 1) {
        return Err(format!("two fields {}", name.escape_ascii()));
    }
    if count(needed) == 0 {
        return Err(format!("no field {}", needed.escape_ascii()));
    }
    let lengths: Vec<&[u8]> =
        headers.iter().filter(|(name, _)| *name == b"content-length").map(|(_, value)| value).collect();
    if lengths.len() > 1 || lengths.iter().any(|length| length.is_empty() || !length.iter().all(u8::is_ascii_digit)) {
        return Err(format!("a content-length of {lengths:?}"));
    }
    if count(b"transfer-encoding") > 0 {
        return Err("a transfer-encoding".to_owned());
    }
    let mut proper = false;
    for (name, value) in headers.iter() {
        if name.starts_with(b":") {
            if proper || !pseudo.contains(&name) {
                return Err(format!("the pseudo header {} where it cannot be", name.escape_ascii()));
            }
            clean(value)?;
        } else {
            proper = true;
            field(name, value)?;
        }
    }
    Ok(())
}

fn field(name: &[u8], value: &[u8]) -> Result<(), String> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(token) {
        return Err(format!("a field of the name {:?}", name.escape_ascii().to_string()));
    }
    clean(value)
}

fn clean(value: &[u8]) -> Result<(), String> {
    match value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        true => Err(format!("a value of {:?}", value.escape_ascii().to_string())),
        false => Ok(()),
    }
}
