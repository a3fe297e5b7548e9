//! The section "Properties". Which there are is the host's affair; what a plugin has set on a stream it can read there.

use pw_abi::Status;

use crate::model::call::{Call, Judged};
use crate::model::{Model, NOT_FOUND, OK};

/// The first part of paths that no host knows by itself.
const OWN: &[u8] = b"own";
/// The first parts of those that the host alone says.
const HOSTS: [&[u8]; 10] = [
    b"",
    b"plugin_name",
    b"plugin_root_id",
    b"plugin_vm_id",
    b"connection",
    b"source",
    b"destination",
    b"upstream",
    b"request",
    b"response",
];

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let path = call.bytes(0);
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let plugin = &model.scenario.plugins[model.instances[instance].plugin];
    let first = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let own = first == OWN;
    let here = model.here().map(|(number, _)| number);
    let stream = here.and_then(|number| model.streams.get_mut(&number));
    if call.function.name == "proxy_get_property" {
        return match path {
            b"plugin_name" => {
                call.chosen(&[OK])?;
                call.returns_bytes(1, plugin.settings.name.as_bytes())
            }
            b"plugin_vm_id" => {
                call.chosen(&[OK])?;
                call.returns_bytes(1, plugin.settings.vm_id.as_bytes())
            }
            _ if own => match stream.and_then(|stream| stream.properties.iter().find(|(known, _)| known == path)) {
                Some((_, value)) => {
                    call.is(&[OK])?;
                    call.returns_bytes(1, value)
                }
                None => call.is(&[NOT_FOUND]),
            },
            _ => call.is(&[OK, NOT_FOUND, Status::SERIALIZATION_FAILURE.0]),
        };
    }
    if HOSTS.contains(&first) {
        return call.chosen(&[NOT_FOUND]);
    }
    match stream {
        // A host may have no room for what a plugin has to say.
        Some(stream) if own => {
            call.chosen(&[OK])?;
            if call.ok() {
                let old = stream.sets(path, Some(call.bytes(1).to_vec()));
                if let (Some(frame), Some(number)) = (&mut model.frame, here) {
                    frame.properties.push((number, path.to_vec(), old));
                }
            }
            Ok(())
        }
        _ if own => call.chosen(&[NOT_FOUND]),
        _ => call.is(&[OK, NOT_FOUND]),
    }
}

impl Model {
    /// What a callback has set does not stay, as its plugin has faulted in it and fails open.
    pub(in crate::model) fn take_back(&mut self, properties: Vec<(u32, Vec<u8>, Option<Vec<u8>>)>) {
        for (number, path, old) in properties.into_iter().rev() {
            if let Some(stream) = self.streams.get_mut(&number) {
                stream.sets(&path, old);
            }
        }
    }
}
