//! Steps of TCP streams.

use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Part};

use crate::instance::{HostError, Speaks};
use crate::stage::Stage;

impl Stage {
    /// Does a step of a TCP stream. Returns whether it is one.
    pub(super) async fn act_on_tcp(&mut self, step: &Step) -> Result<bool, HostError> {
        if let Step::Connect { stream } = step {
            match self.instance.connect(Speaks::Tcp).await? {
                Some((link, port)) => {
                    self.instance.driver().stream_opened();
                    self.traffic.pipes.open(*stream, link, port);
                }
                // The host does not listen: the plugins were removed.
                None => self.window.push_part(Event::Client { stream: *stream, part: Part::Reset }),
            }
            return Ok(true);
        }
        let Some(pipe) = step.stream().and_then(|stream| self.traffic.pipes.find(stream)) else { return Ok(false) };
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

    /// Resets all TCP streams; nothing of that is reported.
    pub(crate) async fn reset_pipes(&mut self) -> Result<(), HostError> {
        for link in self.traffic.pipes.take() {
            self.instance.reset(link).await?;
        }
        Ok(())
    }
}
