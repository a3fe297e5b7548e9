//! A map of fields as the model sees it: a list.

use pw_abi::pairs;
use pw_cases::data::Fields;

/// Names, in lower case, and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map(pub(super) Vec<(Vec<u8>, Vec<u8>)>);

impl Map {
    pub(super) fn of(fields: &Fields) -> Map {
        Map(fields.iter().map(|(name, value)| (name.0.to_ascii_lowercase(), value.0.clone())).collect())
    }

    /// Reads a serialised map; `None` if it is malformed, or if HTTP cannot carry it.
    pub(super) fn parse(of: Of, bytes: &[u8]) -> Option<Map> {
        let mut map = Map::default();
        for (name, value) in pairs::decode(bytes).ok()? {
            if !carries(of, name, value) || map.has_one(name) {
                return None;
            }
            map.add(name, value);
        }
        Some(map)
    }

    /// Whether it already has a field that no message has twice.
    pub(super) fn has_one(&self, name: &[u8]) -> bool {
        let single =
            name.starts_with(b":") || [&b"content-length"[..], b"host"].contains(&name.to_ascii_lowercase().as_slice());
        single && self.get(name).is_some()
    }

    /// Whether a message can be sent with these headers.
    pub(super) fn is_whole(&self, of: Of) -> bool {
        let needed: &[&[u8]] = match of {
            Of::Request => &[b":method", b":path"],
            Of::Response => &[b":status"],
            Of::Rest => &[],
        };
        needed.iter().all(|name| self.get(name).is_some())
    }

    /// In the order in which it is sent: pseudo headers first.
    pub(super) fn in_order(mut self) -> Map {
        self.0.sort_by_key(|(name, _)| !name.starts_with(b":"));
        self
    }

    pub(super) fn serialised(&self) -> Vec<u8> {
        pairs::encode(self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Removes the name's values, and puts the new one where the first was.
    pub(super) fn replace(&mut self, name: &[u8], value: &[u8]) {
        let first = self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        self.remove(name);
        let place = first.unwrap_or(self.0.len());
        self.0.insert(place, (name.to_ascii_lowercase(), value.to_vec()));
    }
}

/// What a map belongs to: headers of a request or of a response, or trailers and metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Request,
    Response,
    Rest,
}

/// Whether HTTP can carry a field there.
pub(super) fn carries(of: Of, name: &[u8], value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let token = |text: &[u8]| {
        let is = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        !text.is_empty() && text.iter().all(is)
    };
    let dark = value.iter().any(|byte| *byte <= b' ' || *byte == 0x7F);
    let rest = value.iter().all(|byte| (*byte >= b' ' && *byte != 0x7F) || *byte == b'\t');
    match (of, name.as_slice()) {
        (Of::Request, b":method") => token(value),
        (Of::Request, b":path") => (value.starts_with(b"/") || value == b"*") && !dark,
        (Of::Request, b":authority") => !dark && !value.iter().any(|byte| b"/?#@\\".contains(byte)),
        (Of::Request, b":scheme") => value.first().is_some_and(u8::is_ascii_alphabetic) && token(value),
        (Of::Response, b":status") => {
            value.len() == 3 && value.iter().all(u8::is_ascii_digit) && (b'1'..=b'5').contains(&value[0])
        }
        (_, b"transfer-encoding") => false,
        (
            Of::Rest,
            b"content-length" | b"host" | b"connection" | b"keep-alive" | b"proxy-connection" | b"te" | b"upgrade",
        ) => false,
        (_, b"content-length") => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
        (_, name) => token(name) && rest,
    }
}
