//! The rules of HTTP for messages of peers, embedders and plugins: which fields are valid, and in which order the parts of a message
//! come. Functions on names, values and maps; knows no streams and no plugins.
//!
//! Whitespace around a value is not part of it (RFC 9110, 5.5): a plugin may set it, and it is removed before the value is sent.
//! Inside a value there may be tabs, and bytes from 0x80 on, but no other control characters.

use std::sync::Arc;

use pw_abi::{Status, pairs};

use crate::effect::Piece;
use crate::fields::Fields;
use crate::planted::planted;

/// The part of a message to which a map belongs, which decides which fields are valid in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Request,
    Response,
    /// Trailers, and metadata of gRPC.
    Trailers,
}

type Pseudo = (&'static [u8], fn(&[u8]) -> bool);

const REQUEST: &[Pseudo] = &[
    (b":method", is_token),
    (b":scheme", is_scheme),
    (b":authority", is_authority),
    (b":path", is_path),
    (b":protocol", is_protocol),
];
const RESPONSE: &[Pseudo] = &[(b":status", is_status)];

/// Fields that a message has at most once, besides pseudo headers.
const SINGLE: [&[u8]; 2] = [CONTENT_LENGTH, HOST];
const HOST: &[u8] = b"host";
pub(crate) const CONTENT_LENGTH: &[u8] = b"content-length";
/// The embedder decides how a message is framed.
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";

/// Fields that are not valid in trailers and metadata (RFC 9110, 6.5.1): those that frame the message, route it, or are about the
/// connection, all of which must be known before the body.
const NOT_IN_TRAILERS: [&[u8]; 8] =
    [TRANSFER_ENCODING, CONTENT_LENGTH, HOST, b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"];

impl Part {
    fn pseudo(self) -> &'static [Pseudo] {
        match self {
            Part::Request => REQUEST,
            Part::Response => RESPONSE,
            Part::Trailers => &[],
        }
    }

    /// Whether a field is valid on its own.
    pub(crate) fn permits(self, name: &[u8], value: &[u8]) -> bool {
        if name.first() == Some(&b':') {
            return self.pseudo().iter().any(|(known, valid)| known.eq_ignore_ascii_case(name) && valid(value));
        }
        let rejected = if self == Part::Trailers {
            NOT_IN_TRAILERS.iter().any(|field| name.eq_ignore_ascii_case(field))
        } else if name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            length(value).is_none()
        } else {
            name.eq_ignore_ascii_case(TRANSFER_ENCODING)
        };
        !rejected && is_token(name) && is_value(value)
    }

    /// Whether another field is valid in a map.
    pub(crate) fn permits_more(self, fields: &Fields, name: &[u8], value: &[u8]) -> bool {
        self.permits(name, value) && !(is_single(name) && fields.get(name).is_some())
    }

    /// Reads a serialised map of at most `max` bytes of names and values.
    ///
    /// # Errors
    ///
    /// `malformed` if it does not parse or is not HTTP, INTERNAL_FAILURE if it is larger than `max`.
    pub(crate) fn read(self, serialized: &[u8], max: usize, malformed: Status) -> Result<Fields, Status> {
        let mut fields = Fields::new();
        for (name, value) in decode(serialized, max, malformed)? {
            planted!(EmptyValueRefused => if value.is_empty() {
                return Err(malformed);
            });
            if !self.permits_more(&fields, name, value) {
                return Err(malformed);
            }
            fields.add(name, value);
        }
        Ok(fields)
    }

    /// Prepares a map from a peer for plugins: without transfer-encoding, and trailers without the fields that are not valid there.
    /// Its facts; `None` if it is not HTTP.
    pub(crate) fn receive(self, fields: &mut Arc<Fields>) -> Option<Facts> {
        let dropped: &[&[u8]] = if self == Part::Trailers { &NOT_IN_TRAILERS } else { &[TRANSFER_ENCODING] };
        let (mut drops, mut seen, mut known) = (false, 0_u32, Known::default());
        // Names are in lower case here, and each is checked once.
        for (name, value) in fields.iter() {
            known.see(name, value);
            let single = match (name.first(), name.len()) {
                (Some(b':'), _) => {
                    let place = self.pseudo().iter().position(|(known, _)| *known == name)?;
                    if !self.pseudo()[place].1(value) {
                        return None;
                    }
                    1 << place
                }
                (_, 2 | 4 | 7 | 10 | 14 | 16 | 17) if dropped.contains(&name) => {
                    drops = true;
                    continue;
                }
                (_, 4 | 14) if SINGLE.contains(&name) => {
                    if !self.permits(name, value) {
                        return None;
                    }
                    1 << (8 + name.len())
                }
                _ if is_token(name) && is_value(value) => 0,
                _ => return None,
            };
            if seen & single != 0 {
                return None;
            }
            seen |= single;
        }
        let mut facts = known.facts();
        if drops {
            dropped.iter().for_each(|name| Arc::make_mut(fields).remove(name));
            facts = Facts::of(fields);
        }
        Some(facts).filter(|facts| self != Part::Request || !facts.two_hosts)
    }

    /// Whether a map has the pseudo headers that it must have.
    pub(crate) fn is_whole(self, facts: &Facts) -> bool {
        match self {
            Part::Request if facts.connects && !facts.protocol => facts.authority && !facts.path && !facts.scheme,
            // Only CONNECT has a protocol (RFC 8441, 4).
            Part::Request => facts.method && facts.path && (facts.connects || !facts.protocol),
            Part::Response => facts.status.is_some(),
            Part::Trailers => true,
        }
    }
}

