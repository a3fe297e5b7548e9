//! What is known of a scenario's streams and calls, from what was sent and what was seen on connections.
//!
//! Turns frames and bytes into events of a [`Window`], and knows where the other end of each stream and call is. Writes nothing.

mod grpc;
mod pipes;

use std::collections::BTreeMap;

use pw_cases::data::{Data, Fields};
use pw_cases::transcript::{Event, Part};

use crate::frame::Frame;
use crate::link::Peer;
use crate::window::Window;

pub use grpc::{Call, Calls};
pub use pipes::{Pipe, Pipes};

/// Where a request is: the connection, and its number there.
pub type Place = (u64, u32);

/// The client's side of a stream.
#[derive(Debug)]
pub struct Client {
    /// Where it is.
    pub place: Place,
    /// The client's port.
    pub port: u16,
    /// The response has begun.
    pub begun: bool,
    /// Nothing more is reported: the response is complete, or the stream was reset.
    pub over: bool,
}

/// Streams and calls of a scenario.
#[derive(Default)]
pub struct Traffic {
    /// The client's side of streams.
    clients: BTreeMap<u32, Client>,
    /// The upstream's side of streams whose response is not complete.
    upstreams: BTreeMap<u32, Place>,
    /// Requests that arrive at servers of the adapter.
    incoming: BTreeMap<Place, Message>,
    /// HTTP calls of plugins, until they are answered or reset.
    calls: Vec<Option<Place>>,
    /// gRPC calls and streams of plugins.
    pub grpc: Calls,
    /// TCP streams.
    pub pipes: Pipes,
}

/// A request that arrives at a server.
#[derive(Default)]
struct Message {
    /// The client's stream that it belongs to; `None` for a call.
    stream: Option<u32>,
    begun: bool,
    headers: Fields,
    body: Vec<u8>,
    trailers: Fields,
}

/// What a scenario's steps do.
impl Traffic {
    /// A client has opened a stream.
    pub fn open(&mut self, stream: u32, place: Place, port: u16) {
        self.clients.insert(stream, Client { place, port, begun: false, over: false });
    }

    /// Where a client's side of a stream is; `None` if it is over.
    pub fn request(&self, stream: u32) -> Option<Place> {
        self.clients.get(&stream).filter(|client| !client.over).map(|client| client.place)
    }

    /// Where the upstream's side of a stream is; `None` if it is over, which it is from now on if this is the `last` thing sent.
    pub fn response(&mut self, stream: u32, last: bool) -> Option<Place> {
        if last { self.upstreams.remove(&stream) } else { self.upstreams.get(&stream).copied() }
    }

    /// Where a call is that is answered now; `None` if it is over.
    pub fn answer(&mut self, call: u32) -> Option<Place> {
        self.calls.get_mut(call as usize).and_then(Option::take)
    }

    /// Nothing more is reported to the client of a stream.
    pub fn end_client(&mut self, stream: u32) {
        self.clients.entry(stream).and_modify(|client| client.over = true);
    }

    /// Nothing more is reported to any client.
    pub fn end_clients(&mut self) {
        self.clients.values_mut().for_each(|client| client.over = true);
    }

    /// Whether a client's side of a stream is not over.
    pub fn has_open_clients(&self) -> bool {
        self.clients.values().any(|client| !client.over)
    }

    /// Whether a client's side of a stream is not over on this connection.
    pub fn is_in_use(&self, link: u64) -> bool {
        self.clients.values().any(|client| client.place.0 == link && !client.over)
    }

    /// Forgets the streams that are over, so that a scenario can continue without end.
    pub fn forget(&mut self) {
        self.clients.retain(|_, client| !client.over);
        let Self { upstreams, calls, incoming, grpc, .. } = self;
        incoming.retain(|place, _| {
            let is_open = upstreams.values().chain(calls.iter().flatten()).any(|known| known == place);
            is_open || grpc.is_open(*place)
        });
    }
}

/// What is seen on connections.
impl Traffic {
    /// A frame has come back to a client, or, with `None`, its connection was closed.
    pub fn see_response(&mut self, link: u64, frame: Option<Frame>, window: &mut Window) {
        let at = frame.as_ref().and_then(Frame::stream);
        let is_its =
            |client: &Client| client.place.0 == link && !client.over && at.is_none_or(|at| client.place.1 == at);
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
        window.push_part(Event::Client { stream: *stream, part });
    }

