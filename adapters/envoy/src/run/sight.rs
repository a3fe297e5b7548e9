//! From what was seen of Envoy to the events of a window.

use pw_cases::data::{Data, Fields};
use pw_cases::transcript::{Event, Part};

use super::Stage;
use super::steps::Client;
use crate::attribution::{Finding, Found};
use crate::http2::Frame;
use crate::instance::Seen;
use crate::lds;
use crate::link::Peer;
use crate::log::{Level, Line};

/// A request that arrives at a server.
#[derive(Default)]
pub(super) struct Message {
    /// The client's stream that it belongs to; `None` for a call.
    stream: Option<u32>,
    begun: bool,
    headers: Fields,
    body: Vec<u8>,
    trailers: Fields,
}

impl Stage {
    /// Takes a thing that was seen.
    pub(super) fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Pong(_) | Seen::Polled => return,
            Seen::Line(line) => self.see_line(&line),
            Seen::Frame { link, peer: Peer::Listener, frame } => self.see_response(link, Some(frame)),
            Seen::Closed { link, peer: Peer::Listener } => self.see_response(link, None),
            Seen::Frame { link, peer, frame } => self.see_request(link, peer, frame),
            Seen::Opened { link, client } => self.see_connection(link, client),
            Seen::Bytes { link, bytes } => self.see_bytes(link, bytes),
            Seen::Ended { link } => self.see_bytes(link, Vec::new()),
            Seen::Closed { link, peer: Peer::TcpListener | Peer::TcpUpstream(_) } => self.see_cut(link),
            Seen::Closed { link, .. } => self.see_end(link),
            Seen::Metrics(metrics) => self.metrics = Some(metrics),
        }
        self.seen += 1;
    }

    fn see_line(&mut self, line: &Line) {
        if line.component == "config" && line.level >= Level::Warn {
            self.rejection = lds::rejection(&line.text()).or(self.rejection.take());
        }
        if line.component == "main" && line.level == Level::Critical {
            self.rejection = lds::refusal(&line.text()).or(self.rejection.take());
        }
        let Some(Found { vm, main, plugin, finding }) = self.attribution.read(line) else { return };
        let name = || self.run.plugins[plugin].settings.name.clone();
        // Of plugins on streams the worker's VMs are told of.
        let main = main && !(self.started && self.run.plugins[plugin].settings.background);
        match finding {
            Finding::Log(level, message) => {
                let event = Event::Log { plugin: name(), level: level.name().into(), message };
                if main { self.beginning.push((vm, plugin, event)) } else { self.window.push(event) }
            }
            Finding::Fault(reason) if main => {
                self.beginning.push((vm, plugin, Event::Fault { plugin: name(), reason: reason.clone() }));
                self.complaints.push(reason);
            }
            Finding::Fault(reason) => self.window.push(Event::Fault { plugin: name(), reason }),
            Finding::Born => self.vms += 1,
            Finding::Gone(left) => self.vms = left,
        }
    }

    /// Something came back to a client, or its connection ended.
    fn see_response(&mut self, link: u64, frame: Option<Frame>) {
        let at = frame.as_ref().and_then(Frame::stream);
        let is_its = |client: &Client| client.link == link && !client.over && at.is_none_or(|at| client.stream == at);
        let Some((stream, client)) = self.clients.iter_mut().find(|(_, client)| is_its(client)) else { return };
        let part = match frame {
            None | Some(Frame::Reset { .. }) => Part::Reset,
            Some(frame) => match part(frame, client.begun) {
                Some(part) => part,
                None => return,
            },
        };
        client.begun = true;
        client.over = is_last(&part);
        self.window.push_part(Event::Client { stream: *stream, part });
    }

    /// Something came to the upstream or to a server of calls.
    fn see_request(&mut self, link: u64, peer: Peer, frame: Frame) {
        let Some(at) = frame.stream() else { return };
        if !self.incoming.contains_key(&(link, at)) {
            if !matches!(frame, Frame::Headers { .. }) {
                // Of a stream that is forgotten.
                return;
            }
            let port = if let Peer::Upstream(port) = peer { port } else { None };
            let latest = self.clients.iter().rev().find(|(_, client)| Some(client.port) == port);
            let client = latest.map(|(stream, _)| *stream);
            if client.is_none() && !self.background && !self.instance.is_worker(link) {
                return;
            }
            self.incoming.insert((link, at), Message { stream: client, ..Message::default() });
            if let Some(stream) = client {
                self.upstreams.insert(stream, (link, at));
            }
        }
        if matches!(frame, Frame::Reset { .. }) {
            return self.see_reset((link, at));
        }
        let of_call = self.incoming.get(&(link, at)).is_some_and(|message| message.stream.is_none());
        let frame = if of_call { self.see_grpc((link, at), peer, frame) } else { Some(frame) };
        let Some(frame) = frame else { return };
        let Some(message) = self.incoming.get_mut(&(link, at)) else { return };
        let Some(part) = part(frame, message.begun) else { return };
        message.begun = true;
        let last = is_last(&part);
        match message.stream {
            Some(stream) => self.window.push_part(Event::Upstream { stream, part }),
            None => message.add(part),
        }
        if last && message.stream.is_none() {
            let Message { headers, body, trailers, .. } = std::mem::take(message);
            let upstream = peer.upstream().unwrap_or_default().to_owned();
            let call = self.calls.len() as u32;
            self.calls.push(Some((link, at)));
            self.window.push(Event::HttpCall { call, upstream, headers, body: Data(body), trailers });
        }
    }

    /// Envoy gave a stream to one of our servers up.
    fn see_reset(&mut self, place: (u64, u32)) {
        self.see_grpc_reset(place);
        self.calls.iter_mut().filter(|call| **call == Some(place)).for_each(|call| *call = None);
        let cut: Vec<u32> = self.upstreams.iter().filter(|(_, at)| **at == place).map(|(stream, _)| *stream).collect();
        for stream in cut {
            self.upstreams.remove(&stream);
            self.window.push_part(Event::Upstream { stream, part: Part::Reset });
        }
    }

    /// Envoy closed a connection to one of our servers.
    fn see_end(&mut self, link: u64) {
        let places: Vec<_> = self.incoming.keys().filter(|(of, _)| *of == link).copied().collect();
        places.into_iter().for_each(|place| self.see_reset(place));
    }
}

impl Message {
    fn add(&mut self, part: Part) {
        match part {
            Part::Headers { headers, .. } => self.headers = headers,
            Part::Body { body, .. } => self.body.extend(body.0),
            Part::Trailers { trailers } => self.trailers = trailers,
            Part::Opened | Part::Reset => {}
        }
    }
}

/// What a frame is: fields are trailers if they come after the headers, which have pseudo headers.
fn part(frame: Frame, begun: bool) -> Option<Part> {
    Some(match frame {
        Frame::Headers { fields, end_of_stream, .. } => {
            let pseudo = fields.iter().any(|(name, _)| name.0.starts_with(b":"));
            if begun && !pseudo {
                Part::Trailers { trailers: fields }
            } else {
                Part::Headers { headers: fields, end_of_stream }
            }
        }
        Frame::Data { bytes, end_of_stream, .. } => Part::Body { body: Data(bytes), end_of_stream },
        Frame::Reset { .. } => Part::Reset,
        Frame::Pong(_) => return None,
    })
}

fn is_last(part: &Part) -> bool {
    match part {
        Part::Headers { end_of_stream, .. } | Part::Body { end_of_stream, .. } => *end_of_stream,
        Part::Trailers { .. } | Part::Reset => true,
        Part::Opened => false,
    }
}