/// What the rules of HTTP need to know of a whole map, found in one pass: which pseudo headers it has, and some values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) method: bool,
    pub(crate) path: bool,
    scheme: bool,
    pub(crate) authority: bool,
    protocol: bool,
    /// Whether the method is CONNECT.
    connects: bool,
    /// Whether the method is HEAD.
    pub(crate) is_head: bool,
    pub(crate) status: Option<u32>,
    pub(crate) has_content_length: bool,
    pub(crate) content_length: Option<u64>,
    /// Whether a pseudo header comes after other fields, or there is whitespace around a value.
    untidy: bool,
    /// Whether a request names two hosts (RFC 9113, 8.3.1).
    two_hosts: bool,
}

impl Facts {
    pub(crate) fn of(fields: &Fields) -> Facts {
        let mut known = Known::default();
        fields.iter().for_each(|(name, value)| known.see(name, value));
        known.facts()
    }

    /// The facts of a piece; those of a body are empty.
    pub(crate) fn of_piece(piece: &Piece) -> Facts {
        match piece {
            Piece::Headers { headers: fields, .. } | Piece::Trailers { trailers: fields } => Facts::of(fields),
            Piece::Body { .. } => Facts::default(),
        }
    }

    /// Whether headers are of an informational response, after which others come. After 101 none come.
    fn is_informational(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status) && status != 101)
    }
}

/// The facts found so far.
#[derive(Default)]
struct Known<'a> {
    facts: Facts,
    /// Whether there were fields other than pseudo headers.
    others: bool,
    authority: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
}

impl<'a> Known<'a> {
    /// Adds a field. The first one of a name counts.
    #[inline]
    fn see(&mut self, name: &'a [u8], value: &'a [u8]) {
        let Known { facts, others, authority, host } = self;
        let space = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
        let pseudo = name.first() == Some(&b':');
        *others |= !pseudo;
        facts.untidy |= pseudo && *others || space(value.first()) || space(value.last());
        // Names are in lower case here.
        match name {
            b":method" if !facts.method => {
                (facts.method, facts.connects, facts.is_head) = (true, value == b"CONNECT", value == b"HEAD");
            }
            b":path" => facts.path = true,
            b":scheme" => facts.scheme = true,
            b":authority" => *authority = authority.or(Some(value)),
            b":protocol" => facts.protocol = true,
            b":status" if facts.status.is_none() => facts.status = number(value),
            HOST => *host = host.or(Some(value)),
            CONTENT_LENGTH if !facts.has_content_length => {
                (facts.has_content_length, facts.content_length) = (true, length(value));
            }
            _ => {}
        }
    }

    fn facts(self) -> Facts {
        let two_hosts = |(authority, host): (&[u8], &[u8])| !authority.eq_ignore_ascii_case(host.trim_ascii());
        let two_hosts = self.authority.zip(self.host).is_some_and(two_hosts);
        Facts { authority: self.authority.is_some(), two_hosts, ..self.facts }
    }
}

pub(crate) fn decode(serialized: &[u8], max: usize, malformed: Status) -> Result<pairs::PairsRef<'_>, Status> {
    if text_size(serialized) > max {
        return Err(Status::INTERNAL_FAILURE);
    }
    let mut fields = pairs::decode(serialized).map_err(|_| malformed)?;
    planted!(LastFieldLost => {
        fields.pop_if(|(name, value)| name.len() > value.len() + 1);
    });
    Ok(fields)
}

/// Bytes of names and values of a well-formed serialised map, by its size and its number of fields.
fn text_size(serialized: &[u8]) -> usize {
    let Some((count, rest)) = serialized.split_first_chunk() else { return 0 };
    // Each field has two sizes and two NULs.
    rest.len().saturating_sub((u32::from_le_bytes(*count) as usize).saturating_mul(10))
}

/// Converts a map to the form in which it is sent: pseudo headers first, no whitespace around values, and no host that differs from the
/// authority that a plugin has set.
pub(crate) fn normalize(fields: &mut Arc<Fields>) {
    let facts = Facts::of(fields);
    normalize_known(fields, &facts);
}

