//! What the host does to the world, as events: what peers receive, what plugins log, and what becomes of calls.

use pw_cases::data::{Data, Fields};
use pw_cases::transcript::{Event, GrpcPart, Part};
use pw_host::{Effect, GrpcEvent, Piece, StreamId};

use super::{Stream, World};
use crate::room;

impl World {
    /// Turns effects into events, and refuses calls to upstreams that do not exist.
    pub fn drain(&mut self, starting: &str) {
        while let Some(effect) = self.proxy.next_effect() {
            if !self.room.take(room::bytes(&effect)) {
                continue;
            }
            let event = self.event(effect, starting);
            self.events.extend(event);
        }
    }

    fn event(&mut self, effect: Effect, starting: &str) -> Option<Event> {
        match effect {
            Effect::Log { plugin, level, message } => {
                let (plugin, level, message) = (self.name(plugin, starting), level.to_string(), Data(message.to_vec()));
                Some(Event::Log { plugin, level, message })
            }
            Effect::Upstream { stream, piece } => {
                let (stream, known) = self.known(stream)?;
                known.upstream = true;
                Some(Event::Upstream { stream, part: part(&piece) })
            }
            Effect::Downstream { stream, piece } => {
                self.known(stream).map(|(stream, _)| Event::Client { stream, part: part(&piece) })
            }
            Effect::ResetUpstream { stream } => {
                let (stream, known) = self.known(stream)?;
                known.upstream = false;
                Some(Event::Upstream { stream, part: Part::Reset })
            }
            Effect::ResetDownstream { stream } => {
                self.known(stream).map(|(stream, _)| Event::Client { stream, part: Part::Reset })
            }
            Effect::HttpCall { call, upstream, .. } if upstream == "dead" => {
                self.proxy.http_call_failed(call);
                None
            }
            Effect::HttpCall { call, upstream, headers, body, trailers, .. } => {
                self.calls.push(call);
                let (call, body) = (self.calls.len() as u32 - 1, Data(body.to_vec()));
                Some(Event::HttpCall { call, upstream, headers: seen(&headers), body, trailers: seen(&trailers) })
            }
            Effect::Connect { stream } => {
                let (stream, known) = self.known(stream)?;
                known.upstream = true;
                Some(Event::Upstream { stream, part: Part::Opened })
            }
            Effect::GrpcCall { call, upstream, .. } if upstream == "dead" => {
                self.proxy.grpc_event(call, GrpcEvent::Closed { status: 14, message: "no connection".to_owned() });
                None
            }
            Effect::GrpcCall { call, upstream, service, method, metadata, .. } => {
                self.grpc_calls.push(call);
                let part = GrpcPart::Opened { upstream, service, method, metadata: seen(&metadata) };
                Some(Event::Grpc { call: self.grpc_calls.len() as u32 - 1, part })
            }
            Effect::GrpcSend { call, message, end_of_stream } => {
                let call = self.grpc_calls.iter().position(|known| *known == call)? as u32;
                let message = message.map(|message| GrpcPart::Message { message: Data(message.to_vec()) });
                let end = end_of_stream.then_some(GrpcPart::End);
                self.events.extend(message.into_iter().chain(end).map(|part| Event::Grpc { call, part }));
                None
            }
            Effect::CancelGrpcCall { call } => {
                let call = self.grpc_calls.iter().position(|known| *known == call)? as u32;
                Some(Event::Grpc { call, part: GrpcPart::Reset })
            }
            Effect::Discarded { plugin, stream, what } => {
                let (plugin, what) = (self.name(plugin, starting), what.to_string());
                self.known(stream).map(|(stream, _)| Event::Discarded { plugin, stream, what })
            }
            Effect::RolledBack { plugin, .. } => Some(Event::RolledBack { plugin: self.name(plugin, starting) }),
            Effect::Fault { plugin, reason } => Some(Event::Fault { plugin: self.name(plugin, starting), reason }),
            _ => None,
        }
    }

    fn known(&mut self, id: StreamId) -> Option<(u32, &mut Stream)> {
        self.streams.iter_mut().find(|(_, stream)| stream.id == id).map(|(number, stream)| (*number, stream))
    }
}

fn seen(fields: &pw_host::Fields) -> Fields {
    fields.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn part(piece: &Piece) -> Part {
    match piece {
        Piece::Headers { headers, end_of_stream } => {
            Part::Headers { headers: seen(headers), end_of_stream: *end_of_stream }
        }
        Piece::Body { body, end_of_stream } => Part::Body { body: Data(body.to_vec()), end_of_stream: *end_of_stream },
        Piece::Trailers { trailers } => Part::Trailers { trailers: seen(trailers) },
    }
}
