//! HTTP and gRPC calls.

use super::check_rejected;
use crate::support::{ask, call, on, pairs, status};

#[test]
fn http_calls_with_large_bodies() {
    let each = format!("(drop {})", ask(100_000, 1000));
    check_rejected("http_call", 50, &each, &[]);
}

#[test]
fn http_calls_without_bodies() {
    let each = format!("(drop {})", ask(0, 1000));
    check_rejected("http_call", 20_000, &each, &[]);
}

/// The arguments of a gRPC stream without metadata.
fn stream() -> (String, String) {
    let (metadata, size) = pairs(0x400, &[]);
    (metadata, status("grpc_stream", &[16, 8, 16, 8, 16, 8, 0x400, size, 8]))
}

#[test]
fn grpc_streams_that_are_opened_and_cancelled() {
    let (metadata, open) = stream();
    let each = format!("(drop {open}) (drop (call $grpc_cancel (i32.load (i32.const 8))))");
    check_rejected("grpc_stream", 50_000, &each, &[metadata]);
}

#[test]
fn large_grpc_messages() {
    let (metadata, open) = stream();
    let opens = on("proxy_on_configure", &format!("(drop {open})"));
    check_rejected("grpc_send", 50, &call("grpc_send", &[1, 0, 100_000, 0]), &[metadata, opens]);
}

#[test]
fn empty_grpc_messages() {
    let (metadata, open) = stream();
    let opens = on("proxy_on_configure", &format!("(drop {open})"));
    check_rejected("grpc_send", 50_000, &call("grpc_send", &[1, 0, 0, 0]), &[metadata, opens]);
}

#[test]
fn grpc_calls_with_long_names_of_services() {
    let (metadata, size) = pairs(0x400, &[]);
    let call = call("grpc_call", &[16, 8, 0x10000, 100_000, 16, 8, 0x400, size, 0, 0, 0, 8]);
    // The name must be valid: letters, not NULs.
    let letters = on("proxy_on_configure", "(memory.fill (i32.const 0x10000) (i32.const 97) (i32.const 100000))");
    check_rejected("grpc_call", 50, &call, &[metadata, letters]);
}
