//! gRPC calls and streams of plugins, which reach our servers as HTTP/2 streams.

use pw_cases::data::Fields;
use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, GrpcPart};

use super::Stage;
use crate::grpc;
use crate::http2::{CANCEL, Connection, Frame};
use crate::instance::Gone;
use crate::link::Peer;

/// A call or stream.
pub(super) struct Call {
    /// Connection and stream.
    place: (u64, u32),
    /// The answer began.
    answered: bool,
    /// It was ended or cut off, by either side.
    over: bool,
    /// What came of a message that is not complete.
    input: Vec<u8>,
}

impl Call {
    /// Whether it runs on this stream of a connection.
    pub(super) fn is_at(&self, place: (u64, u32)) -> bool {
        !self.over && self.place == place
    }
}

impl Stage {
    /// Does a step of a gRPC call; whether it was one. A call that is not there, or over, is left alone.
    pub(super) async fn act_on_grpc(&mut self, step: &Step) -> Result<bool, Gone> {
        match step {
            Step::GrpcInitialMetadata { call, metadata } => {
                self.answer_grpc(*call, false, |http2, at, _| {
                    http2.send_fields(at, &grpc::headers(metadata), false);
                })
                .await?;
            }
            Step::GrpcMessage { call, message } => {
                self.answer_grpc(*call, false, |http2, at, answered| {
                    if !answered {
                        http2.send_fields(at, &grpc::headers(&Fields::new()), false);
                    }
                    http2.send_data(at, &grpc::message(&message.0), false);
                })
                .await?;
            }
            Step::GrpcClose { call, status, message, metadata } => {
                let trailers = grpc::trailers(*status, message, metadata);
                self.answer_grpc(*call, true, |http2, at, answered| {
                    let begin = if answered { Fields::new() } else { grpc::headers(&Fields::new()) };
                    http2.send_fields(at, &[begin, trailers].concat(), true);
                })
                .await?;
            }
            Step::GrpcReset { call } => {
                self.answer_grpc(*call, true, |http2, at, _| http2.reset(at, CANCEL)).await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Does something to a call's stream, being told whether the answer began; perhaps it is the last thing.
    async fn answer_grpc(
        &mut self,
        call: u32,
        last: bool,
        act: impl FnOnce(&mut Connection, u32, bool),
    ) -> Result<(), Gone> {
        let Some(call) = self.grpc.get_mut(call as usize).filter(|call| !call.over) else { return Ok(()) };
        let ((link, at), answered) = (call.place, call.answered);
        call.answered = true;
        call.over = last;
        self.instance.write(link, |http2| act(http2, at, answered)).await?;
        Ok(())
    }

    /// Takes a frame if it is of a gRPC call, or opens one; else returns it.
    pub(super) fn see_grpc(&mut self, place: (u64, u32), peer: Peer, frame: Frame) -> Option<Frame> {
        let Some(number) = self.grpc.iter().position(|call| call.place == place) else {
            let Frame::Headers { fields, end_of_stream, .. } = &frame else { return Some(frame) };
            if !grpc::is_call(fields) {
                return Some(frame);
            }
            let (service, method) = grpc::method(fields);
            let upstream = peer.upstream().unwrap_or_default().to_owned();
            let opened = GrpcPart::Opened { upstream, service, method, metadata: grpc::metadata(fields) };
            let end = end_of_stream.then_some(GrpcPart::End);
            let call = self.grpc.len() as u32;
            self.grpc.push(Call { place, answered: false, over: false, input: Vec::new() });
            for part in [opened].into_iter().chain(end) {
                self.window.push(Event::Grpc { call, part });
            }
            return None;
        };
        let call = &mut self.grpc[number];
        let (bytes, ended) = match frame {
            Frame::Data { bytes, end_of_stream, .. } => (bytes, end_of_stream),
            Frame::Headers { end_of_stream, .. } => (Vec::new(), end_of_stream),
            Frame::Reset { .. } | Frame::Pong(_) => return Some(frame),
        };
        call.input.extend(bytes);
        let messages = grpc::messages(&mut call.input).into_iter().map(|message| GrpcPart::Message { message });
        if !call.over {
            for part in messages.chain(ended.then_some(GrpcPart::End)) {
                self.window.push(Event::Grpc { call: number as u32, part });
            }
        }
        None
    }

    /// Envoy gave a stream to one of our servers up.
    pub(super) fn see_grpc_reset(&mut self, place: (u64, u32)) {
        for (call, found) in (0..).zip(&mut self.grpc).filter(|(_, call)| call.place == place && !call.over) {
            found.over = true;
            self.window.push(Event::Grpc { call, part: GrpcPart::Reset });
        }
    }
}
