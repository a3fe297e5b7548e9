//! What plugins and embedders should not do: the host's behaviour stays defined, and nothing else is affected.

use std::time::Duration;

use pw_host::{
    Effect, Engine, Fields, HttpCallId, Limits, Metering, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig,
    StartError, StreamId, StreamInfo, Usage,
};

/// What the plugins here have in common: `say` logs a number, `ask` makes an HTTP call, `queue` is their queue.
const COMMON: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call"
        (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
    (import "env" "proxy_done" (func $done (result i32)))
    (import "env" "proxy_set_effective_context" (func $context (param i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_status" (func $buffer (param i32 i32 i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (import "env" "proxy_send_local_response"
        (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_grpc_cancel" (func $cancel (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "upstream")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 32768))
    (func $say (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4))))
    (func $ask
        (if (call $http_call (i32.const 16) (i32.const 8) (i32.const 64) (i32.const HEADERS)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 8))
            (then unreachable)))
    (func $queue (result i32)
        (if (call $register (i32.const 16) (i32.const 8) (i32.const 8)) (then unreachable))
        (i32.load (i32.const 8)))
"#;

fn module(metering: Metering, body: &str) -> Module {
    let headers: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"upstream")];
    let headers = pw_abi::pairs::encode(headers);
    let data: String = headers.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let common = COMMON.replace("HEADERS", &headers.len().to_string());
    let text = format!("(module {common} (data (i32.const 64) \"{data}\") {body})");
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let engine = Engine::new(metering).unwrap_or_else(|error| panic!("{error}"));
    Module::new(&engine, &wasm).unwrap_or_else(|error| panic!("{error}"))
}

fn proxy() -> Proxy {
    Proxy::new(ProxyConfig { upstreams: None, ..ProxyConfig::default() })
}

fn add(proxy: &mut Proxy, body: &str) -> Result<PluginId, StartError> {
    proxy.add_plugin(&module(Metering::None, body), PluginConfig::default())
}

#[track_caller]
fn added(proxy: &mut Proxy, body: &str) -> PluginId {
    add(proxy, body).unwrap_or_else(|error| panic!("{error}"))
}

fn effects(proxy: &mut Proxy) -> Vec<Effect> {
    std::iter::from_fn(|| proxy.next_effect()).collect()
}

/// The numbers that plugins have logged.
fn said(effects: &[Effect]) -> Vec<u32> {
    let number = |effect: &Effect| match effect {
        Effect::Log { message, .. } => message.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)),
        _ => None,
    };
    effects.iter().filter_map(number).collect()
}

/// The call that was made.
#[track_caller]
fn call(effects: &[Effect]) -> HttpCallId {
    let id = |effect: &Effect| if let Effect::HttpCall { call, .. } = effect { Some(*call) } else { None };
    effects.iter().find_map(id).expect("a call was made")
}

fn request() -> Piece {
    Piece::headers(Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]), true)
}

fn open(proxy: &mut Proxy, plugins: &[PluginId]) -> StreamId {
    proxy.open_stream(plugins, StreamInfo::default())
}

