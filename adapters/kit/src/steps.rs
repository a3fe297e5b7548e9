//! What each step does to sockets.

mod changes;
mod grpc;
mod tcp;

use std::time::Duration;

use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Part};
use tokio::time::Instant;

use crate::http::Connection;
use crate::instance::{HostError, Speaks};
use crate::link::Peer;
use crate::stage::{PING_TIMEOUT, Reused, Stage};
use crate::traffic::Place;

/// The maximum number of streams on one connection: hosts count the streams that were reset on it.
const MAX_STREAMS_PER_CONNECTION: u32 = 200;

/// Steps. Each fails if the process has exited or hangs, or the adapter fails.
impl Stage {
    /// Does a step. It waits for nothing but what the step itself needs. A step for a stream or call that is over has no effect.
    ///
    /// # Errors
    ///
    /// As all steps.
    pub async fn act(&mut self, step: &Step) -> Result<(), HostError> {
        if self.act_on_tcp(step).await? || self.act_on_grpc(step).await? {
            return Ok(());
        }
        match step {
            Step::RequestHeaders { stream, headers, end_of_stream } => {
                let Some((link, port)) = self.connection().await? else {
                    // The host does not listen: the plugins were removed.
                    self.window.push_part(Event::Client { stream: *stream, part: Part::Reset });
                    return Ok(());
                };
                self.instance.driver().stream_opened();
                let opened = self.instance.write(link, |http| {
                    let at = http.open();
                    http.send_fields(at, headers, *end_of_stream);
                    at
                });
                let at = opened.await?.unwrap_or_default();
                self.traffic.open(*stream, (link, at), port);
            }
            Step::RequestBody { stream, body, end_of_stream } => {
                self.request(*stream, |http, at| http.send_data(at, &body.0, *end_of_stream)).await?;
            }
            Step::RequestTrailers { stream, trailers } => {
                self.request(*stream, |http, at| http.send_fields(at, trailers, true)).await?;
            }
            Step::ResponseHeaders { stream, headers, end_of_stream } => {
                self.respond(*stream, *end_of_stream, |http, at| http.send_fields(at, headers, *end_of_stream)).await?;
            }
            Step::ResponseBody { stream, body, end_of_stream } => {
                self.respond(*stream, *end_of_stream, |http, at| http.send_data(at, &body.0, *end_of_stream)).await?;
            }
            Step::ResponseTrailers { stream, trailers } => {
                self.respond(*stream, true, |http, at| http.send_fields(at, trailers, true)).await?;
            }
            Step::ClientReset { stream } => {
                self.request(*stream, |http, at| http.reset(at)).await?;
                self.traffic.end_client(*stream);
            }
            Step::UpstreamReset { stream } => {
                self.respond(*stream, true, |http, at| http.reset(at)).await?;
            }
            Step::CallResponse { call, headers, body, trailers } => {
                let (bare, plain) = (body.0.is_empty() && trailers.is_empty(), trailers.is_empty());
                self.answer_call(*call, |http, at| {
                    http.send_fields(at, headers, bare);
                    if !body.0.is_empty() {
                        http.send_data(at, &body.0, plain);
                    }
                    if !plain {
                        http.send_fields(at, trailers, true);
                    }
                })
                .await?;
            }
            Step::CallReset { call } => self.answer_call(*call, |http, at| http.reset(at)).await?,
            Step::Advance { milliseconds } => {
                self.watch_until(Instant::now() + Duration::from_millis(*milliseconds)).await?;
            }
            Step::ReadMetrics => self.read_metrics().await?,
            Step::Shutdown => {
                self.traffic.end_clients();
                self.reset_pipes().await?;
                self.instance.close(|peer| peer == Peer::Http);
                self.quiesce().await?;
                self.remove_plugins().await?;
            }
            // These streams and calls do not exist.
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
            Step::ForeignCall { .. } | Step::Canary { .. } | Step::Promote { .. } | Step::RollBack { .. } => {
                let context = format!("a host over sockets cannot do the step {}", step.name());
                return Err(HostError::Adapter(context));
            }
        }
        Ok(())
    }

    /// A connection for a new stream; `None` if the host does not listen. The connection may have had streams before in a
    /// scenario to which steps may be added, and in one that may crash the host: what one stream leaves may affect the next one there.
    async fn connection(&mut self) -> Result<Option<(u64, u16)>, HostError> {
        let speaks = if self.run.http1 { Speaks::Http1 } else { Speaks::Http2 };
        if !self.run.keep && !self.run.hazard {
            return self.instance.connect(speaks).await;
        }
        if let Some(Reused { link, port, streams }) = &mut self.reused
            && self.instance.has(*link)
        {
            let (link, port) = (*link, *port);
            let is_in_use = self.traffic.is_in_use(link);
            if !is_in_use && *streams < MAX_STREAMS_PER_CONNECTION {
                *streams += 1;
                return Ok(Some((link, port)));
            }
            if !is_in_use {
                self.instance.close_one(link);
                self.instance.close(|peer| peer == Peer::Upstream(Some(port)));
            }
        }
        let connected = self.instance.connect(speaks).await?;
        self.reused = connected.map(|(link, port)| Reused { link, port, streams: 1 });
        Ok(connected)
    }

    async fn read_metrics(&mut self) -> Result<(), HostError> {
        self.instance.ask_metrics().await?;
        let deadline = Instant::now() + PING_TIMEOUT;
        loop {
            if let Some(metrics) = self.metrics.take() {
                let events = metrics.into_iter().map(|(name, value)| Event::Metric { name, value });
                events.for_each(|event| self.window.push(event));
                return Ok(());
            }
            self.watch_next(deadline).await?;
        }
    }

    /// Removes the plugins and waits until their VMs are gone.
    async fn remove_plugins(&mut self) -> Result<(), HostError> {
        let given = self.instance.driver().remove_chain();
        let failed = || HostError::Adapter("this host cannot remove its plugins while it runs".into());
        self.await_verdict(given.ok_or_else(failed)?).await?;
        self.quiesce().await?;
        self.await_vm_teardown().await?;
        self.quiesce().await
    }

    async fn request(&mut self, stream: u32, act: impl FnOnce(&mut Connection, u32)) -> Result<(), HostError> {
        let place = self.traffic.request(stream);
        self.send(place, act).await
    }

    async fn respond(
        &mut self,
        stream: u32,
        last: bool,
        act: impl FnOnce(&mut Connection, u32),
    ) -> Result<(), HostError> {
        let place = self.traffic.response(stream, last);
        self.send(place, act).await
    }

    async fn answer_call(&mut self, call: u32, act: impl FnOnce(&mut Connection, u32)) -> Result<(), HostError> {
        let place = self.traffic.answer(call);
        self.send(place, act).await
    }

    /// Does something to a stream of a connection; nothing if there is none.
    async fn send(&mut self, to: Option<Place>, act: impl FnOnce(&mut Connection, u32)) -> Result<(), HostError> {
        if let Some((link, stream)) = to {
            self.instance.write(link, |http| act(http, stream)).await?;
        }
        Ok(())
    }
}
