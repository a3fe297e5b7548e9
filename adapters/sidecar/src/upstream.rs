//! Connections of a worker to upstreams. Knows no plugins.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::future::Future;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::config::{self, Protocol};
use crate::pipe::PipeBody;

/// Bytes of headers that an upstream may send.
const MAX_HEADER_BYTES: u32 = 1 << 20;
/// Bytes of a body that an upstream may send before they are taken.
const WINDOW_BYTES: u32 = 1 << 20;
/// Connections without a request that are kept for an upstream with HTTP/1.1.
const MAX_IDLE_CONNECTIONS: usize = 64;

type Failure = Box<dyn Error + Send + Sync>;

/// Runs futures of hyper on the worker's thread.
#[derive(Clone, Copy)]
pub(crate) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local
where
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// The upstreams by name.
pub(crate) struct Upstreams(HashMap<String, Rc<Upstream>>);

/// An upstream with its connections.
pub(crate) struct Upstream {
    config: config::Upstream,
    frame_bytes: u32,
    http2: RefCell<Option<http2::SendRequest<PipeBody>>>,
    idle: RefCell<Vec<http1::SendRequest<PipeBody>>>,
}

impl Upstreams {
    /// Not connected yet.
    pub(crate) fn new(configs: &BTreeMap<String, config::Upstream>, frame_bytes: u32) -> Upstreams {
        let upstream = |config: &config::Upstream| {
            let config = config.clone();
            Rc::new(Upstream { config, frame_bytes, http2: RefCell::default(), idle: RefCell::default() })
        };
        Upstreams(configs.iter().map(|(name, config)| (name.clone(), upstream(config))).collect())
    }

    /// The upstream of a name.
    pub(crate) fn get(&self, name: &str) -> Option<Rc<Upstream>> {
        self.0.get(name).cloned()
    }
}

impl Upstream {
    /// Whether it speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.config.protocol == Protocol::Http2
    }

    /// Sends a request, and waits for the headers of the response.
    ///
    /// # Errors
    ///
    /// There is no connection, or it failed before there was a response.
    pub(crate) async fn send(self: &Rc<Self>, request: Request<PipeBody>) -> Result<Response<Incoming>, Failure> {
        if self.is_http2() {
            let mut sender = self.connect_http2().await?;
            return Ok(sender.send_request(request).await?);
        }
        let mut sender = self.connect_http1().await?;
        let response = sender.send_request(request).await?;
        let upstream = self.clone();
        spawn_local(async move {
            // It is ready again when the response was read.
            if sender.ready().await.is_ok() && upstream.idle.borrow().len() < MAX_IDLE_CONNECTIONS {
                upstream.idle.borrow_mut().push(sender);
            }
        });
        Ok(response)
    }

    async fn connect_http1(&self) -> Result<http1::SendRequest<PipeBody>, Failure> {
        while let Some(sender) = self.take_idle() {
            if sender.is_ready() {
                return Ok(sender);
            }
        }
        let io = TokioIo::new(self.connect().await?);
        let (sender, connection) = http1::Builder::new().handshake(io).await?;
        // Why it ended is seen by who has sent a request.
        spawn_local(async move { connection.await.unwrap_or_default() });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<http1::SendRequest<PipeBody>> {
        self.idle.borrow_mut().pop()
    }

    async fn connect_http2(&self) -> Result<http2::SendRequest<PipeBody>, Failure> {
        if let Some(sender) = self.http2.borrow().as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let io = TokioIo::new(self.connect().await?);
        let mut builder = http2::Builder::new(Local);
        builder.max_header_list_size(MAX_HEADER_BYTES).max_frame_size(self.frame_bytes);
        builder.initial_stream_window_size(WINDOW_BYTES.max(self.frame_bytes));
        builder.initial_connection_window_size(WINDOW_BYTES.max(self.frame_bytes) * 16);
        let (mut sender, connection) = builder.handshake(io).await?;
        spawn_local(async move { connection.await.unwrap_or_default() });
        sender.ready().await?;
        *self.http2.borrow_mut() = Some(sender.clone());
        Ok(sender)
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let stream = TcpStream::connect(self.config.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
