//! The request that is sent: its headers, from what the command line says.

use pw_cases::data::{Data, Fields};

use super::args::TryArgs;
use pw_harness::error::HarnessError;

/// Pseudo headers first.
pub(super) fn headers(args: &TryArgs, path: Option<&str>) -> Result<Fields, HarnessError> {
    let path = path.unwrap_or("/");
    let method = args.method.as_deref().unwrap_or(if args.data.is_some() { "POST" } else { "GET" });
    if !is_token(method) {
        return Err(HarnessError::new(format!("{method:?} is not a method: write one such as `PUT`")));
    }
    if !(path.starts_with('/') || path == "*") || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(HarnessError::new(format!(
            "{path:?} is not a path: write one that begins with `/`, without blanks"
        )));
    }
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", "example.test"), (":path", path)];
    let mut fields: Fields = pseudo.iter().map(|(name, value)| (Data::from(*name), Data::from(*value))).collect();
    for header in &args.headers {
        let parts = header
            .split_once(':')
            .filter(|(name, value)| is_token(name) && !value.contains(|c: char| c.is_control() && c != '\t'));
        let Some((name, value)) = parts else {
            return Err(HarnessError::new(format!("{header:?} is not a header: write `name: value`")));
        };
        let name = name.to_ascii_lowercase();
        match fields.iter_mut().find(|(known, _)| name == "host" && known.0 == b":authority") {
            Some((_, authority)) => *authority = value.trim().into(),
            None => fields.push((Data(name.into_bytes()), value.trim().into())),
        }
    }
    Ok(fields)
}

/// The port of the authority, which a client would send the request to.
pub(super) fn port(headers: &Fields) -> u16 {
    let authority = headers.iter().find(|(name, _)| name.0 == b":authority").and_then(|(_, value)| value.as_str());
    authority.and_then(|authority| authority.rsplit_once(':')?.1.parse().ok()).unwrap_or(80)
}

/// The characters of method and header names.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
