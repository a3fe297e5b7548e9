//! A plugin that makes given calls in its callbacks, and a chain of such plugins.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use pw_host::{
    Effect, Engine, Fields, Metering, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig, StreamId, StreamInfo,
};

const IMPORTS: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response" (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $turn (param i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (memory (export "memory") 100)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 32768))
"#;

/// What a plugin does.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    /// Status code, headers, body, gRPC status.
    Respond(u32, &'a [(&'a str, &'a str)], &'a [u8], i32),
    /// Adds a response header.
    Add(&'a str, &'a str),
    /// Replaces the response's body.
    Body(&'a str),
    /// Logs a property, or `status N`.
    Get(&'a str),
    Set(&'a str, &'a str),
    /// Continues the response of the context.
    Continue(u32),
    Log(&'a str),
    Pause,
    Trap,
}

/// The text of a plugin: what it does in its callbacks.
pub(crate) fn text(callbacks: &[(&str, &[Act<'_>])]) -> String {
    let (mut data, mut functions) = (Data::default(), String::new());
    for (name, acts) in callbacks {
        let (params, results) = match *name {
            "proxy_on_configure" | "proxy_on_vm_start" => ("i32 i32", true),
            "proxy_on_log" | "proxy_on_delete" => ("i32", false),
            "proxy_on_done" => ("i32", true),
            "proxy_on_foreign_function" => ("i32 i32 i32", false),
            _ => ("i32 i32 i32", true),
        };
        let accepts = ["proxy_on_configure", "proxy_on_vm_start", "proxy_on_done"].contains(name);
        let value = u32::from(accepts || acts.iter().any(|act| matches!(act, Act::Pause)));
        let calls: String = acts.iter().map(|act| data.call(act)).collect();
        let (ty, value) = if results { ("(result i32)", format!("(i32.const {value})")) } else { ("", String::new()) };
        write!(functions, "(func (export \"{name}\") (param {params}) {ty} (local $status i32) {calls} {value})")
            .expect("writing to a String does not fail");
    }
    format!("(module {IMPORTS} {functions} {})", data.text)
}

/// Bytes in a plugin's memory.
#[derive(Default)]
struct Data {
    text: String,
    size: usize,
}

impl Data {
    fn bytes(&mut self, bytes: &[u8]) -> String {
        let address = 65536 + self.size;
        self.size += bytes.len();
        let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        write!(self.text, "(data (i32.const {address}) \"{text}\")").expect("writing to a String does not fail");
        format!("(i32.const {address}) (i32.const {})", bytes.len())
    }

    fn call(&mut self, act: &Act<'_>) -> String {
        match *act {
            Act::Respond(status, headers, body, grpc_status) => {
                let pairs = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                let (headers, body) = (self.bytes(&pw_abi::pairs::encode(pairs)), self.bytes(body));
                let details = "(i32.const 0) (i32.const 0)";
                format!(
                    "(if (call $respond (i32.const {status}) {details} {body} {headers} (i32.const {grpc_status}))
                        (then unreachable))"
                )
            }
            Act::Add(name, value) => {
                let (name, value) = (self.bytes(name.as_bytes()), self.bytes(value.as_bytes()));
                format!("(if (call $add (i32.const 2) {name} {value}) (then unreachable))")
            }
            Act::Body(value) => {
                let value = self.bytes(value.as_bytes());
                format!("(if (call $set_buffer (i32.const 1) (i32.const 0) (i32.const -1) {value}) (then unreachable))")
            }
            Act::Get(path) => {
                let (path, missing) = (self.bytes(path.as_bytes()), self.bytes(b"status 0"));
                let last = 65536 + self.size - 1;
                format!(
                    "(local.set $status (call $get {path} (i32.const 0) (i32.const 4)))
                    (if (local.get $status)
                        (then
                            (i32.store8 (i32.const {last})
                                (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
                            (drop (call $log (i32.const 2) {missing})))
                        (else (drop (call $log (i32.const 2) (i32.load (i32.const 0)) (i32.load (i32.const 4))))))"
                )
            }
            Act::Set(path, value) => {
                let (path, value) = (self.bytes(path.as_bytes()), self.bytes(value.as_bytes()));
                format!("(drop (call $set {path} {value}))")
            }
            Act::Continue(context) => {
                format!("(drop (call $turn (i32.const {context}))) (drop (call $continue (i32.const 1)))")
            }
            Act::Log(line) => format!("(drop (call $log (i32.const 2) {}))", self.bytes(line.as_bytes())),
            Act::Pause => String::new(),
            Act::Trap => "unreachable".to_owned(),
        }
    }
}

/// A chain of plugins, and a stream through it.
pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) plugins: Vec<PluginId>,
    pub(crate) stream: StreamId,
}

impl World {
    #[track_caller]
    pub(crate) fn new(config: ProxyConfig, info: StreamInfo, plugins: &[(&str, PluginConfig)]) -> World {
        let engine = Engine::new(Metering::None).unwrap_or_else(|error| panic!("{error}"));
        let mut proxy = Proxy::new(config);
        let start = |(wat, config): &(&str, PluginConfig)| {
            let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
            let module = Module::new(&engine, &wasm).unwrap_or_else(|error| panic!("{error}"));
            proxy.add_plugin(&module, config.clone()).unwrap_or_else(|error| panic!("{error}"))
        };
        let plugins: Vec<PluginId> = plugins.iter().map(start).collect();
        let stream = proxy.open_stream(&plugins, info);
        World { proxy, plugins, stream }
    }

    /// A chain of plugins with the same configuration.
    #[track_caller]
    pub(crate) fn chain(config: ProxyConfig, plugins: &[String]) -> World {
        let plugins: Vec<_> = plugins.iter().map(|text| (&text[..], PluginConfig::default())).collect();
        World::new(config, StreamInfo::default(), &plugins)
    }

    /// The effects when the client sends a request's headers.
    pub(crate) fn request(&mut self, more: &[(&str, &str)], end_of_stream: bool) -> Vec<Effect> {
        let usual = [(":path", "/"), (":authority", "example.test")];
        let has_method = more.iter().any(|(name, _)| *name == ":method");
        let method = [(":method", "GET")].into_iter().filter(|_| !has_method);
        let headers: Fields = method.chain(usual).chain(more.iter().copied()).collect();
        self.proxy.request(self.stream, Piece::headers(headers, end_of_stream));
        self.effects()
    }

    /// All effects, also those of what an event has left.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        let mut effects: Vec<Effect> = std::iter::from_fn(|| self.proxy.next_effect()).collect();
        while self.proxy.next_due() == Some(Duration::ZERO) {
            self.proxy.advance(Duration::ZERO);
            effects.extend(std::iter::from_fn(|| self.proxy.next_effect()));
        }
        effects
    }
}

/// The lines that plugins have logged.
pub(crate) fn lines(effects: &[Effect]) -> Vec<String> {
    let line = |effect: &Effect| match effect {
        Effect::Log { message, .. } => Some(String::from_utf8_lossy(message).into_owned()),
        _ => None,
    };
    effects.iter().filter_map(line).collect()
}

/// What the client gets: `name: value` of all headers, the body, and whether that ends.
#[track_caller]
pub(crate) fn client(effects: &[Effect]) -> (Vec<String>, String, bool) {
    let (mut fields, mut body, mut end) = (Vec::new(), Vec::new(), false);
    for effect in effects {
        let Effect::Downstream { piece, .. } = effect else { continue };
        assert!(!end, "something comes after the end: {effects:?}");
        end = piece.ends();
        match piece {
            Piece::Headers { headers, .. } => {
                assert!(fields.is_empty(), "there are two responses: {effects:?}");
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                fields = headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect();
            }
            Piece::Body { body: bytes, .. } => body.extend_from_slice(bytes),
            Piece::Trailers { .. } => {}
        }
    }
    (fields, String::from_utf8_lossy(&body).into_owned(), end)
}

/// The number of effects of a kind.
pub(crate) fn count(effects: &[Effect], is: impl Fn(&Effect) -> bool) -> usize {
    effects.iter().filter(|effect| is(effect)).count()
}

pub(crate) fn resets_upstream(effects: &[Effect]) -> usize {
    count(effects, |effect| matches!(effect, Effect::ResetUpstream { .. }))
}

pub(crate) fn ends(effects: &[Effect]) -> usize {
    count(effects, |effect| matches!(effect, Effect::StreamEnded { .. }))
}

pub(crate) fn body(text: &'static str, end_of_stream: bool) -> Piece {
    Piece::body(Bytes::from_static(text.as_bytes()), end_of_stream)
}
