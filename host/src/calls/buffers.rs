//! The section "Buffers".
//!
//! Reading from after the end returns nothing; writing after the end appends.

use std::ops::Range;

use bytes::Bytes;
use pw_abi::{BufferType, Buffers, Status};

use crate::callbacks::On;
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
        let (missing, max, max_memory) = (self.not_written(buffer), self.limits().held, self.limits().host_memory);
        let past_the_end = self.config.choices.writes_past_the_end;
        let account = self.plugin().account.clone();
        let stage = self.body(buffer).ok_or(missing)?;
        let length = stage.body.as_ref().map_or(0, |(body, _)| body.len());
        // With a start at the end or after it a value is appended, whatever the size is.
        if !past_the_end && (start as usize) < length && start.saturating_add(size) as usize > length {
            return Err(Status::BAD_ARGUMENT);
        }
        let start = length.min(start as usize);
        let end = length.min(start.saturating_add(size as usize));
        planted!(OnlyWholeBodies => if start < length && (start > 0 || size > 0 && end < length) {
            return Err(Status::BAD_ARGUMENT);
        });
        planted!(PrependReplaces => if start == 0 && size == 0 {
            if let Some((body, _)) = &mut stage.body {
                *body = Bytes::copy_from_slice(value);
            }
            return Ok(());
        });
        let after = length - (end - start) + value.len();
        if after > max || !stage.grow(Phase::Body, after, &account, max_memory) {
            return Err(Status::INTERNAL_FAILURE);
        }
        if let Some((_, direction)) = side(buffer) {
            self.keep_body(direction);
        }
        let stage = self.body(buffer).ok_or(missing)?;
        let moved = stage.body.as_mut().map_or(0, |(body, _)| splice(body, start..end, value));
        self.work = self.work.saturating_add(moved as u64);
        Ok(())
    }

    fn proxy_get_buffer_bytes(&mut self, buffer: BufferType, start: u32, max_size: u32) -> Result<Value, Status> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let past_the_end = self.config.choices.reads_past_the_end;
        let mut is_past = false;
        let found = self.buffer(buffer, |bytes| {
            is_past = start > 0 && start as usize >= bytes.len();
            planted!(StartIgnored => return Value::Shared(bytes.slice(..bytes.len().min(max_size as usize))));
            let start = bytes.len().min(start as usize);
            let end = bytes.len().min(start.saturating_add(max_size as usize));
            Value::of(bytes, start..end, &mut scratch)
        });
        self.scratch = scratch;
        planted!(SizesAreSigned => if found.is_some() && max_size > i32::MAX as u32 {
            return Err(Status::BAD_ARGUMENT);
        });
        if is_past && !past_the_end {
            return Err(Status::BAD_ARGUMENT);
        }
        found.ok_or_else(|| self.missing(buffer))
    }

    fn proxy_get_buffer_status(&mut self, buffer: BufferType) -> Result<(u32, u32), Status> {
        let size = self.buffer(buffer, Bytes::len).ok_or_else(|| self.missing(buffer))?;
        Ok((size as u32, 0))
    }
}

impl State {
    /// The status of a call on a missing buffer.
    fn missing(&self, buffer: BufferType) -> Status {
        let configuration = matches!(buffer, BufferType::VM_CONFIGURATION | BufferType::PLUGIN_CONFIGURATION);
        let known = buffer <= BufferType::GRPC_CALL_MESSAGE
            || self.rules().configurations_are_buffers
                && (configuration || buffer == BufferType::FOREIGN_FUNCTION_ARGUMENTS);
        if known { Status::NOT_FOUND } else { Status::BAD_ARGUMENT }
    }

    /// The status of a call that changes a buffer that is not available, or can only be read.
    fn not_written(&mut self, buffer: BufferType) -> Status {
        let not_found = self.config.choices.read_only_buffers_are_not_found || side(buffer).is_some();
        if !not_found && self.buffer(buffer, |_| ()).is_some() { Status::BAD_ARGUMENT } else { self.missing(buffer) }
    }

    /// Calls `look` with a buffer, if it is available.
    #[inline]
    fn buffer<T>(&mut self, buffer: BufferType, look: impl FnOnce(&Bytes) -> T) -> Option<T> {
        if side(buffer).is_some() {
            return self.body(buffer)?.body.as_ref().map(|(body, _)| look(body));
        }
        let empty = self.config.choices.empty_configurations;
        let is_configuration = matches!(buffer, BufferType::VM_CONFIGURATION | BufferType::PLUGIN_CONFIGURATION);
        self.other(buffer).filter(|bytes| empty || !is_configuration || !bytes.is_empty()).map(look)
    }

