//! How many requests a second a worker serves with a plugin that adds a header, and without one.
//!
//! A second is one of the sidecar's CPU time, so that the load generator and other programs do not count. The load is bounded: some
//! connections of HTTP/1.1, each with one request after the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Connections of the load generator.
const CONNECTIONS: usize = 16;
/// Requests on each of them; the first ones are not measured.
const REQUESTS: usize = 10_000;
const WARM_UP_REQUESTS: usize = 100;
/// The kernel counts CPU time in these.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the plugin adds.
const FIELD: &[u8] = b"x-plugin: was here";
/// How the upstream answers a request that has it, and one that has not.
const WITH: &[u8] = b"HTTP/1.1 201 ";
const WITHOUT: &[u8] = b"HTTP/1.1 200 ";

const PLUGIN: &str = r#"(module
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "x-plugin" "was here")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $add (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 24) (i32.const 8))))"#;

fn main() {
    let upstream = serve();
    let folder = tempfile::tempdir().expect("it can be made");
    std::fs::write(folder.path().join("p.wasm"), wat::parse_str(PLUGIN).expect("it is a module"))
        .expect("it can be written");
    let rates = ["", r#"{ "name": "p", "file": "p.wasm" }"#].map(|plugins| measure(folder.path(), upstream, plugins));
    let [without, with] = rates;
    println!(
        "requests per second of one core: {without:.0} without plugins, {with:.0} with one: {:.0} %",
        100.0 * with / without
    );
}

/// Requests per second of CPU time.
fn measure(folder: &Path, upstream: SocketAddr, plugins: &str) -> f64 {
    let listen = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let config = format!(
        r#"{{ "listen": "{listen}", "route": "u", "upstreams": {{ "u": {{ "address": "{upstream}" }} }}, "plugins": [{plugins}] }}"#
    );
    let file = folder.join("sidecar.json");
    std::fs::write(&file, config).expect("it can be written");
    let mut sidecar = Command::new(env!("CARGO_BIN_EXE_sidecar")).arg(file).spawn().expect("it can be started");
    let start = Instant::now();
    while TcpStream::connect(listen).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    let answer = if plugins.is_empty() { WITHOUT } else { WITH };
    load(listen, WARM_UP_REQUESTS, answer);
    let before = cpu_seconds(&sidecar);
    load(listen, REQUESTS, answer);
    let spent = cpu_seconds(&sidecar) - before;
    sidecar.kill().and_then(|()| sidecar.wait()).expect("it runs");
    (CONNECTIONS * REQUESTS) as f64 / spent
}

/// Sends requests, each of which must be answered so.
fn load(to: SocketAddr, requests: usize, answer: &[u8]) {
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut socket = TcpStream::connect(to).expect("it listens");
                (0..requests).for_each(|_| {
                    socket.write_all(b"GET /a HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\n\r\n").expect("it reads");
                    assert!(message(&mut socket).starts_with(answer), "the plugin has done its work, or there is none");
                });
            });
        }
    });
}

/// User and system time of a process so far.
fn cpu_seconds(process: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs on Linux");
    let (_, fields) = stat.rsplit_once(')').expect("the name of the program is in brackets");
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// An upstream whose status says whether a plugin has added its field to the request.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            thread::spawn(move || {
                loop {
                    let request = message(&mut socket);
                    let with = request.windows(FIELD.len()).any(|part| part.eq_ignore_ascii_case(FIELD));
                    let head =
                        [if with { WITH } else { WITHOUT }, b"\r\ncontent-length: 0\r\nserver: test\r\n\r\n"].concat();
                    if request.is_empty() || socket.write_all(&head).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// The head of a message without a body; empty at the end.
fn message(socket: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(b"\r\n\r\n") {
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => return Vec::new(),
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
    bytes
}
