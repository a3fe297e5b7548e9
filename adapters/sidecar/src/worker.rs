//! The plugins of one thread: events go in, and what the plugins want goes into pipes, into the log, and into jobs.
//!
//! Knows no sockets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pw_abi::LogLevel;
use pw_host::{
    Effect, Fields, GrpcEvent, HttpCallId, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig, StreamId,
    StreamInfo,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

use crate::config::LogFormat;
use crate::log::{self, Line};
use crate::pipe::Pipe;

/// Something that needs a connection to an upstream.
pub(crate) enum Job {
    /// A request goes to the upstream; its body follows in `up`.
    Exchange {
        stream: StreamId,
        headers: Arc<Fields>,
        /// The client's port.
        client: u16,
        /// The request, without its headers.
        up: Rc<Pipe>,
        /// The response.
        down: Rc<Pipe>,
    },
    /// A plugin calls an upstream.
    Call {
        call: HttpCallId,
        upstream: String,
        headers: Arc<Fields>,
        body: Bytes,
        trailers: Arc<Fields>,
        /// The sender is dropped when the response is not needed any more.
        cancelled: oneshot::Receiver<()>,
    },
}

/// The plugins of a thread.
pub(crate) struct Worker {
    core: RefCell<Core>,
    /// Something is due earlier than before.
    earlier: Notify,
}

struct Core {
    proxy: Proxy,
    chain: Vec<PluginId>,
    names: HashMap<PluginId, String>,
    /// The plugin that is being started.
    starting: String,
    streams: HashMap<StreamId, Stream>,
    calls: HashMap<HttpCallId, oneshot::Sender<()>>,
    jobs: UnboundedSender<Job>,
    format: LogFormat,
    /// The proxy's time.
    now: Instant,
    due: Option<Instant>,
}

struct Stream {
    client: u16,
    down: Rc<Pipe>,
    /// Once the request goes to the upstream.
    up: Option<Rc<Pipe>>,
}

impl Worker {
    /// Without plugins. `upstreams` are those that plugins may call; what needs connections goes to `jobs`.
    pub(crate) fn new(upstreams: Vec<String>, verbose: bool, format: LogFormat, jobs: UnboundedSender<Job>) -> Worker {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let config = ProxyConfig {
            start_time: u64::try_from(time).unwrap_or(u64::MAX),
            // Each worker and each run has its own.
            seed: time as u64 ^ u64::from(std::process::id()),
            log_level: if verbose { LogLevel::TRACE } else { LogLevel::INFO },
            upstreams: Some(upstreams),
            ..ProxyConfig::default()
        };
        let core = Core {
            proxy: Proxy::new(config),
            chain: Vec::new(),
            names: HashMap::new(),
            starting: String::new(),
            streams: HashMap::new(),
            calls: HashMap::new(),
            jobs,
            format,
            now: Instant::now(),
            due: None,
        };
        Worker { core: RefCell::new(core), earlier: Notify::new() }
    }

    /// Starts a plugin, and puts it at the end of the chain if streams are to pass through it.
    ///
    /// # Errors
    ///
    /// Why it was not started.
    pub(crate) fn start(&self, module: &Module, config: PluginConfig, in_chain: bool) -> Result<(), String> {
        let name = config.name.clone();
        self.core.borrow_mut().starting.clone_from(&name);
        let started = self.with(|core| {
            let started = core.proxy.add_plugin(module, config).map_err(|error| error.to_string());
            if let Ok(id) = &started {
                core.chain.extend(in_chain.then_some(*id));
                core.names.insert(*id, name);
            }
            started
        });
        started.map(drop)
    }

    /// A client's request has come. Returns the stream and the pipe of the response.
    pub(crate) fn open(&self, client: u16, info: StreamInfo) -> (StreamId, Rc<Pipe>) {
        self.with(|core| {
            let stream = core.proxy.open_stream(&core.chain, info);
            let down = Rc::new(Pipe::default());
            core.streams.insert(stream, Stream { client, down: down.clone(), up: None });
            (stream, down)
        })
    }

    /// Passes an event to the proxy, then carries out the effects.
    pub(crate) fn event<T>(&self, act: impl FnOnce(&mut Proxy) -> T) -> T {
        self.with(|core| act(&mut core.proxy))
    }

    /// Waits until more of a request may be read: until the upstream has taken what was read before.
    pub(crate) async fn room(&self, stream: StreamId) {
        let up = self.core.borrow().streams.get(&stream).and_then(|stream| stream.up.clone());
        if let Some(up) = up {
            up.room().await;
        }
    }

    /// Keeps the proxy's time, without end: what is due happens.
    pub(crate) async fn keep_time(&self) {
        loop {
            let due = self.core.borrow().due;
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => self.event(|_| ()),
                    () = self.earlier.notified() => {}
                },
                None => self.earlier.notified().await,
            }
            // A plugin that always has more to do must not keep the thread.
            tokio::task::yield_now().await;
        }
    }

    /// Names and values of the metrics of plugins, in the order of their definition.
    pub(crate) fn metrics(&self) -> Vec<(String, u64)> {
        let core = &mut *self.core.borrow_mut();
        let metrics = core.proxy.metrics().into_iter();
        metrics.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value)).collect()
    }

    /// Ends all plugins.
    pub(crate) fn end(&self) {
        self.with(|core| core.names.keys().for_each(|plugin| core.proxy.remove_plugin(*plugin)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let core = &mut *self.core.borrow_mut();
        let now = Instant::now();
        core.proxy.advance(now - core.now);
        core.now = now;
        let result = act(core);
        while let Some(effect) = core.proxy.next_effect() {
            core.act(effect);
        }
        // A time that is too far away is never.
        let due = core.proxy.next_due().and_then(|due| now.checked_add(due));
        if due != core.due {
            core.due = due;
            self.earlier.notify_one();
        }
        result
    }
}

impl Core {
    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Log { plugin, level, message } => self.log(plugin, Line::Logged(level, &message)),
            Effect::Fault { plugin, reason } => self.log(plugin, Line::Crashed(&reason)),
            Effect::Restarted { plugin } => self.log(plugin, Line::Restarted),
            Effect::Upstream { stream, piece } => self.upstream(stream, piece),
            Effect::Downstream { stream, piece } => {
                if let Some(stream) = self.streams.get(&stream) {
                    stream.down.push(piece);
                }
            }
            Effect::ResetUpstream { stream } => {
                if let Some(up) = self.streams.get(&stream).and_then(|stream| stream.up.as_ref()) {
                    up.reset();
                }
            }
            Effect::ResetDownstream { stream } => {
                if let Some(stream) = self.streams.get(&stream) {
                    stream.down.reset();
                }
            }
            Effect::HttpCall { call, upstream, headers, body, trailers, .. } => {
                let (cancel, cancelled) = oneshot::channel();
                self.calls.insert(call, cancel);
                self.job(Job::Call { call, upstream, headers, body, trailers, cancelled });
            }
            Effect::CancelHttpCall { call } => drop(self.calls.remove(&call)),
            Effect::GrpcCall { call, .. } => {
                const UNIMPLEMENTED: u32 = 12;
                let message = "the sidecar has no gRPC".to_owned();
                self.proxy.grpc_event(call, GrpcEvent::Closed { status: UNIMPLEMENTED, message });
            }
            Effect::StreamEnded { stream } => drop(self.streams.remove(&stream)),
            // There is one route, and no TCP, canary or log-only plugin.
            _ => {}
        }
    }

    /// Adds a piece to a request. Its headers start the exchange with the upstream.
    fn upstream(&mut self, id: StreamId, piece: Piece) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Some(up) = &stream.up {
            return up.push(piece);
        }
        let Piece::Headers { headers, end_of_stream } = piece else { return };
        let up = Rc::new(Pipe::default());
        if end_of_stream {
            up.end();
        }
        stream.up = Some(up.clone());
        let (client, down) = (stream.client, stream.down.clone());
        self.job(Job::Exchange { stream: id, headers, client, up, down });
    }

    fn job(&self, job: Job) {
        // Once the worker ends, nobody takes jobs.
        let _ = self.jobs.send(job);
    }

    fn log(&self, plugin: PluginId, line: Line<'_>) {
        log::write(self.format, self.names.get(&plugin).unwrap_or(&self.starting), line);
    }
}

impl Worker {
    /// A call has ended, and this is its outcome.
    pub(crate) fn call_ended(&self, call: HttpCallId, response: Option<(Fields, Bytes, Fields)>) {
        self.with(|core| {
            core.calls.remove(&call);
            match response {
                Some((headers, body, trailers)) => core.proxy.http_call_response(call, headers, body, trailers),
                None => core.proxy.http_call_failed(call),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_request_becomes_a_job_and_its_response_goes_into_the_pipe() {
        let (jobs, mut taken) = unbounded_channel();
        let worker = Worker::new(Vec::new(), false, LogFormat::Text, jobs);
        let (stream, down) = worker.open(7, StreamInfo::default());
        let request = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "a.test")]);
        worker.event(|proxy| proxy.request(stream, Piece::headers(request, true)));
        let Ok(Job::Exchange { client: 7, up, .. }) = taken.try_recv() else { panic!("there is no job") };
        assert!(up.is_done(), "the request has no body");
        worker.event(|proxy| proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true)));
        assert!(!down.is_done(), "the response waits");
        assert!(worker.core.borrow().streams.is_empty());
    }
}