    /// A frame has come to the upstream or to a server of calls. `is_reported` is asked when it begins a call: calls of VMs
    /// that only try a plugin are not reported.
    pub fn see_request(
        &mut self,
        link: u64,
        peer: Peer,
        frame: Frame,
        is_reported: impl FnOnce() -> bool,
        window: &mut Window,
    ) {
        let Some(at) = frame.stream() else { return };
        let place = (link, at);
        if !self.incoming.contains_key(&place) {
            if !matches!(frame, Frame::Headers { .. }) {
                // The stream was forgotten.
                return;
            }
            let port = if let Peer::Upstream(port) = peer { port } else { None };
            let latest = self.clients.iter().rev().find(|(_, client)| Some(client.port) == port);
            let stream = latest.map(|(stream, _)| *stream);
            if stream.is_none() && !is_reported() {
                return;
            }
            self.incoming.insert(place, Message { stream, ..Message::default() });
            if let Some(stream) = stream {
                self.upstreams.insert(stream, place);
            }
        }
        if matches!(frame, Frame::Reset { .. }) {
            return self.see_reset(place, window);
        }
        let Some(message) = self.incoming.get_mut(&place) else { return };
        let upstream = peer.upstream().unwrap_or_default();
        let frame = if message.stream.is_none() { self.grpc.see(place, upstream, frame, window) } else { Some(frame) };
        let Some(part) = frame.and_then(|frame| part(frame, message.begun)) else { return };
        message.begun = true;
        let last = is_last(&part);
        match message.stream {
            Some(stream) => window.push_part(Event::Upstream { stream, part }),
            None => message.add(part),
        }
        if last && message.stream.is_none() {
            let Message { headers, body, trailers, .. } = std::mem::take(message);
            let call = self.calls.len() as u32;
            self.calls.push(Some(place));
            window.push(Event::HttpCall { call, upstream: upstream.to_owned(), headers, body: Data(body), trailers });
        }
    }

    /// The host has closed a connection to a server of the adapter.
    pub fn see_end(&mut self, link: u64, window: &mut Window) {
        let places: Vec<_> = self.incoming.keys().filter(|(of, _)| *of == link).copied().collect();
        places.into_iter().for_each(|place| self.see_reset(place, window));
    }

    /// The host has reset a stream to a server of the adapter.
    fn see_reset(&mut self, place: Place, window: &mut Window) {
        self.grpc.see_reset(place, window);
        self.calls.iter_mut().filter(|call| **call == Some(place)).for_each(|call| *call = None);
        let reset: Vec<u32> =
            self.upstreams.iter().filter(|(_, at)| **at == place).map(|(stream, _)| *stream).collect();
        for stream in reset {
            self.upstreams.remove(&stream);
            window.push_part(Event::Upstream { stream, part: Part::Reset });
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::field;

    fn headers(fields: &[(&str, &str)], end_of_stream: bool) -> Frame {
        let fields = fields.iter().map(|(name, value)| field(name, value)).collect();
        Frame::Headers { stream: 1, fields, end_of_stream }
    }

    fn see(traffic: &mut Traffic, link: u64, peer: Peer, frame: Frame) -> Vec<Event> {
        let mut window = Window::default();
        traffic.see_request(link, peer, frame, || true, &mut window);
        window.take()
    }

    #[test]
    fn a_request_belongs_to_the_stream_of_the_clients_port() {
        let mut traffic = Traffic::default();
        traffic.open(7, (1, 1), 5000);
        let events = see(&mut traffic, 2, Peer::Upstream(Some(5000)), headers(&[(":path", "/")], true));
        assert!(matches!(&events[..], [Event::Upstream { stream: 7, part: Part::Headers { .. } }]), "{events:?}");
        assert_eq!(traffic.response(7, true), Some((2, 1)));
        assert_eq!(traffic.response(7, true), None);
    }

    #[test]
    fn a_request_without_a_client_is_a_call_that_is_reported_when_complete() {
        let mut traffic = Traffic::default();
        assert_eq!(see(&mut traffic, 2, Peer::Callee("auth"), headers(&[(":path", "/")], false)), []);
        let body = Frame::Data { stream: 1, bytes: b"x".to_vec(), end_of_stream: false };
        assert_eq!(see(&mut traffic, 2, Peer::Callee("auth"), body), []);
        let events = see(&mut traffic, 2, Peer::Callee("auth"), headers(&[("t", "1")], true));
        let [Event::HttpCall { call: 0, upstream, body, trailers, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((upstream.as_str(), body, trailers), ("auth", &Data::from("x"), &vec![field("t", "1")]));
        assert_eq!(traffic.answer(0), Some((2, 1)));
        assert_eq!(traffic.answer(0), None);
    }

    #[test]
    fn calls_of_trials_are_not_reported() {
        let (mut traffic, mut window) = (Traffic::default(), Window::default());
        traffic.see_request(2, Peer::Callee("auth"), headers(&[(":path", "/")], true), || false, &mut window);
        assert_eq!(window.take(), []);
        assert_eq!(traffic.answer(0), None);
    }

    #[test]
    fn a_closed_connection_resets_what_runs_on_it() {
        let (mut traffic, mut window) = (Traffic::default(), Window::default());
        traffic.open(0, (1, 1), 5000);
        see(&mut traffic, 2, Peer::Upstream(Some(5000)), headers(&[(":path", "/")], false));
        traffic.see_end(2, &mut window);
        traffic.see_response(1, None, &mut window);
        let expected =
            [Event::Upstream { stream: 0, part: Part::Reset }, Event::Client { stream: 0, part: Part::Reset }];
        assert_eq!(window.take(), expected);
        assert_eq!((traffic.request(0), traffic.response(0, false)), (None, None));
    }
}
