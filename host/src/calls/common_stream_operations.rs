//! The section "Common HTTP and TCP stream operations".

use bytes::Bytes;
use pw_abi::{CommonStreamOperations, Status, StreamType};

use crate::state::{Direction, GrpcEvent, HttpCallEnd, Protocol, State, Subject, Undo, Work};
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
        let choices = self.config.choices;
        match self.stream() {
            Some((stream, _)) if http != (stream.protocol == Protocol::Http) => match choices.continues_types_of_others
            {
                true => Ok(()),
                false => Err(Status::UNIMPLEMENTED),
            },
            None if !choices.stream_operations_without_a_stream => Err(Status::BAD_ARGUMENT),
            _ => self.continue_message(direction),
        }
    }

    /// Both directions of a stream end together. Takes effect when the callback has returned; what the callback passes on is
    /// dropped.
    fn proxy_close_stream(&mut self, stream_type: StreamType) -> Result<(), Status> {
        if stream_type > StreamType::UPSTREAM {
            return Err(Status::BAD_ARGUMENT);
        }
        let choices = self.config.choices;
        let http = matches!(stream_type, StreamType::HTTP_REQUEST | StreamType::HTTP_RESPONSE);
        let Some((stream, _)) = self.stream() else {
            return if choices.stream_operations_without_a_stream { Ok(()) } else { Err(Status::BAD_ARGUMENT) };
        };
        if !choices.closes_by_types_of_others && http != (stream.protocol == Protocol::Http) {
            return Ok(());
        }
        if !choices.closes_again && stream.closed {
            return Err(Status::BAD_ARGUMENT);
        }
        let (closed, stream) = (std::mem::replace(&mut stream.closed, true), stream.id);
        if !closed {
            self.change(Undo::Close(stream));
            self.defer(Work::Close { stream });
        }
        Ok(())
    }

    fn proxy_get_status(&mut self) -> Result<(u32, Value), Status> {
        let choices = self.config.choices;
        let (code, message) = match self.active.subject.as_deref() {
            Some(Subject::HttpCall(HttpCallEnd { headers, status: (0, _), .. }))
                if choices.call_status_is_the_responses =>
            {
                let status = headers.get(b":status").and_then(|status| str::from_utf8(status).ok()?.parse().ok());
                (status.unwrap_or_default(), Bytes::new())
            }
            Some(Subject::HttpCall(call)) => (call.status.0, Bytes::from_static(call.status.1.as_bytes())),
            Some(Subject::Grpc(GrpcEvent::Closed { status, message })) => (*status, Bytes::from(message.clone())),
            _ if choices.status_outside_of_callbacks => (0, Bytes::new()),
            _ => return Err(Status::NOT_FOUND),
        };
        Ok((code, message.into()))
    }
}

impl State {
    pub(super) fn continue_message(&mut self, direction: Direction) -> Result<(), Status> {
        let choices = self.config.choices;
        if let Some((stream, filter)) = self.stream() {
            let id = stream.id;
            let stage = stream.filters[filter].stage(direction);
            if !stage.paused {
                if !choices.continues_what_is_not_paused {
                    return Err(Status::BAD_ARGUMENT);
                }
                stage.resume = choices.continue_prevents_a_pause;
            } else if !std::mem::replace(&mut stage.continuing, true) {
                self.defer(Work::Continue { stream: id, place: filter, direction });
            }
        }
        Ok(())
    }
}
