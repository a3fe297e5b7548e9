//! The section "Properties".
//!
//! The parts of a path are separated by NUL; one more at the end is accepted. Numbers, times and durations are 8 bytes, little-endian,
//! times and durations in nanoseconds; a truth value is one byte; text is its bytes. Other properties come from the embedder's
//! sources.

use bytes::Bytes;
use pw_abi::{Properties, Status};

use crate::choices::Choices;
use crate::config::TlsInfo;
use crate::state::account::ENTRY;
use crate::state::{Property, State, Stream, Undo};
use crate::value::Value;

impl Properties for State {
    fn proxy_get_property(&mut self, path: &[u8]) -> Result<Value, Status> {
        self.property(trimmed(path)).map(Value::from)
    }

    /// A stream keeps what is set on it; what the host itself provides cannot be set.
    fn proxy_set_property(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let path = trimmed(path);
        if is_read_only(path) {
            let ignored = self.config.choices.set_host_properties_are_ignored;
            return if ignored { Ok(()) } else { Err(Status::NOT_FOUND) };
        }
        let (max, bytes) = (self.limits().properties, path.len() + value.len());
        let (stream, place) = self.stream().ok_or(Status::NOT_FOUND)?;
        let old = stream.properties.get(path).map(|old| (old.place, path.len() + old.value.len()));
        let own = old.filter(|(owner, _)| *owner == place).map_or(0, |(_, size)| size);
        if stream.filters[place].properties_size - own + bytes > max {
            return Err(Status::INTERNAL_FAILURE);
        }
        let open = self.plugin().failure.open;
        let charge = self.charge(ENTRY + bytes + if open { path.len() } else { 0 })?;
        let (stream, place) = self.stream().ok_or(Status::NOT_FOUND)?;
        if let Some((owner, size)) = old {
            stream.filters[owner].properties_size -= size;
        }
        stream.filters[place].properties_size += bytes;
        let value = Bytes::copy_from_slice(value);
        let (id, old) =
            (stream.id, stream.properties.insert(path.to_vec(), Property { value, place, _charge: charge }));
        if open {
            let changes = self.active.changes.get_or_insert_default();
            if changes.properties.insert((id, path.to_vec())) {
                changes.undo.push(Undo::Property(id, path.to_vec(), old));
            }
        }
        Ok(())
    }
}

impl State {
    fn property(&mut self, path: &[u8]) -> Result<Bytes, Status> {
        if let Some((stream, place)) = self.stream()
            && let Some(value) = stream.properties.get(path)
            && (value.place == place || !crate::planted::has(crate::planted::Planted::PropertyOfOne))
        {
            return Ok(value.value.clone());
        }
        let plugin = self.plugin();
        match path {
            b"plugin_name" => return Ok(text(&plugin.name)),
            b"plugin_root_id" => return Ok(text(&plugin.root_id)),
            b"plugin_vm_id" => return Ok(text(&plugin.vm_id)),
            b"" | b"connection" | b"source" | b"destination" | b"upstream" | b"request" | b"response" => {
                let not_found = self.config.choices.parts_of_paths_are_not_found;
                return Err(if not_found { Status::NOT_FOUND } else { Status::SERIALIZATION_FAILURE });
            }
            _ => {}
        }
        let (now, choices) = (self.now, self.config.choices);
        // No path of the host has more than two parts.
        let mut parts = path.split(|byte| *byte == 0);
        let (first, second) = (parts.next(), parts.next());
        let parts = first.zip(second).filter(|_| parts.next().is_none());
        if let (Some((stream, _)), Some(parts)) = (self.stream(), parts)
            && let Some(value) = well_known(stream, now, choices, &[parts.0, parts.1])
        {
            return Ok(value);
        }
        self.embedders(path)
    }

    /// Looks a path up in the embedder's sources: that of the stream first, then that of the proxy.
    fn embedders(&mut self, path: &[u8]) -> Result<Bytes, Status> {
        let max = self.limits().property_source;
        let of_stream = self.active.stream.and_then(|(stream, _)| self.streams.get(stream)?.info.properties.as_ref());
        let mut sources = of_stream.into_iter().chain(&self.config.properties).filter(|_| path.len() <= max);
        let value = sources.find_map(|source| source.property(path)).ok_or(Status::NOT_FOUND)?;
        if value.len() > max { Err(Status::INTERNAL_FAILURE) } else { Ok(value) }
    }
}

/// Whether only the host provides a path, so that plugins cannot set it.
fn is_read_only(path: &[u8]) -> bool {
    const ROOTS: [&[u8]; 10] = [
        b"",
        b"plugin_name",
        b"plugin_root_id",
        b"plugin_vm_id",
        b"connection",
        b"source",
        b"destination",
        b"upstream",
        b"request",
        b"response",
    ];
    let root = path.split(|byte| *byte == 0).next().unwrap_or_default();
    ROOTS.contains(&root)
}

