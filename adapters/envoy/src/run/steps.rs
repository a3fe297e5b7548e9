//! What each step does to sockets.

use std::time::Duration;

use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Part};
use tokio::time::Instant;

use super::{PATIENCE, Stage};
use crate::http2::{CANCEL, Connection};
use crate::instance::Gone;
use crate::link::Peer;

/// The client's side of a stream.
pub(super) struct Client {
    pub(super) link: u64,
    pub(super) stream: u32,
    pub(super) port: u16,
    /// The response began.
    pub(super) begun: bool,
    /// Nothing more is reported: the response is complete, or the stream was cut off.
    pub(super) over: bool,
}

/// A connection for one stream after the other.
pub(super) struct Steady {
    link: u64,
    port: u16,
    /// How many streams it has had.
    streams: u32,
}

/// So many streams one connection has at the most, since Envoy and its libraries count what was given up on it.
const STREAMS: u32 = 200;

impl Stage {
    /// Does a step. Nothing is waited for but what it takes to do it.
    pub(super) async fn act(&mut self, step: &Step) -> Result<(), Gone> {
        if self.act_on_pipe(step).await? || self.act_on_grpc(step).await? {
            return Ok(());
        }
        match step {
            Step::RequestHeaders { stream, headers, end_of_stream } => {
                let Some((link, port)) = self.connection().await? else {
                    // Nobody listens: the plugins were removed.
                    self.window.push_part(Event::Client { stream: *stream, part: Part::Reset });
                    return Ok(());
                };
                self.attribution.stream();
                let opened = self.instance.write(link, |http2| {
                    let at = http2.open();
                    http2.send_fields(at, headers, *end_of_stream);
                    at
                });
                let at = opened.await?.unwrap_or_default();
                self.clients.insert(*stream, Client { link, stream: at, port, begun: false, over: false });
            }
            Step::RequestBody { stream, body, end_of_stream } => {
                self.request(*stream, |http2, at| http2.send_data(at, &body.0, *end_of_stream)).await?;
            }
            Step::RequestTrailers { stream, trailers } => {
                self.request(*stream, |http2, at| http2.send_fields(at, trailers, true)).await?;
            }
            Step::ResponseHeaders { stream, headers, end_of_stream } => {
                self.answer(*stream, *end_of_stream, |http2, at| http2.send_fields(at, headers, *end_of_stream))
                    .await?;
            }
            Step::ResponseBody { stream, body, end_of_stream } => {
                self.answer(*stream, *end_of_stream, |http2, at| http2.send_data(at, &body.0, *end_of_stream)).await?;
            }
            Step::ResponseTrailers { stream, trailers } => {
                self.answer(*stream, true, |http2, at| http2.send_fields(at, trailers, true)).await?;
            }
            Step::ClientReset { stream } => {
                self.request(*stream, |http2, at| http2.reset(at, CANCEL)).await?;
                self.clients.entry(*stream).and_modify(|client| client.over = true);
            }
            Step::UpstreamReset { stream } => {
                self.answer(*stream, true, |http2, at| http2.reset(at, CANCEL)).await?;
            }
            Step::CallResponse { call, headers, body, trailers } => {
                let (bare, plain) = (body.0.is_empty() && trailers.is_empty(), trailers.is_empty());
                self.answer_call(*call, |http2, at| {
                    http2.send_fields(at, headers, bare);
                    if !body.0.is_empty() {
                        http2.send_data(at, &body.0, plain);
                    }
                    if !plain {
                        http2.send_fields(at, trailers, true);
                    }
                })
                .await?;
            }
            Step::CallReset { call } => self.answer_call(*call, |http2, at| http2.reset(at, CANCEL)).await?,
            Step::Advance { milliseconds } => {
                self.pass(Instant::now() + Duration::from_millis(*milliseconds)).await?;
            }
            Step::ReadMetrics => self.read_metrics().await?,
            Step::Shutdown => {
                self.clients.values_mut().for_each(|client| client.over = true);
                self.cut_pipes().await?;
                self.instance.close(|peer| peer == Peer::Listener);
                self.settle().await?;
                self.remove().await?;
            }
            // Of a stream or call that is not there.
            Step::Connect { .. }
            | Step::ClientData { .. }
            | Step::UpstreamData { .. }
            | Step::GrpcInitialMetadata { .. }
            | Step::GrpcMessage { .. }
            | Step::GrpcClose { .. }
            | Step::GrpcReset { .. } => {}
            Step::Reconfigure { plugin, configuration } => self.reconfigure(plugin, configuration).await?,
            Step::Replace { plugin, by } => self.replace(plugin, by).await?,
            Step::Remove { plugin } => self.take_out(plugin).await?,
            Step::ForeignCall { .. } => return Err(Gone::Broken("Envoy cannot call foreign functions".into())),
            Step::Canary { .. } | Step::Promote { .. } | Step::RollBack { .. } => {
                return Err(Gone::Broken("Envoy has no canaries".into()));
            }
        }
        Ok(())
    }

