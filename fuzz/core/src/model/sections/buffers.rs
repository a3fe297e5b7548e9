//! The section "Buffers".

use pw_abi::{BufferType, Version};

use super::Buffers;
use crate::model::call::{Call, Judged};
use crate::model::calls::Subject;
use crate::model::state::{BAD_ARGUMENT, Model, NOT_FOUND, OK};
use crate::model::stream::{Direction, Part};

pub(super) fn judge(function: Buffers, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let buffer = BufferType(call.word(0));
    if !buffer.is_known(call.version) {
        // The text of v0.1.0 does not name those that later versions added, but hosts know them.
        let later = call.version == Version::V0_1_0 && buffer <= BufferType::FOREIGN_FUNCTION_ARGUMENTS;
        return if later { call.promised() } else { call.is(&[BAD_ARGUMENT]) };
    }
    match function {
        Buffers::proxy_set_buffer_bytes => set(model, buffer, call),
        Buffers::proxy_get_buffer_status => {
            let Some(bytes) = model.buffer(instance, buffer) else { return missing(model, buffer, call) };
            call.is(&[OK])?;
            call.returns(1, bytes.len() as u64)
        }
        Buffers::proxy_get_buffer_bytes => {
            let Some(bytes) = model.buffer(instance, buffer) else { return missing(model, buffer, call) };
            call.is(&[OK])?;
            let start = bytes.len().min(call.word(1) as usize);
            let end = bytes.len().min(start + call.word(2) as usize);
            call.returns_bytes(3, &bytes[start..end])
        }
    }
}

/// A buffer that is not available here.
fn missing(model: &Model, buffer: BufferType, call: &Call<'_>) -> Judged {
    if model.here_is_unfollowed() && buffer <= BufferType::UPSTREAM_DATA {
        call.promised()
    } else {
        call.is(&[NOT_FOUND])
    }
}

fn set(model: &mut Model, buffer: BufferType, call: &Call<'_>) -> Judged {
    if model.here_is_unfollowed() && buffer <= BufferType::UPSTREAM_DATA {
        return call.promised();
    }
    let Some(body) = model.body(buffer) else { return call.is(&[NOT_FOUND]) };
    call.is(&[OK])?;
    let start = body.len().min(call.word(1) as usize);
    let end = body.len().min(start + call.word(2) as usize);
    if call.ok() {
        body.splice(start..end, call.bytes(3).iter().copied());
    }
    Ok(())
}

impl Model {
    fn buffer(&mut self, instance: usize, buffer: BufferType) -> Option<Vec<u8>> {
        let frame = self.frame.as_ref()?;
        match (buffer, &frame.subject) {
            (BufferType::HTTP_CALL_RESPONSE_BODY, Subject::HttpCall { body, .. }) => return Some(body.clone()),
            (BufferType::GRPC_CALL_MESSAGE, Subject::Message(message)) => return Some(message.clone()),
            (BufferType::FOREIGN_FUNCTION_ARGUMENTS, Subject::Arguments(arguments)) => return Some(arguments.clone()),
            _ => {}
        }
        match (buffer, frame.name) {
            (BufferType::VM_CONFIGURATION, "proxy_on_vm_start") => {
                Some(self.scenario.plugins[self.instances[instance].plugin].settings.vm_configuration.0.clone())
            }
            (BufferType::PLUGIN_CONFIGURATION, "proxy_on_configure") => {
                Some(self.instances[instance].configuration.clone())
            }
            _ if self.here_is_unfollowed() => None,
            _ => self.body(buffer).cloned(),
        }
    }

    /// The body or data that is buffered at the plugin.
    fn body(&mut self, buffer: BufferType) -> Option<&mut Vec<u8>> {
        let (http, direction) = match buffer {
            BufferType::HTTP_REQUEST_BODY => (true, Direction::Request),
            BufferType::HTTP_RESPONSE_BODY => (true, Direction::Response),
            BufferType::DOWNSTREAM_DATA => (false, Direction::Request),
            BufferType::UPSTREAM_DATA => (false, Direction::Response),
            _ => return None,
        };
        let (number, place) = self.here()?;
        let stream = self.streams.get_mut(&number).filter(|stream| stream.http == http)?;
        let stage = stream.stage(direction, place);
        let exists = matches!(stage.part, Some(Part::Body | Part::Trailers));
        stage.body.as_mut().filter(|_| exists).map(|(bytes, _)| bytes)
    }

    /// Whether the running callback's calls act on a stream that is no longer followed.
    pub(in crate::model) fn here_is_unfollowed(&self) -> bool {
        self.here().and_then(|(number, _)| self.streams.get(&number)).is_some_and(|stream| stream.unfollowed)
    }
}
