//! TCP streams: the client's connection to Envoy, and Envoy's to the upstream.

use pw_cases::data::Data;
use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Part};

use super::Stage;
use crate::instance::Gone;

/// A stream.
pub(super) struct Pipe {
    /// The client's port, which Envoy tells the upstream.
    port: u16,
    /// The client's connection, until it is cut off.
    client: Option<u64>,
    /// The upstream's connection, once it is there and until it is cut off.
    upstream: Option<u64>,
}

impl Stage {
    /// Does a step of a TCP stream; whether it was one.
    pub(super) async fn act_on_pipe(&mut self, step: &Step) -> Result<bool, Gone> {
        if let Step::Connect { stream } = step {
            match self.instance.connect(true).await? {
                Some((link, port)) => {
                    self.attribution.stream();
                    self.pipes.insert(*stream, Pipe { port, client: Some(link), upstream: None });
                }
                // Nobody listens: the plugins were removed.
                None => self.window.push_part(Event::Client { stream: *stream, part: Part::Reset }),
            }
            return Ok(true);
        }
        let Some(pipe) = step.stream().and_then(|stream| self.pipes.get_mut(&stream)) else { return Ok(false) };
        match step {
            Step::ClientData { data, end_of_stream, .. } => {
                if let Some(link) = pipe.client {
                    self.instance.send(link, &data.0, *end_of_stream).await?;
                }
            }
            Step::UpstreamData { data, end_of_stream, .. } => {
                if let Some(link) = pipe.upstream {
                    self.instance.send(link, &data.0, *end_of_stream).await?;
                }
            }
            Step::ClientReset { .. } => {
                if let Some(link) = pipe.client.take() {
                    self.instance.reset(link).await?;
                }
            }
            Step::UpstreamReset { .. } => {
                if let Some(link) = pipe.upstream.take() {
                    self.instance.reset(link).await?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Cuts all streams off, unseen.
    pub(super) async fn cut_pipes(&mut self) -> Result<(), Gone> {
        for pipe in std::mem::take(&mut self.pipes).into_values() {
            for link in pipe.client.into_iter().chain(pipe.upstream) {
                self.instance.reset(link).await?;
            }
        }
        Ok(())
    }

    /// Envoy connected to the upstream on behalf of the client with this port.
    pub(super) fn see_connection(&mut self, link: u64, port: u16) {
        if let Some((stream, pipe)) = self.pipes.iter_mut().find(|(_, pipe)| pipe.port == port) {
            pipe.upstream = Some(link);
            self.window.push_part(Event::Upstream { stream: *stream, part: Part::Opened });
        }
    }

    /// Envoy sent bytes; with none, it sends no more.
    pub(super) fn see_bytes(&mut self, link: u64, bytes: Vec<u8>) {
        self.see_part(link, Part::Body { end_of_stream: bytes.is_empty(), body: Data(bytes) });
    }

    /// Envoy cut a connection off.
    pub(super) fn see_cut(&mut self, link: u64) {
        self.see_part(link, Part::Reset);
        for pipe in self.pipes.values_mut() {
            pipe.client.take_if(|client| *client == link);
            pipe.upstream.take_if(|upstream| *upstream == link);
        }
    }

    fn see_part(&mut self, link: u64, part: Part) {
        let event = self.pipes.iter().find_map(|(stream, pipe)| {
            let (stream, part) = (*stream, part.clone());
            if pipe.client == Some(link) {
                Some(Event::Client { stream, part })
            } else if pipe.upstream == Some(link) {
                Some(Event::Upstream { stream, part })
            } else {
                None
            }
        });
        event.into_iter().for_each(|event| self.window.push_part(event));
    }
}