/// The same for a map whose facts are known.
pub(crate) fn normalize_known(fields: &mut Arc<Fields>, facts: &Facts) {
    if facts.untidy {
        let (pseudo, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| name.starts_with(b":"));
        let all = pseudo.into_iter().chain(others);
        *fields = Arc::new(all.map(|(name, value)| (name, value.trim_ascii())).collect());
    }
    if facts.two_hosts {
        Arc::make_mut(fields).remove(HOST);
    }
}

/// Corrects or removes the content length of a map, if it has one.
pub(crate) fn set_content_length(fields: &mut Arc<Fields>, right: Option<usize>) {
    let Some(declared) = fields.get(CONTENT_LENGTH) else { return };
    let right = right.map(|size| size.to_string());
    if right.as_ref().is_some_and(|right| right.as_bytes() == declared) {
        return;
    }
    let fields = Arc::make_mut(fields);
    match right {
        Some(right) => fields.replace(CONTENT_LENGTH, right.as_bytes()),
        None => fields.remove(CONTENT_LENGTH),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a response of that status has no body, whatever the request was.
pub(crate) fn has_no_body(status: u32) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// Which parts of a message have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    #[default]
    Nothing,
    /// Headers of informational responses.
    Informational,
    /// The headers, and perhaps some of the body.
    Headers,
    End,
}

impl Progress {
    /// The progress with another piece, with these facts; `None` if that piece is out of order.
    pub(crate) fn with(self, piece: &Piece, facts: &Facts) -> Option<Progress> {
        let next = match (self, piece) {
            (Progress::Nothing | Progress::Informational, Piece::Headers { end_of_stream, .. }) => {
                match facts.is_informational() {
                    true if *end_of_stream => return None,
                    true => Progress::Informational,
                    false => Progress::Headers,
                }
            }
            (Progress::Headers, Piece::Body { .. } | Piece::Trailers { .. }) => Progress::Headers,
            _ => return None,
        };
        Some(if piece.ends() { Progress::End } else { next })
    }
}

/// Whether a field's name is a token, as all names but those of pseudo headers must be.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && all(name, &TOKEN)
}

/// Whether the name of a service or a method is one segment of a gRPC path.
pub(crate) fn is_path_segment(name: &[u8]) -> bool {
    name.iter().all(|byte| is_visible(*byte) && !matches!(byte, b'/' | b'?' | b'#' | b'%' | b'\\'))
}

/// A table of the bytes of a class: a lookup costs less than comparisons.
macro_rules! table {
    (|$byte:ident| $is:expr) => {{
        let mut table = [false; 256];
        let mut at = 0;
        while at < 256 {
            let $byte = at as u8;
            table[at] = $is;
            at += 1;
        }
        table
    }};
}

/// RFC 9110, 5.6.2.
const TOKEN: [bool; 256] = table!(|byte| byte.is_ascii_alphanumeric()
    || matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    ));

/// A host and an optional port: no byte that ends an authority in a URI, and no `@`.
const AUTHORITY: [bool; 256] = table!(|byte| is_visible(byte) && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b'\\'));

const PATH: [bool; 256] = table!(|byte| is_visible(byte) && byte != b'#');

/// RFC 9110, 5.5.
const VALUE: [bool; 256] = table!(|byte| is_visible(byte) || matches!(byte, b' ' | b'\t'));

/// Names and values are short and mostly valid: without a branch for each byte this takes half of the instructions.
fn all(bytes: &[u8], table: &[bool; 256]) -> bool {
    bytes.iter().fold(true, |all, byte| all & table[usize::from(*byte)])
}

fn is_value(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks();
    words.iter().all(|word| has_no_control(*word) || all(word, &VALUE)) && all(rest, &VALUE)
}

/// Whether none of eight bytes is below a space, or DEL.
fn has_no_control(word: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let word = u64::from_le_bytes(word);
    // The subtraction sets the highest bit of a byte, if it was not set, only if the byte is less.
    let below = |word: u64, least: u64| word.wrapping_sub(least * EACH) & !word & HIGH;
    below(word, b' '.into()) | below(word ^ (0x7F * EACH), 1) == 0
}

/// Whether a byte is neither whitespace nor a control character.
const fn is_visible(byte: u8) -> bool {
    byte > b' ' && byte != 0x7F
}

fn is_single(name: &[u8]) -> bool {
    name.first() == Some(&b':') || SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name))
}

/// RFC 3986, 3.1.
fn is_scheme(value: &[u8]) -> bool {
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_authority(value: &[u8]) -> bool {
    all(value, &AUTHORITY)
}

fn is_path(value: &[u8]) -> bool {
    (value.first() == Some(&b'/') || value == b"*") && all(value, &PATH)
}

/// A name and an optional version, as in `upgrade`.
fn is_protocol(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b'/');
    parts.all(is_token)
}

fn is_status(value: &[u8]) -> bool {
    matches!(value, [b'1'..=b'5', rest @ ..] if rest.len() == 2 && rest.iter().all(u8::is_ascii_digit))
}

fn length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| str::from_utf8(value).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
