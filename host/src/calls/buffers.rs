//! The section "Buffers".
//!
//! What starts behind the end is read as nothing, and written at the end.

use bytes::Bytes;
use pw_abi::{BufferType, Buffers, Status};

use crate::guest::On;
use crate::planted::planted;
use crate::state::{Direction, GrpcEvent, Phase, Protocol, Stage, State, Subject};
use crate::value::Value;

impl Buffers for State {
    fn proxy_set_buffer_bytes(
        &mut self,
        buffer: BufferType,
        start: u32,
        size: u32,
        value: &[u8],
    ) -> Result<(), Status> {
        let (missing, most, least) = (self.missing(buffer), self.limits().held, self.limits().host_memory);
        let account = self.plugin().account.clone();
        let stage = self.body(buffer).ok_or(missing)?;
        let length = stage.body.as_ref().map_or(0, |(body, _)| body.len());
        let start = length.min(start as usize);
        let end = length.min(start.saturating_add(size as usize));
        planted!(PrependReplaces => if start == 0 && size == 0 {
            if let Some((body, _)) = &mut stage.body {
                *body = Bytes::copy_from_slice(value);
            }
            return Ok(());
        });
        let after = length - (end - start) + value.len();
        if after > most || !stage.grow(Phase::Body, after, &account, least) {
            return Err(Status::INTERNAL_FAILURE);
        }
        self.work = self.work.saturating_add(after as u64);
        if let Some((_, direction)) = side(buffer) {
            self.keep_body(direction);
        }
        let stage = self.body(buffer).ok_or(missing)?;
        if let Some((body, _)) = &mut stage.body {
            *body = [&body[..start], value, &body[end..]].concat().into();
        }
        Ok(())
    }

    fn proxy_get_buffer_bytes(&mut self, buffer: BufferType, start: u32, max_size: u32) -> Result<Value, Status> {
        let missing = self.missing(buffer);
        let bytes = self.buffer(buffer).ok_or(missing)?;
        planted!(SizesAreSigned => if max_size > i32::MAX as u32 {
            return Err(Status::BAD_ARGUMENT);
        });
        planted!(StartIgnored => return Ok(bytes.slice(..bytes.len().min(max_size as usize)).into()));
        let start = bytes.len().min(start as usize);
        let end = bytes.len().min(start.saturating_add(max_size as usize));
        Ok(bytes.slice(start..end).into())
    }

    fn proxy_get_buffer_status(&mut self, buffer: BufferType) -> Result<(u32, u32), Status> {
        let missing = self.missing(buffer);
        let bytes = self.buffer(buffer).ok_or(missing)?;
        Ok((bytes.len() as u32, 0))
    }
}

impl State {
    /// What a call on a buffer answers that is not there.
    fn missing(&self, buffer: BufferType) -> Status {
        let configuration = matches!(buffer, BufferType::VM_CONFIGURATION | BufferType::PLUGIN_CONFIGURATION);
        let known = buffer <= BufferType::GRPC_CALL_MESSAGE
            || self.rules().configurations_are_buffers
                && (configuration || buffer == BufferType::FOREIGN_FUNCTION_ARGUMENTS);
        if known { Status::NOT_FOUND } else { Status::BAD_ARGUMENT }
    }

    fn buffer(&mut self, buffer: BufferType) -> Option<Bytes> {
        let callback = self.active.callback;
        let as_buffers = self.rules().configurations_are_buffers;
        match buffer {
            BufferType::HTTP_CALL_RESPONSE_BODY => match self.active.subject.as_deref() {
                Some(Subject::HttpCall(call)) => Some(call.body.clone()),
                _ => None,
            },
            BufferType::GRPC_CALL_MESSAGE => match self.active.subject.as_deref() {
                Some(Subject::Grpc(GrpcEvent::Message(message))) => Some(message.clone()),
                _ => None,
            },
            BufferType::VM_CONFIGURATION if as_buffers && callback == Some(On::VmStart) => {
                Some(self.plugin().vm_configuration.clone())
            }
            BufferType::PLUGIN_CONFIGURATION if as_buffers && callback == Some(On::Configure) => {
                Some(self.plugin().configuration.clone())
            }
            BufferType::FOREIGN_FUNCTION_ARGUMENTS => match self.active.subject.as_deref() {
                Some(Subject::ForeignFunction(arguments)) => Some(arguments.clone()),
                _ => None,
            },
            _ => self.body(buffer)?.body.as_ref().map(|(body, _)| body.clone()),
        }
    }

    /// The place where the body or data is held that the plugin sees, in its callback or for as long as it is paused from it.
    fn body(&mut self, buffer: BufferType) -> Option<&mut Stage> {
        let (http, direction) = side(buffer)?;
        let (stream, filter) = self.stream().filter(|(stream, _)| http == (stream.protocol == Protocol::Http))?;
        let stage = stream.filters[filter].stage(direction);
        let there = matches!(stage.phase, Some(Phase::Body | Phase::Trailers));
        Some(stage).filter(|stage| there && stage.body.is_some())
    }
}

/// Whether a buffer is a body, else data of a connection, and of which direction.
fn side(buffer: BufferType) -> Option<(bool, Direction)> {
    match buffer {
        BufferType::HTTP_REQUEST_BODY => Some((true, Direction::Request)),
        BufferType::HTTP_RESPONSE_BODY => Some((true, Direction::Response)),
        BufferType::DOWNSTREAM_DATA => Some((false, Direction::Request)),
        BufferType::UPSTREAM_DATA => Some((false, Direction::Response)),
        _ => None,
    }
}
