//! gRPC calls and streams of plugins, which reach the adapter's servers as streams of HTTP/2.

use pw_cases::transcript::{Event, GrpcPart};

use crate::frame::Frame;
use crate::grpc;
use crate::window::Window;

/// Calls and streams, in the order in which they arrived.
#[derive(Default)]
pub struct Calls(Vec<Call>);

/// A call or stream.
pub struct Call {
    /// Connection and stream.
    place: (u64, u32),
    /// The response has begun.
    answered: bool,
    /// Either side has ended or reset it.
    over: bool,
    /// The start of a message that is not complete.
    input: Vec<u8>,
}

impl Calls {
    /// Where a call is that something is sent to, and whether its response had begun; `None` if it is over, which it is from now
    /// on if this is the `last` thing sent.
    pub fn answer(&mut self, call: u32, last: bool) -> Option<((u64, u32), bool)> {
        let call = self.0.get_mut(call as usize).filter(|call| !call.over)?;
        call.over = last;
        Some((call.place, std::mem::replace(&mut call.answered, true)))
    }

    /// Whether a call runs on this stream of a connection.
    pub fn is_open(&self, place: (u64, u32)) -> bool {
        self.0.iter().any(|call| !call.over && call.place == place)
    }

    /// Takes a frame that belongs to a gRPC call, or opens one; returns any other frame.
    pub fn see(&mut self, place: (u64, u32), upstream: &str, frame: Frame, window: &mut Window) -> Option<Frame> {
        let Some(number) = self.0.iter().position(|call| call.place == place) else {
            let Frame::Headers { fields, end_of_stream, .. } = &frame else { return Some(frame) };
            if !grpc::is_call(fields) {
                return Some(frame);
            }
            let (service, method) = grpc::method(fields);
            let metadata = grpc::metadata(fields);
            let opened = GrpcPart::Opened { upstream: upstream.to_owned(), service, method, metadata };
            let end = end_of_stream.then_some(GrpcPart::End);
            let call = self.0.len() as u32;
            self.0.push(Call { place, answered: false, over: false, input: Vec::new() });
            for part in [opened].into_iter().chain(end) {
                window.push(Event::Grpc { call, part });
            }
            return None;
        };
        let call = &mut self.0[number];
        let (bytes, ended) = match frame {
            Frame::Data { bytes, end_of_stream, .. } => (bytes, end_of_stream),
            Frame::Headers { end_of_stream, .. } => (Vec::new(), end_of_stream),
            Frame::Reset { .. } | Frame::Pong(_) => return Some(frame),
        };
        call.input.extend(bytes);
        let messages = grpc::messages(&mut call.input).into_iter().map(|message| GrpcPart::Message { message });
        if !call.over {
            for part in messages.chain(ended.then_some(GrpcPart::End)) {
                window.push(Event::Grpc { call: number as u32, part });
            }
        }
        None
    }

    /// The host has reset a stream to a server of the adapter.
    pub fn see_reset(&mut self, place: (u64, u32), window: &mut Window) {
        for (call, found) in (0..).zip(&mut self.0).filter(|(_, call)| call.place == place && !call.over) {
            found.over = true;
            window.push(Event::Grpc { call, part: GrpcPart::Reset });
        }
    }
}
