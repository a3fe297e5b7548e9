//! The section "Common HTTP and TCP stream operations".

use bytes::Bytes;
use pw_abi::{CommonStreamOperations, Status, StreamType};

use crate::state::{Direction, GrpcEvent, Protocol, State, Subject, Undo, Work};
use crate::value::Value;

impl CommonStreamOperations for State {
    /// Takes effect when the callback has returned; has no effect if nothing is paused. Connections of an HTTP stream and
    /// requests of a TCP stream do not exist and cannot be continued.
    fn proxy_continue_stream(&mut self, stream_type: StreamType) -> Result<(), Status> {
        let (http, direction) = match stream_type {
            StreamType::HTTP_REQUEST => (true, Direction::Request),
            StreamType::HTTP_RESPONSE => (true, Direction::Response),
            StreamType::DOWNSTREAM => (false, Direction::Request),
            StreamType::UPSTREAM => (false, Direction::Response),
            _ => return Err(Status::BAD_ARGUMENT),
        };
        match self.stream() {
            Some((stream, _)) if http != (stream.protocol == Protocol::Http) => Err(Status::UNIMPLEMENTED),
            _ => self.continue_message(direction),
        }
    }

    /// Both directions of a stream end together. Takes effect when the callback has returned; what the callback passes on is
    /// dropped.
    fn proxy_close_stream(&mut self, stream_type: StreamType) -> Result<(), Status> {
        if stream_type > StreamType::UPSTREAM {
            return Err(Status::BAD_ARGUMENT);
        }
        if let Some((stream, _)) = self.stream() {
            let (closed, stream) = (std::mem::replace(&mut stream.closed, true), stream.id);
            if !closed {
                self.change(Undo::Close(stream));
                self.defer(Work::Close { stream });
            }
        }
        Ok(())
    }

    fn proxy_get_status(&mut self) -> Result<(u32, Value), Status> {
        let (code, message) = match self.active.subject.as_deref() {
            Some(Subject::HttpCall(call)) => (call.status.0, Bytes::from_static(call.status.1.as_bytes())),
            Some(Subject::Grpc(GrpcEvent::Closed { status, message })) => (*status, Bytes::from(message.clone())),
            _ => (0, Bytes::new()),
        };
        Ok((code, message.into()))
    }
}

impl State {
    pub(super) fn continue_message(&mut self, direction: Direction) -> Result<(), Status> {
        if let Some((stream, filter)) = self.stream() {
            let id = stream.id;
            let stage = stream.filters[filter].stage(direction);
            if !stage.paused {
                stage.resume = true;
            } else if !std::mem::replace(&mut stage.continuing, true) {
                self.defer(Work::Continue { stream: id, place: filter, direction });
            }
        }
        Ok(())
    }
}
