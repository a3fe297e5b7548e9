//! The host: a proxy on `hyper`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::{CLIENT_PORT, text};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// Runs the host with the configuration in a file.
pub(crate) fn run(file: &str) -> ExitCode {
    let file = std::fs::read(file).expect("the adapter has written it");
    let config: Value = serde_json::from_slice(&file).expect("it is JSON");
    if plugins(&config).any(|plugin| text(plugin, "configuration") == "exit") {
        eprintln!("the port is not free");
        return ExitCode::from(3);
    }
    for plugin in plugins(&config) {
        if text(plugin, "configuration") == "reject" {
            log("reject", plugin, "its configuration says so");
            return ExitCode::FAILURE;
        }
        log("log", plugin, "started");
    }
    if plugins(&config).any(|plugin| text(plugin, "configuration") == "hang") {
        std::thread::park();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    LocalSet::new().block_on(&runtime, serve(Rc::new(config)));
    ExitCode::SUCCESS
}

fn plugins(config: &Value) -> impl Iterator<Item = &Value> {
    config["plugins"].as_array().expect("the adapter has written it").iter()
}

fn log(kind: &str, plugin: &Value, message: &str) {
    eprintln!("{kind} {} {message}", text(plugin, "name"));
}

fn address(config: &Value, name: &str) -> SocketAddr {
    let port = config[name].as_u64().and_then(|port| port.try_into().ok()).expect("the adapter has written it");
    SocketAddr::from(([127, 0, 0, 1], port))
}

async fn serve(config: Rc<Value>) {
    let listen = |name| -> TcpListener {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_reuseport(true).expect("it is possible");
        socket.bind(address(&config, name)).expect("the port is reserved for this");
        socket.listen(16).expect("it is possible")
    };
    let (http, barrier) = (listen("http"), listen("barrier"));
    let accept_barriers = async {
        loop {
            let (stream, _) = barrier.accept().await.expect("it listens");
            spawn_local(serve_connection(stream, None));
        }
    };
    let accept_clients = async {
        loop {
            let (stream, client) = http.accept().await.expect("it listens");
            spawn_local(serve_connection(stream, Some((config.clone(), client.port()))));
        }
    };
    tokio::join!(accept_barriers, accept_clients);
}

async fn serve_connection(stream: TcpStream, client: Option<(Rc<Value>, u16)>) {
    let service = service_fn(move |request| {
        let client = client.clone();
        async move {
            match client {
                Some((config, port)) => forward(&config, port, request).await,
                None => Ok(Response::new(Empty::new().map_err(no_error).boxed())),
            }
        }
    });
    stream.set_nodelay(true).expect("it is possible");
    let builder = hyper::server::conn::http2::Builder::new(LocalExecutor);
    // A client that closes its connection is not an error.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Passes a request through the plugins, and on to the upstream.
async fn forward(config: &Value, client: u16, mut request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let path = request.uri().path().to_owned();
    plugins(config).for_each(|plugin| log("log", plugin, &format!("request {path}")));
    match path.as_str() {
        "/crash" => std::process::abort(),
        "/call" => {
            let call = Request::post("http://auth/check").body(Full::new(Bytes::from("who?")));
            let answer = send(address(config, "auth"), call.expect("it is valid")).await?;
            let answer = answer.into_body().collect().await?.to_bytes();
            plugins(config).for_each(|plugin| log("log", plugin, &format!("answer {}", answer.len())));
        }
        _ => {}
    }
    request.headers_mut().insert(CLIENT_PORT, client.into());
    let response = send(address(config, "upstream"), request).await?;
    let status = response.status();
    plugins(config).for_each(|plugin| log("log", plugin, &format!("response {status}")));
    Ok(response.map(BodyExt::boxed))
}

async fn send<B>(to: SocketAddr, request: Request<B>) -> Result<Response<Incoming>, hyper::Error>
where
    B: hyper::body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(to).await.expect("the adapter listens");
    stream.set_nodelay(true).expect("it is possible");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

fn no_error(never: Infallible) -> hyper::Error {
    match never {}
}

/// Runs what `hyper` needs beside a connection on this thread.
#[derive(Clone)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(async {
            future.await;
        });
    }
}
