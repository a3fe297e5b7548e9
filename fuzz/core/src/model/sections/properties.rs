//! The section "Properties". The host decides which exist; a plugin can read what it has set on a stream.

use pw_abi::Status;

use super::Properties;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, NOT_FOUND, OK};

/// The first part of paths that no host has on its own.
const OWN: &[u8] = b"own";
/// The first parts of paths that only the host can set.
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

pub(super) fn judge(function: Properties, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let path = call.bytes(0);
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let plugin = &model.scenario.plugins[model.instances[instance].plugin];
    let first = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let own = first == OWN;
    let here = model.here().map(|(number, _)| number);
    let stream = here.and_then(|number| model.streams.get_mut(&number));
    match function {
        Properties::proxy_get_property => match path {
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
        },
        Properties::proxy_set_property if HOSTS.contains(&first) => call.chosen(&[NOT_FOUND]),
        Properties::proxy_set_property => match stream {
            // A host may have a limit for what plugins set.
            Some(stream) if own => {
                call.chosen(&[OK])?;
                if call.ok() {
                    let old = stream.set_property(path, Some(call.bytes(1).to_vec()));
                    if let (Some(frame), Some(number)) = (&mut model.frame, here) {
                        frame.properties.push((number, path.to_vec(), old));
                    }
                }
                Ok(())
            }
            _ if own => call.chosen(&[NOT_FOUND]),
            _ => call.is(&[OK, NOT_FOUND]),
        },
    }
}

impl Model {
    /// Undoes what a callback has set, as its plugin has crashed in it and fails open.
    pub(in crate::model) fn undo_properties(&mut self, properties: Vec<(u32, Vec<u8>, Option<Vec<u8>>)>) {
        for (number, path, old) in properties.into_iter().rev() {
            if let Some(stream) = self.streams.get_mut(&number) {
                stream.set_property(&path, old);
            }
        }
    }
}