#[test]
fn drops_what_a_plugin_asked_for_before_its_start_failed() {
    let asks = "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
        (call $ask) (drop (call $tick (i32.const 1))) (i32.const 1))
        (func (export \"proxy_on_tick\") (param i32) (call $say (i32.const 7)))";
    for (configure, why) in [("(i32.const 0)", "returned false"), ("unreachable", "unreachable")] {
        let mut proxy = proxy();
        let configure = format!("(func (export \"proxy_on_configure\") (param i32 i32) (result i32) {configure})");
        let error = add(&mut proxy, &format!("{asks} {configure}")).expect_err("it is not started");
        assert!(error.to_string().contains(why), "{error}");
        let seen = effects(&mut proxy);
        let call = call(&seen);
        assert_eq!(seen[1..], [Effect::CancelHttpCall { call }], "only the call is cancelled");
        proxy.http_call_response(call, Fields::new(), "", Fields::new());
        proxy.advance(Duration::from_millis(5));
        assert_eq!(effects(&mut proxy), []);
    }
}

/// Makes a call when it starts; delays its end in `proxy_on_done`, and calls `proxy_done` in its foreign function.
const LINGERS: &str = "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (call $ask) (i32.const 1))
    (func (export \"proxy_on_done\") (param i32) (result i32) (call $say (local.get 0)) (i32.const 0))
    (func (export \"proxy_on_foreign_function\") (param i32 i32 i32) (drop (call $done)))";

#[test]
fn a_plugin_that_delays_its_end_leaves_nothing() {
    let mut proxy = proxy();
    let plugin = added(&mut proxy, LINGERS);
    let call = call(&effects(&mut proxy));
    let stream = open(&mut proxy, &[plugin]);
    proxy.downstream_reset(stream);
    proxy.remove_plugin(plugin);
    assert_eq!(said(&effects(&mut proxy)), [2, 1]);
    proxy.foreign_function(plugin, 0, "");
    assert_eq!(effects(&mut proxy), [Effect::CancelHttpCall { call }, Effect::StreamEnded { stream }]);
}

#[test]
fn calls_proxy_on_done_once() {
    let mut proxy = proxy();
    let plugin = added(&mut proxy, LINGERS);
    effects(&mut proxy);
    proxy.remove_plugin(plugin);
    proxy.remove_plugin(plugin);
    assert_eq!(said(&effects(&mut proxy)), [1]);
}

#[test]
fn the_response_to_a_call_is_only_for_its_plugin() {
    let mut proxy = proxy();
    let asks = added(
        &mut proxy,
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (call $ask) (i32.const 1))
        (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32) unreachable)
        (func (export \"proxy_on_foreign_function\") (param i32 i32 i32) unreachable)",
    );
    let call = call(&effects(&mut proxy));
    let other = added(
        &mut proxy,
        "(func (export \"proxy_on_log\") (param i32)
            (call $say (call $buffer (i32.const 4) (i32.const 8) (i32.const 8))))",
    );
    open(&mut proxy, &[asks, other]);
    proxy.http_call_response(call, Fields::new(), "secret", Fields::new());
    assert_eq!(said(&effects(&mut proxy)), [pw_abi::Status::NOT_FOUND.0], "the response's body is readable");
}

#[test]
fn plugins_that_notify_each_other_endlessly_do_not_block_the_proxy() {
    let mut proxy = proxy();
    let plugin = added(
        &mut proxy,
        "(global $queue (mut i32) (i32.const 0))
        (func $put (drop (call $enqueue (global.get $queue) (i32.const 16) (i32.const 1))))
        (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
            (global.set $queue (call $queue)) (i32.const 1))
        (func (export \"proxy_on_queue_ready\") (param i32 i32) (call $say (i32.const 1)) (call $put))
        (func (export \"proxy_on_foreign_function\") (param i32 i32 i32) (call $put))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
            (drop (call $close (i32.const 0))) (i32.const 0))",
    );
    proxy.foreign_function(plugin, 0, "");
    // One of its callbacks is the foreign function's.
    let share = Limits::default().callbacks_per_event;
    assert_eq!(said(&effects(&mut proxy)).len(), share - 1);
    assert_eq!(proxy.next_due(), Some(Duration::ZERO), "the rest is not left for later");
    let stream = open(&mut proxy, &[plugin]);
    proxy.request(stream, request());
    let seen = effects(&mut proxy);
    assert!(seen.contains(&Effect::StreamEnded { stream }), "the stream has not ended meanwhile");
    assert_eq!(said(&seen).len(), 0);
    proxy.advance(Duration::ZERO);
    assert_eq!(said(&effects(&mut proxy)).len(), share, "not one share per event");
}

#[test]
fn time_ends_without_a_panic() {
    let mut proxy = Proxy::new(ProxyConfig { start_time: u64::MAX - 1, upstreams: None, ..ProxyConfig::default() });
    let plugin = added(
        &mut proxy,
        "(func (export \"proxy_on_foreign_function\") (param i32 i32 i32) (call $ask) (drop (call $tick (i32.const 1))))
        (func (export \"proxy_on_tick\") (param i32) (call $say (i32.const 1)))",
    );
    proxy.advance(Duration::MAX);
    proxy.foreign_function(plugin, 0, "");
    assert_eq!(effects(&mut proxy).len(), 1, "the call is made");
    proxy.advance(Duration::MAX);
    assert_eq!(effects(&mut proxy), [], "a tick or a timeout after the end of time");
}

#[test]
fn drops_pieces_out_of_order() {
    let mut proxy = proxy();
    let stream = open(&mut proxy, &[]);
    proxy.request(stream, Piece::body("early", true));
    proxy.request(stream, Piece::trailers(Fields::new()));
    assert_eq!(effects(&mut proxy), []);
    proxy.request(stream, request());
    assert_eq!(effects(&mut proxy).len(), 1);
    proxy.request(stream, Piece::body("late", false));
    proxy.request(stream, request());
    assert_eq!(effects(&mut proxy), []);
    let informational = Piece::headers(Fields::from([(":status", "103")]), false);
    proxy.response(stream, informational);
    proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
    assert_eq!(effects(&mut proxy).len(), 3, "both headers, and the end");
    proxy.request(stream, request());
    proxy.response(stream, Piece::body("late", true));
    proxy.downstream_reset(stream);
    proxy.upstream_reset(stream);
    assert_eq!(effects(&mut proxy), []);
}

#[test]
fn a_connection_opens_once_and_carries_bytes() {
    let mut proxy = proxy();
    let stream = proxy.open_connection(&[], StreamInfo::default());
    assert_eq!(effects(&mut proxy), [Effect::Connect { stream }]);
    proxy.request(stream, request());
    proxy.request(stream, Piece::trailers(Fields::new()));
    proxy.response(stream, Piece::trailers(Fields::new()));
    assert_eq!(effects(&mut proxy), []);
    proxy.upstream_data(stream, "bytes", true);
    proxy.upstream_data(stream, "late", true);
    assert_eq!(effects(&mut proxy), [Effect::Downstream { stream, piece: Piece::body("bytes", true) }]);
}

#[test]
fn a_response_before_the_request_was_sent_resets_no_upstream() {
    let mut proxy = proxy();
    let stream = open(&mut proxy, &[]);
    proxy.response(stream, Piece::headers(Fields::from([(":status", "400")]), true));
    let seen = effects(&mut proxy);
    assert!(matches!(seen.as_slice(), [Effect::Downstream { .. }, Effect::StreamEnded { .. }]), "{seen:?}");
}

#[test]
fn streams_through_removed_plugins_fail() {
    let mut proxy = proxy();
    let plugin = added(&mut proxy, "");
    proxy.remove_plugin(plugin);
    let stream = open(&mut proxy, &[plugin]);
    proxy.request(stream, request());
    let failed = Piece::headers(Fields::from([(":status", "503")]), true);
    let expected = [Effect::Downstream { stream, piece: failed }, Effect::StreamEnded { stream }];
    assert_eq!(effects(&mut proxy), expected);
    proxy.foreign_function(plugin, 0, "");
    proxy.remove_plugin(plugin);
    assert_eq!(effects(&mut proxy), []);
}

#[test]
fn nothing_moves_in_a_closed_stream() {
    let mut proxy = proxy();
    let plugin = added(
        &mut proxy,
        "(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32)
            (drop (call $close (i32.const 1))) (i32.const 0))",
    );
    let stream = open(&mut proxy, &[plugin]);
    proxy.request(stream, request());
    effects(&mut proxy);
    proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
    let expected =
        [Effect::ResetUpstream { stream }, Effect::ResetDownstream { stream }, Effect::StreamEnded { stream }];
    assert_eq!(effects(&mut proxy), expected);
}

#[test]
fn a_response_has_one_status_in_any_case() {
    let mut proxy = proxy();
    let pairs: [(&[u8], &[u8]); 1] = [(b":Status", b"200")];
    let pairs: String = pw_abi::pairs::encode(pairs).iter().map(|byte| format!("\\{byte:02x}")).collect();
    let size = pairs.len() / 3;
    let plugin = added(
        &mut proxy,
        &format!(
            "(data (i32.const 512) \"{pairs}\")
            (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
                (if (call $respond (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 512) (i32.const {size}) (i32.const -1)) (then unreachable))
                (i32.const 1))"
        ),
    );
    let stream = open(&mut proxy, &[plugin]);
    proxy.request(stream, request());
    let denied = Piece::headers(Fields::from([(":status", "403")]), true);
    assert_eq!(effects(&mut proxy)[0], Effect::Downstream { stream, piece: denied });
}

#[test]
fn a_line_is_at_most_as_large_as_the_memory() {
    let mut proxy = proxy();
    added(
        &mut proxy,
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
            (local $at i32)
            (loop $next
                (i32.store offset=1028 (local.get $at) (i32.const 65536))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 32000))))
            (drop (call $write (i32.const 1) (i32.const 1024) (i32.const 4000) (i32.const 40000)))
            (call $say (i32.load (i32.const 40000)))
            (i32.const 1))",
    );
    let seen = effects(&mut proxy);
    let Some(Effect::Log { message, .. }) = seen.first() else { panic!("it writes a line") };
    assert_eq!((message.len(), said(&seen).pop()), (65536, Some(65536)));
}

#[test]
fn tables_and_memories_are_bounded() {
    let mut proxy = proxy();
    added(
        &mut proxy,
        "(table $table 0 funcref)
        (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
            (call $say (table.grow $table (ref.null func) (i32.const 0x7fffffff))) (i32.const 1))",
    );
    assert_eq!(said(&effects(&mut proxy)), [u32::MAX], "the table has grown");
    for much in ["(table 0x7fffffff funcref)", "(memory 1)"] {
        let error = add(&mut proxy, much).expect_err(much);
        assert!(matches!(error, StartError::Trap(_)), "{error}");
    }
}

#[test]
fn a_function_with_the_sdks_type_is_restricted_in_an_allocator_too() {
    let text = r#"(module
        (import "env" "proxy_continue_request" (func $continue (result i32)))
        (import "env" "proxy_get_configuration" (func $configuration (param i32 i32) (result i32)))
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_1_0"))
        (func (export "malloc") (param i32) (result i32) (i32.store (i32.const 0) (call $continue)) (i32.const 1024))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $configuration (i32.const 8) (i32.const 12)))
            (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4)))
            (i32.const 1)))"#;
    let engine = Engine::new(Metering::None).unwrap_or_else(|error| panic!("{error}"));
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let module = Module::new(&engine, &wasm).unwrap_or_else(|error| panic!("{error}"));
    let mut proxy = proxy();
    let config = PluginConfig { configuration: b"x".to_vec(), ..PluginConfig::default() };
    proxy.add_plugin(&module, config).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said(&effects(&mut proxy)), [pw_abi::Status::INTERNAL_FAILURE.0]);
}

