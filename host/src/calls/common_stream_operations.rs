//! The section "Common HTTP and TCP stream operations".

use bytes::Bytes;
use pw_abi::{CommonStreamOperations, Status, StreamType};

use crate::state::{Deferred, Direction, State};
use crate::value::Value;

impl CommonStreamOperations for State {
    /// Takes effect when the callback has returned; does nothing where nothing is paused.
    fn proxy_continue_stream(&mut self, stream_type: StreamType) -> Result<(), Status> {
        match stream_type {
            StreamType::HTTP_REQUEST => self.continue_message(Direction::Request),
            StreamType::HTTP_RESPONSE => self.continue_message(Direction::Response),
            StreamType::DOWNSTREAM | StreamType::UPSTREAM => Err(Status::UNIMPLEMENTED),
            _ => Err(Status::BAD_ARGUMENT),
        }
    }

    /// Either direction of an HTTP exchange ends with the other; takes effect when the callback has returned,
    /// and nothing that the callback lets go on goes on then.
    fn proxy_close_stream(&mut self, stream_type: StreamType) -> Result<(), Status> {
        if stream_type > StreamType::UPSTREAM {
            return Err(Status::BAD_ARGUMENT);
        }
        if let Some((stream, _)) = self.stream() {
            stream.closed = true;
            let stream = stream.id;
            self.deferred.push_back(Deferred::Close { stream });
        }
        Ok(())
    }

    fn proxy_get_status(&mut self) -> Result<(u32, Value), Status> {
        let (code, message) = self.active.http_call.as_ref().map_or((0, ""), |call| call.status);
        Ok((code, Bytes::from_static(message.as_bytes()).into()))
    }
}

impl State {
    pub(super) fn continue_message(&mut self, direction: Direction) -> Result<(), Status> {
        if let Some((stream, filter)) = self.stream() {
            let id = stream.id;
            let stage = stream.filters[filter].stage(direction);
            if stage.paused {
                self.deferred.push_back(Deferred::Continue { stream: id, filter, direction });
            } else {
                stage.resume = true;
            }
        }
        Ok(())
    }
}
