//! Messages as hyper has them, and as plugins see them: pseudo headers are fields. On HTTP/1.1, `host` is `:authority`.

use std::sync::Arc;

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Request, Response, StatusCode, Uri, Version, http};
use pw_host::Fields;

/// A message that was reset, or that HTTP cannot carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was reset")
    }
}

impl std::error::Error for Reset {}

/// The fields of a request.
pub(crate) fn request_fields(parts: &http::request::Parts) -> Fields {
    let old = parts.version < Version::HTTP_2;
    let host = parts.headers.get(HOST).filter(|_| old);
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let authority = authority.or(host.map(HeaderValue::as_bytes));
    let connects = parts.method == Method::CONNECT;
    let scheme = parts.uri.scheme_str().or((old && !connects).then_some("http"));
    let path = parts.uri.path_and_query().map(PathAndQuery::as_str).filter(|_| !connects);
    let mut fields = Fields::new();
    fields.add(b":method", parts.method.as_str().as_bytes());
    scheme.into_iter().for_each(|scheme| fields.add(b":scheme", scheme.as_bytes()));
    authority.into_iter().for_each(|authority| fields.add(b":authority", authority));
    path.into_iter().for_each(|path| fields.add(b":path", path.as_bytes()));
    let others = parts.headers.iter().filter(|(name, _)| !(old && *name == HOST));
    others.for_each(|(name, value)| fields.add(name.as_str().as_bytes(), value.as_bytes()));
    fields
}

/// The fields of a response.
pub(crate) fn response_fields(parts: &http::response::Parts) -> Fields {
    let mut fields = Fields::from([(":status", parts.status.as_str())]);
    parts.headers.iter().for_each(|(name, value)| fields.add(name.as_str().as_bytes(), value.as_bytes()));
    fields
}

/// The fields of trailers.
pub(crate) fn trailer_fields(trailers: &HeaderMap) -> Fields {
    trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Fields without pseudo headers.
///
/// # Errors
///
/// One of them cannot be sent.
pub(crate) fn header_map(fields: &Fields) -> Result<HeaderMap, Reset> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with(b":")) {
        let name = HeaderName::from_bytes(name).map_err(|_| Reset)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Reset)?;
        map.try_append(name, value).map_err(|_| Reset)?;
    }
    Ok(map)
}

/// A request from its fields, for an upstream that speaks HTTP/2 or not.
///
/// # Errors
///
/// One of them cannot be sent.
pub(crate) fn request<B>(fields: &Arc<Fields>, http2: bool, body: B) -> Result<Request<B>, Reset> {
    let mut headers = header_map(fields)?;
    let method = Method::from_bytes(fields.get(b":method").ok_or(Reset)?).map_err(|_| Reset)?;
    let authority = fields.get(b":authority").or_else(|| fields.get(b"host"));
    let mut uri = http::uri::Parts::default();
    let path = |path: &[u8]| PathAndQuery::try_from(path).map_err(|_| Reset);
    if http2 || method == Method::CONNECT {
        uri.authority = authority.map(|name| Authority::try_from(name).map_err(|_| Reset)).transpose()?;
    } else if let Some(authority) = authority {
        headers.insert(HOST, HeaderValue::from_bytes(authority).map_err(|_| Reset)?);
    }
    if method != Method::CONNECT {
        uri.path_and_query = fields.get(b":path").map(path).transpose()?;
        if http2 {
            uri.scheme = Some(Scheme::try_from(fields.get(b":scheme").unwrap_or(b"http")).map_err(|_| Reset)?);
        }
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| Reset)?;
    *request.version_mut() = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    *request.headers_mut() = headers;
    Ok(request)
}

/// A response from its fields.
///
/// # Errors
///
/// One of them cannot be sent.
pub(crate) fn response<B>(fields: &Fields, body: B) -> Result<Response<B>, Reset> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_bytes(fields.get(b":status").ok_or(Reset)?).map_err(|_| Reset)?;
    *response.headers_mut() = header_map(fields)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let fields = Fields::from([
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a.test"),
            (":path", "/x?y"),
            ("a", "1"),
            ("b", "2"),
            ("a", "3"),
        ]);
        let fields = Arc::new(fields);
        let pairs = |fields: &Fields| -> Vec<(Vec<u8>, Vec<u8>)> {
            let mut pairs: Vec<_> = fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            pairs.sort();
            pairs
        };
        for http2 in [true, false] {
            let (parts, ()) = request(&fields, http2, ()).expect("it can be sent").into_parts();
            assert_eq!(pairs(&request_fields(&parts)), pairs(&fields), "HTTP/2: {http2}");
        }
    }

    #[test]
    fn what_http_cannot_carry_is_an_error() {
        assert!(response(&Fields::from([(":status", "9999")]), ()).is_err());
        assert!(header_map(&Fields::from([("a", "b\nc")])).is_err());
    }
}