#[test]
fn usage_counts_what_is_held_and_released() {
    let mut proxy = proxy();
    let fills = "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
            (call $ask)
            (drop (call $enqueue (call $queue) (i32.const 16) (i32.const 8)))
            (i32.const 1))
        (func (export \"proxy_on_done\") (param i32) (result i32) (i32.const 0))
        (func (export \"proxy_on_foreign_function\") (param i32 i32 i32) unreachable)";
    let plugin = added(&mut proxy, fills);
    let stream = open(&mut proxy, &[plugin]);
    proxy.downstream_reset(stream);
    let holds =
        Usage { vms: 1, contexts: 2, streams: 1, calls: 1, queues: 1, queued: 8, effects: 1, ..Usage::default() };
    let usage = proxy.usage();
    assert!(proxy.charged(plugin) > Some(0) && proxy.charged(plugin) < Some(usage.charged), "the VM id is not charged");
    assert_eq!(Usage { charged: 0, ..usage }, holds);
    proxy.foreign_function(plugin, 0, "");
    effects(&mut proxy);
    assert_eq!(proxy.usage(), Usage::default(), "what the VM id shares stays after its last plugin");
    assert_eq!(proxy.charged(plugin), Some(0));
}

#[test]
fn what_a_fail_open_plugin_buffered_of_the_request_is_sent_before_the_response() {
    let mut proxy = proxy();
    let body = "(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 1))
        (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) unreachable)";
    let failure = pw_host::FailurePolicy { open: true, reload: None };
    let config = PluginConfig { failure, ..PluginConfig::default() };
    let plugin = proxy.add_plugin(&module(Metering::None, body), config).unwrap_or_else(|error| panic!("{error}"));
    let stream = open(&mut proxy, &[plugin]);
    let post = Fields::from([(":method", "POST"), (":path", "/"), (":authority", "a")]);
    proxy.request(stream, Piece::headers(post, false));
    proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
    effects(&mut proxy);
    proxy.request(stream, Piece::body("abc", true));
    let seen = effects(&mut proxy);
    let sent = Effect::Upstream { stream, piece: Piece::body("abc", true) };
    let ended = Effect::Downstream { stream, piece: Piece::headers(Fields::from([(":status", "200")]), true) };
    let places = [sent, ended].map(|effect| seen.iter().position(|seen| *seen == effect));
    assert!(places[0].is_some() && places[0] < places[1], "{seen:?}");
}

#[test]
fn calls_that_time_out_together_end_in_order() {
    let mut proxy = proxy();
    let plugin = added(
        &mut proxy,
        "(func (export \"proxy_on_foreign_function\") (param i32 i32 i32) (call $ask) (call $ask))
        (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32) (call $say (call $cancel (i32.const 2))))",
    );
    proxy.foreign_function(plugin, 0, "");
    proxy.advance(Duration::from_secs(1));
    // The second is in flight, though not a gRPC call, until its own callback.
    let (invalid, unknown) = (pw_abi::Status::BAD_ARGUMENT.0, pw_abi::Status::NOT_FOUND.0);
    assert_eq!(said(&effects(&mut proxy)), [invalid, unknown]);
}
