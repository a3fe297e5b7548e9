//! The plugins besides the attacker's: the victim, a plugin with its own streams and data that must not notice anything, and the
//! guard, a fail-closed plugin that refuses each request, so that none of its streams may ever reach the upstream.

use std::sync::LazyLock;

use pw_host::{FailurePolicy, Limits, Module, PluginConfig};

use super::guest::compiled;

/// Answers a request by 500 where its data is not as it was, where a foreign item is in its queue, or where the client has a
/// certificate.
const VICTIM: &str = r#"(module
    (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
    (import "env" "proxy_get_metric" (func $metric (param i32 i32) (result i32)))
    (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response"
        (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "k" "v" "m" "x-victim" "yes" "connection\00subject_peer_certificate")
    (global $requests (mut i32) (i32.const 0))
    (global $wrong (mut i32) (i32.const 0))
    (func $must (param $is i32) (param $expected i32)
        (if (i32.ne (local.get $is) (local.get $expected)) (then (global.set $wrong (i32.const 1)))))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (call $must (call $set (i32.const 16) (i32.const 1) (i32.const 17) (i32.const 1) (i32.const 0)) (i32.const 0))
        (call $must (call $register (i32.const 16) (i32.const 1) (i32.const 512)) (i32.const 0))
        (call $must (call $define (i32.const 0) (i32.const 18) (i32.const 1) (i32.const 516)) (i32.const 0))
        (i32.eqz (global.get $wrong)))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
        (call $must (call $get (i32.const 16) (i32.const 1) (i32.const 520) (i32.const 524) (i32.const 528)) (i32.const 0))
        (call $must (i32.load (i32.const 524)) (i32.const 1))
        (call $must (i32.load8_u (i32.load (i32.const 520))) (i32.const 118))
        (call $must (call $dequeue (i32.load (i32.const 512)) (i32.const 520) (i32.const 524)) (i32.const 7))
        (call $must (call $increment (i32.load (i32.const 516)) (i64.const 1)) (i32.const 0))
        (call $must (call $metric (i32.load (i32.const 516)) (i32.const 536)) (i32.const 0))
        (call $must (i32.load (i32.const 536)) (global.get $requests))
        (call $must (call $property (i32.const 30) (i32.const 35) (i32.const 520) (i32.const 524)) (i32.const 1))
        (call $must (call $add (i32.const 0) (i32.const 19) (i32.const 8) (i32.const 27) (i32.const 3)) (i32.const 0))
        (if (global.get $wrong) (then
            (drop (call $respond (i32.const 500) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0)))
            (return (i32.const 1))))
        (i32.const 0)))"#;

const GUARD: &str = r#"(module
    (import "env" "proxy_send_local_response"
        (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $respond (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0)))
        (i32.const 1)))"#;

/// The field that the victim adds to a request when nothing is wrong.
pub(crate) const MARK: (&[u8], &[u8]) = (b"x-victim", b"yes");

pub(crate) fn victim() -> Module {
    static MODULE: LazyLock<Module> = LazyLock::new(|| compiled(VICTIM));
    MODULE.clone()
}

pub(crate) fn guard() -> Module {
    static MODULE: LazyLock<Module> = LazyLock::new(|| compiled(GUARD));
    MODULE.clone()
}

/// How both are set up.
pub(crate) fn config(name: &str, log_only: bool) -> PluginConfig {
    PluginConfig {
        name: name.to_owned(),
        vm_id: name.to_owned(),
        failure: FailurePolicy::default(),
        limits: Limits { memory: 1 << 20, ..Limits::default() },
        log_only,
        ..PluginConfig::default()
    }
}