    /// A buffer that is not a body.
    fn other(&mut self, buffer: BufferType) -> Option<&Bytes> {
        let callback = self.active.callback;
        let as_buffers = self.rules().configurations_are_buffers;
        let empty_calls = self.config.choices.empty_call_bodies;
        match buffer {
            BufferType::HTTP_CALL_RESPONSE_BODY => match self.active.subject.as_deref() {
                Some(Subject::HttpCall(call)) if empty_calls || !call.body.is_empty() => Some(&call.body),
                _ => None,
            },
            BufferType::GRPC_CALL_MESSAGE => match self.active.subject.as_deref() {
                Some(Subject::Grpc(GrpcEvent::Message(message))) => Some(message),
                _ => None,
            },
            BufferType::VM_CONFIGURATION if as_buffers && callback == Some(On::proxy_on_vm_start) => {
                Some(&self.plugin().vm_configuration)
            }
            BufferType::PLUGIN_CONFIGURATION if as_buffers && callback == Some(On::proxy_on_configure) => {
                Some(&self.plugin().configuration)
            }
            BufferType::FOREIGN_FUNCTION_ARGUMENTS => match self.active.subject.as_deref() {
                Some(Subject::ForeignFunction(arguments)) => Some(arguments),
                _ => None,
            },
            _ => None,
        }
    }

    /// The stage with the body or data that the plugin sees, in its callback and while it is paused there.
    fn body(&mut self, buffer: BufferType) -> Option<&mut Stage> {
        let (http, direction) = side(buffer)?;
        let (stream, filter) = self.stream().filter(|(stream, _)| http == (stream.protocol == Protocol::Http))?;
        let stage = stream.filters[filter].stage(direction);
        let visible = matches!(stage.phase, Some(Phase::Body | Phase::Trailers));
        Some(stage).filter(|stage| visible && stage.body.is_some())
    }
}

/// Replaces bytes: in place, if the buffer is not shared and its capacity is not much more than it needs then. The number of
/// bytes that were moved.
fn splice(buffer: &mut Bytes, place: Range<usize>, value: &[u8]) -> usize {
    /// Spare capacity, in bytes, that a buffer may always have.
    const MIN_SPARE_BYTES: usize = 1 << 10;
    let (before, end) = (buffer.len(), place.start + value.len());
    let after = before - place.len() + value.len();
    let copied = |old: &[u8]| Bytes::from([&old[..place.start], value, &old[place.end..]].concat());
    *buffer = match std::mem::take(buffer).try_into_mut() {
        Ok(mut own) if own.capacity() <= 2 * after + MIN_SPARE_BYTES => {
            let moved = if end == place.end { 0 } else { before - place.end };
            own.resize(before.max(after), 0);
            own.copy_within(place.end..before, end);
            own.truncate(after);
            own[place.start..end].copy_from_slice(value);
            *buffer = own.freeze();
            return value.len() + moved;
        }
        Ok(own) => copied(&own),
        Err(shared) => copied(&shared),
    };
    after
}

/// Whether a buffer is a body, or data of a connection, and its direction; `None` for other buffers.
fn side(buffer: BufferType) -> Option<(bool, Direction)> {
    match buffer {
        BufferType::HTTP_REQUEST_BODY => Some((true, Direction::Request)),
        BufferType::HTTP_RESPONSE_BODY => Some((true, Direction::Response)),
        BufferType::DOWNSTREAM_DATA => Some((false, Direction::Request)),
        BufferType::UPSTREAM_DATA => Some((false, Direction::Response)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splices_like_a_copy_and_leaves_shared_bytes_alone() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut in_place, mut copied) = (0, 0);
        let mut buffer = Bytes::new();
        for round in 0..20_000 {
            let start = random.usize(..=buffer.len());
            let end = random.usize(start..=buffer.len());
            let value = vec![round as u8; random.usize(..if buffer.len() > 5_000 { 2 } else { 3_000 })];
            let expected = [&buffer[..start], &value, &buffer[end..]].concat();
            // Sometimes it is shared, or a part of a larger buffer.
            let other = random.bool().then(|| buffer.clone());
            if random.u8(..4) == 0 {
                let larger = Bytes::from([&buffer[..], &[0; 40_000]].concat());
                buffer = larger.slice(..buffer.len());
            }
            let before = buffer.clone().to_vec();
            let moved = splice(&mut buffer, start..end, &value);
            assert_eq!(buffer, expected);
            assert!(moved <= expected.len(), "{moved} bytes of {}", expected.len());
            if let Some(other) = other {
                assert_eq!(other, before, "the other reference sees a change");
                copied += 1;
            } else if moved < expected.len() {
                in_place += 1;
            }
            if let Ok(own) = std::mem::take(&mut buffer).try_into_mut() {
                assert!(own.capacity() <= 2 * own.len() + 2_048, "{} bytes for {}", own.capacity(), own.len());
                buffer = own.freeze();
            } else {
                buffer = expected.into();
            }
        }
        assert!(in_place > 1_000 && copied > 1_000, "{in_place}, {copied}");
    }
}