fn well_known(stream: &Stream, now: u64, choices: Choices, parts: &[&[u8]; 2]) -> Option<Bytes> {
    let info = &stream.info;
    let with_ports = choices.addresses_with_ports;
    let number = |number: u64| match choices.numbers_as_text {
        true => text(&number.to_string()),
        false => Bytes::copy_from_slice(&number.to_le_bytes()),
    };
    let address = |address: Option<std::net::SocketAddr>| {
        address.map(|address| text(&if with_ports { address.to_string() } else { address.ip().to_string() }))
    };
    let port = |address: Option<std::net::SocketAddr>| address.map(|address| number(address.port().into()));
    let size =
        |fields: &Option<std::sync::Arc<crate::Fields>>| fields.as_ref().map_or(0, |fields| fields.bytes() as u64);
    let (request, response) = (&stream.request, &stream.response);
    match parts {
        [b"connection", b"id"] => Some(number(info.connection_id)),
        [b"source", b"address"] => address(info.source),
        [b"source", b"port"] => port(info.source),
        [b"destination", b"address"] => address(info.destination),
        [b"destination", b"port"] => port(info.destination),
        [b"upstream", b"local_address"] => address(info.upstream_local),
        [b"upstream", b"local_port"] => port(info.upstream_local),
        [b"upstream", b"address"] => address(info.upstream),
        [b"upstream", b"port"] => port(info.upstream),
        [b"request", b"protocol"] => Some(text(info.protocol)),
        [b"request", b"time"] => Some(number(stream.started)),
        [b"request", b"duration"] => Some(number(now.saturating_sub(stream.started))),
        [b"request", b"size"] => Some(number(request.size)),
        [b"request", b"total_size"] => Some(number(request.size + size(&request.headers) + size(&request.trailers))),
        [b"response", b"size"] => Some(number(response.size)),
        [b"response", b"total_size"] => {
            Some(number(response.size + size(&response.headers) + size(&response.trailers)))
        }
        [b"connection", b"mtls"] => {
            Some(Bytes::copy_from_slice(&[u8::from(info.tls.as_ref().is_some_and(|tls| tls.mtls))]))
        }
        [b"connection", b"requested_server_name"] => known(&info.tls.as_ref()?.requested_server_name),
        [b"connection", name] => tls(info.tls.as_ref()?, name),
        [b"upstream", name] => tls(info.upstream_tls.as_ref()?, name),
        _ => None,
    }
}

/// The properties that both connections have.
fn tls(tls: &TlsInfo, name: &[u8]) -> Option<Bytes> {
    known(match name {
        b"tls_version" => &tls.version,
        b"subject_local_certificate" => &tls.local.subject,
        b"subject_peer_certificate" => &tls.peer.subject,
        b"dns_san_local_certificate" => &tls.local.dns_san,
        b"dns_san_peer_certificate" => &tls.peer.dns_san,
        b"uri_san_local_certificate" => &tls.local.uri_san,
        b"uri_san_peer_certificate" => &tls.peer.uri_san,
        b"sha256_peer_certificate_digest" => &tls.peer.sha256_digest,
        _ => return None,
    })
}

fn known(value: &str) -> Option<Bytes> {
    (!value.is_empty()).then(|| text(value))
}

fn trimmed(path: &[u8]) -> &[u8] {
    path.strip_suffix(&[0]).unwrap_or(path)
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CertificateInfo;

    #[test]
    fn both_ends_of_tls_have_names() {
        let end = |name: &str| CertificateInfo {
            subject: format!("{name} subject"),
            dns_san: format!("{name} dns"),
            uri_san: format!("{name} uri"),
            sha256_digest: format!("{name} digest"),
        };
        let info =
            TlsInfo { version: "TLSv1.3".to_owned(), local: end("local"), peer: end("peer"), ..TlsInfo::default() };
        let expected: [(&[u8], &str); 8] = [
            (b"tls_version", "TLSv1.3"),
            (b"subject_local_certificate", "local subject"),
            (b"subject_peer_certificate", "peer subject"),
            (b"dns_san_local_certificate", "local dns"),
            (b"dns_san_peer_certificate", "peer dns"),
            (b"uri_san_local_certificate", "local uri"),
            (b"uri_san_peer_certificate", "peer uri"),
            (b"sha256_peer_certificate_digest", "peer digest"),
        ];
        for (name, value) in expected {
            assert_eq!(tls(&info, name), Some(text(value)));
            assert_eq!(tls(&TlsInfo::default(), name), None, "an unknown property exists");
        }
        assert_eq!(tls(&info, b"sha256_local_certificate_digest"), None);
    }
}
