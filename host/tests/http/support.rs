//! A plugin that makes given calls, and a proxy with a stream through it.

use std::fmt::Write as _;

use pw_abi::MapType;
use pw_host::{
    Effect, Engine, Fields, Metering, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig, StreamId, StreamInfo,
};

pub(crate) const REQUEST: MapType = MapType::HTTP_REQUEST_HEADERS;
pub(crate) const RESPONSE: MapType = MapType::HTTP_RESPONSE_HEADERS;
pub(crate) const TRAILERS: MapType = MapType::HTTP_REQUEST_TRAILERS;

pub(crate) const IMPORTS: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set (param i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response" (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call"
        (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_grpc_stream" (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 100)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 32768))
    (func $say (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4))))
"#;

/// The text of a plugin: what its callbacks do, each call followed by a log line with its status.
#[derive(Default)]
pub(crate) struct Text {
    pub(crate) functions: String,
    pub(crate) data: String,
    pub(crate) size: usize,
}

impl Text {
    /// The address and the size of bytes in the plugin's memory.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> String {
        let address = 65536 + self.size;
        self.size += bytes.len();
        let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        write!(self.data, "(data (i32.const {address}) \"{text}\")").expect("writing to a String does not fail");
        format!("(i32.const {address}) (i32.const {})", bytes.len())
    }

    pub(crate) fn pairs(&mut self, pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.bytes(&pw_abi::pairs::encode(pairs))
    }

    /// A callback of HTTP streams with three parameters that makes calls and continues.
    pub(crate) fn callback(&mut self, name: &str, calls: &[Call<'_>]) {
        let calls: String = calls.iter().map(|call| format!("(call $say {})", call.text(self))).collect();
        let params = if name.ends_with("trailers") { "i32 i32" } else { "i32 i32 i32" };
        write!(self.functions, "(func (export \"{name}\") (param {params}) (result i32) {calls} (i32.const 0))")
            .expect("writing to a String does not fail");
    }

    pub(crate) fn wat(&self) -> String {
        format!("(module {IMPORTS} {} {})", self.functions, self.data)
    }
}

pub(crate) enum Call<'a> {
    Add(MapType, &'a str, &'a str),
    Replace(MapType, &'a str, &'a str),
    Remove(MapType, &'a str),
    Set(MapType, &'a [(&'a str, &'a str)]),
    Respond(u32, &'a [(&'a str, &'a str)], &'a str),
    Http(&'a [(&'a str, &'a str)], &'a str),
    Grpc(&'a str, &'a str, &'a [(&'a str, &'a str)]),
}

impl Call<'_> {
    pub(crate) fn text(&self, text: &mut Text) -> String {
        match self {
            Call::Add(map, name, value) | Call::Replace(map, name, value) => {
                let function = if matches!(self, Call::Add(..)) { "add" } else { "replace" };
                let (name, value) = (text.bytes(name.as_bytes()), text.bytes(value.as_bytes()));
                format!("(call ${function} (i32.const {}) {name} {value})", map.0)
            }
            Call::Remove(map, name) => {
                format!("(call $remove (i32.const {}) {})", map.0, text.bytes(name.as_bytes()))
            }
            Call::Set(map, pairs) => format!("(call $set (i32.const {}) {})", map.0, text.pairs(pairs)),
            Call::Respond(status, headers, body) => {
                let (headers, body) = (text.pairs(headers), text.bytes(body.as_bytes()));
                let details = "(i32.const 0) (i32.const 0)";
                format!("(call $respond (i32.const {status}) {details} {body} {headers} (i32.const -1))")
            }
            Call::Http(headers, body) => {
                let (name, headers, body) = (text.bytes(b"upstream"), text.pairs(headers), text.bytes(body.as_bytes()));
                let rest = "(i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 8)";
                format!("(call $http_call {name} {headers} {body} {rest})")
            }
            Call::Grpc(service, method, metadata) => {
                let (name, service) = (text.bytes(b"upstream"), text.bytes(service.as_bytes()));
                let (method, metadata) = (text.bytes(method.as_bytes()), text.pairs(metadata));
                format!("(call $grpc {name} {service} {method} {metadata} (i32.const 8))")
            }
        }
    }
}

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) stream: StreamId,
}

impl World {
    pub(crate) fn of(wat: &str) -> World {
        let engine = Engine::new(Metering::None).unwrap_or_else(|error| panic!("{error}"));
        let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
        let module = Module::new(&engine, &wasm).unwrap_or_else(|error| panic!("{error}"));
        let mut proxy = Proxy::new(ProxyConfig { upstreams: None, ..ProxyConfig::default() });
        let plugin = proxy.add_plugin(&module, PluginConfig::default()).unwrap_or_else(|error| panic!("{error}"));
        World::with(proxy, &[plugin])
    }

    /// A stream without plugins.
    pub(crate) fn plain() -> World {
        World::with(Proxy::new(ProxyConfig::default()), &[])
    }

    pub(crate) fn with(mut proxy: Proxy, plugins: &[PluginId]) -> World {
        let stream = proxy.open_stream(plugins, StreamInfo::default());
        World { proxy, stream }
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.proxy.next_effect()).collect()
    }

    /// The effects of a piece of the request.
    pub(crate) fn request(&mut self, piece: Piece) -> Vec<Effect> {
        self.proxy.request(self.stream, piece);
        self.effects()
    }

    /// The effects of a piece of the response.
    pub(crate) fn response(&mut self, piece: Piece) -> Vec<Effect> {
        self.proxy.response(self.stream, piece);
        self.effects()
    }

    pub(crate) fn up(&self, piece: Piece) -> Effect {
        Effect::Upstream { stream: self.stream, piece }
    }

    pub(crate) fn down(&self, piece: Piece) -> Effect {
        Effect::Downstream { stream: self.stream, piece }
    }

    /// The host's response, with which the stream ends.
    pub(crate) fn failed(&self, status: &str) -> Vec<Effect> {
        let headers = Piece::headers(Fields::from([(":status", status)]), true);
        vec![self.down(headers), Effect::StreamEnded { stream: self.stream }]
    }
}

pub(crate) const GET: [(&str, &str); 3] = [(":method", "GET"), (":path", "/"), (":authority", "example.test")];

pub(crate) fn get(end_of_stream: bool) -> Piece {
    Piece::headers(Fields::from(GET), end_of_stream)
}

/// A request with more fields.
pub(crate) fn request(more: &[(&str, &str)]) -> Fields {
    GET.iter().chain(more).copied().collect()
}

pub(crate) fn status(status: &str, end_of_stream: bool) -> Piece {
    Piece::headers(Fields::from([(":status", status)]), end_of_stream)
}

/// The statuses that calls returned, and the other effects.
pub(crate) fn said(effects: Vec<Effect>) -> (Vec<u32>, Vec<Effect>) {
    let mut statuses = Vec::new();
    let rest = effects.into_iter().filter(|effect| match effect {
        Effect::Log { message, .. } => {
            statuses.extend(message.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)));
            false
        }
        _ => true,
    });
    let rest = rest.collect();
    (statuses, rest)
}

/// A plugin that makes calls when the request's headers come.
pub(crate) fn at_request(calls: &[Call<'_>]) -> World {
    let mut text = Text::default();
    text.callback("proxy_on_request_headers", calls);
    World::of(&text.wat())
}