    /// A connection for a new stream; none if nobody listens. It may have had streams before in a scenario that is kept, and in
    /// one that is a hazard, as what one stream leaves behind may meet the next one there.
    async fn connection(&mut self) -> Result<Option<(u64, u16)>, Gone> {
        if !self.run.keep && !self.run.hazard {
            return self.instance.connect(false).await;
        }
        if let Some(steady) = &mut self.steady
            && self.instance.has(steady.link)
        {
            let (link, port) = (steady.link, steady.port);
            let busy = self.clients.values().any(|client| client.link == link && !client.over);
            if !busy && steady.streams < STREAMS {
                steady.streams += 1;
                return Ok(Some((link, port)));
            }
            if !busy {
                self.instance.hang_up(link);
                self.instance.close(|peer| peer == Peer::Upstream(Some(port)));
            }
        }
        let connected = self.instance.connect(false).await?;
        self.steady = connected.map(|(link, port)| Steady { link, port, streams: 1 });
        Ok(connected)
    }

    /// Forgets the streams that are over, so that a scenario can go on for ever.
    pub(super) fn forget(&mut self) {
        self.clients.retain(|_, client| !client.over);
        let Self { upstreams, calls, incoming, grpc, .. } = self;
        incoming.retain(|place, _| {
            let open = upstreams.values().chain(calls.iter().flatten()).any(|known| known == place);
            open || grpc.iter().any(|call| call.is_at(*place))
        });
    }

    async fn read_metrics(&mut self) -> Result<(), Gone> {
        self.instance.ask_metrics().await?;
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(metrics) = self.metrics.take() {
                let events = metrics.into_iter().map(|(name, value)| Event::Metric { name, value });
                events.for_each(|event| self.window.push(event));
                return Ok(());
            }
            self.watch(patience).await?;
        }
    }

    async fn request(&mut self, stream: u32, act: impl FnOnce(&mut Connection, u32)) -> Result<(), Gone> {
        let client = self.clients.get(&stream).filter(|client| !client.over);
        self.send(client.map(|client| (client.link, client.stream)), act).await
    }

    async fn answer(&mut self, stream: u32, last: bool, act: impl FnOnce(&mut Connection, u32)) -> Result<(), Gone> {
        let to = if last { self.upstreams.remove(&stream) } else { self.upstreams.get(&stream).copied() };
        self.send(to, act).await
    }

    async fn answer_call(&mut self, call: u32, act: impl FnOnce(&mut Connection, u32)) -> Result<(), Gone> {
        let to = self.calls.get_mut(call as usize).and_then(Option::take);
        self.send(to, act).await
    }

    /// Does something to a stream of a connection. Where there is none, the step has no effect.
    async fn send(&mut self, to: Option<(u64, u32)>, act: impl FnOnce(&mut Connection, u32)) -> Result<(), Gone> {
        if let Some((link, stream)) = to {
            self.instance.write(link, |http2| act(http2, stream)).await?;
        }
        Ok(())
    }
}
