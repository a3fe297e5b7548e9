//! Starts the program on free ports, between a client and an upstream that speak HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tempfile::TempDir;

/// How long the program may take to listen, and to end.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Adds `x-plugin: was here` to each request, and logs when it starts.
const HEADER: &str = r#"(module
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "x-plugin" "was here")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $log (i32.const 2) (i32.const 24) (i32.const 8))) (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $add (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 24) (i32.const 8))))"#;

/// Calls the upstream for each request, and lets the request go on when the response has come.
const CALLER: &str = r#"(module
    (import "env" "proxy_http_call"
        (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $set (param i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (memory (export "memory") 1)
    (global $stream (mut i32) (i32.const 0))
    (data (i32.const 16) "upstream")
    (data (i32.const 64) "\03\00\00\00"
        "\07\00\00\00\03\00\00\00\05\00\00\00\05\00\00\00\0a\00\00\00\01\00\00\00"
        ":method\00GET\00:path\00/call\00:authority\00a\00")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (global.set $stream (local.get 0))
        (if (i32.ne (i32.const 0) (call $call (i32.const 16) (i32.const 8) (i32.const 64) (i32.const 65)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 1020))) (then unreachable))
        (i32.const 1))
    (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
        (drop (call $set (global.get $stream)))
        (drop (call $continue (i32.const 0)))))"#;

/// A running sidecar, which is killed when this is dropped.
struct Sidecar {
    process: Child,
    listen: SocketAddr,
    admin: SocketAddr,
    _folder: TempDir,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free")
}

fn command(folder: &Path, plugin: Option<&str>, addresses: [SocketAddr; 3], protocol: &str, workers: usize) -> Command {
    let plugins = plugin.map_or_else(String::new, |wat| {
        std::fs::write(folder.join("p.wasm"), wat::parse_str(wat).expect("it is a module")).expect("it can be written");
        r#"{ "name": "p", "file": "p.wasm" }"#.to_owned()
    });
    let [listen, admin, upstream] = addresses;
    let config = format!(
        r#"{{ "listen": "{listen}", "admin": "{admin}", "workers": {workers}, "route": "upstream", "log": "json",
            "upstreams": {{ "upstream": {{ "address": "{upstream}", "protocol": "{protocol}" }} }}, "plugins": [{plugins}] }}"#
    );
    let file = folder.join("sidecar.json");
    std::fs::write(&file, config).expect("it can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecar"));
    command.arg(file).stderr(Stdio::piped());
    command
}

fn start(plugin: Option<&str>, upstream: SocketAddr, protocol: &str, workers: usize) -> Sidecar {
    let folder = TempDir::new().expect("it can be made");
    let (listen, admin) = (free(), free());
    let mut command = command(folder.path(), plugin, [listen, admin, upstream], protocol, workers);
    let process = command.spawn().expect("it can be started");
    let sidecar = Sidecar { process, listen, admin, _folder: folder };
    let deadline = Instant::now() + TIMEOUT;
    while TcpStream::connect(listen).is_err() {
        assert!(Instant::now() < deadline, "it does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    sidecar
}

/// An upstream that sends back what it got: the path and the plugin's field in the headers, and the body.
fn upstream() -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            sender.send(listener.local_addr().expect("it is bound")).expect("the test waits for it");
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let service = service_fn(echo);
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
    });
    address.recv().expect("it listens")
}

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    let path = request.uri().path().parse().expect("a path is a value");
    let plugin = request.headers().get("x-plugin").cloned();
    let mut response = Response::new(request.into_body());
    response.headers_mut().insert("x-path", path);
    plugin.into_iter().for_each(|value| drop(response.headers_mut().insert("x-plugin", value)));
    Ok(response)
}

/// Sends a request over HTTP/2, and returns the response with its body.
fn post(to: SocketAddr, body: Bytes) -> Response<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(to).await.expect("it listens");
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.expect("it speaks HTTP/2");
        tokio::spawn(connection);
        let request = Request::post(format!("http://{to}/here")).body(Full::new(body)).expect("it is a request");
        let (parts, body) = sender.send_request(request).await.expect("there is a response").into_parts();
        Response::from_parts(parts, body.collect().await.expect("it is whole").to_bytes())
    })
}

/// Sends a request over HTTP/1.1 on a connection of its own, and returns all that comes back.
fn get(to: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(to).expect("it listens");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("it answers");
    text
}

#[test]
fn passes_requests_through_a_plugin_whatever_each_side_speaks() {
    let upstream = upstream();
    for (protocol, workers) in [("http1", 1), ("http2", 3)] {
        let sidecar = start(Some(HEADER), upstream, protocol, workers);
        // More than windows and pipes hold.
        let body = Bytes::from(vec![b'x'; 8 << 20]);
        let response = post(sidecar.listen, body.clone());
        assert_eq!(
            (response.status(), &response.headers()["x-plugin"]),
            (hyper::StatusCode::OK, &"was here".parse().expect("it is a value"))
        );
        assert_eq!(response.headers()["x-path"], "/here");
        assert!(*response.body() == body, "{protocol}: the body came back changed");
        let text = get(sidecar.listen, "/there");
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("x-path: /there\r\n"), "{text}");
        assert!(text.contains("x-plugin: was here\r\n"), "{text}");
        assert!(get(sidecar.admin, "/metrics").ends_with("[]"));
    }
}

#[test]
fn plugins_call_upstreams() {
    let sidecar = start(Some(CALLER), upstream(), "http2", 1);
    for _ in 0..3 {
        let text = get(sidecar.listen, "/after");
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("x-path: /after\r\n"), "{text}");
    }
}

#[test]
fn an_upstream_that_is_not_there_is_503() {
    let sidecar = start(None, free(), "http1", 1);
    assert!(get(sidecar.listen, "/").starts_with("HTTP/1.1 503"));
}

#[test]
fn ends_when_it_is_told_to_and_logs_what_plugins_log() {
    let mut sidecar = start(Some(HEADER), upstream(), "http1", 2);
    let told = Command::new("kill").arg(sidecar.process.id().to_string()).status().expect("there is a kill");
    assert!(told.success());
    assert!(sidecar.process.wait().expect("it ends").success());
    let mut log = String::new();
    sidecar.process.stderr.take().expect("it is piped").read_to_string(&mut log).expect("it is UTF-8");
    assert_eq!(log, "{\"plugin\":\"p\",\"level\":\"INFO\",\"message\":\"was here\"}\n".repeat(2));
}

#[test]
fn a_plugin_that_is_refused_ends_it() {
    let folder = TempDir::new().expect("it can be made");
    let output = command(folder.path(), Some("(module)"), [free(), free(), free()], "http1", 1).output();
    let output = output.expect("it can be started");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && log.contains(r#"{"plugin":"p","refused":"#), "{log}");
}
