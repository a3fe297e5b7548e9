//! The section "Properties". Which there are is the host's affair; what a plugin has set on a stream it can read there.

use pw_abi::Status;

use crate::model::call::{Call, Judged};
use crate::model::{Model, NOT_FOUND, OK};

/// The first part of paths that no host knows by itself.
const OWN: &[u8] = b"own";

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let path = call.bytes(0);
    let path = path.strip_suffix(&[0]).unwrap_or(path);
    let plugin = &model.scenario.plugins[model.instances[instance].plugin];
    let own = path.split(|byte| *byte == 0).next() == Some(OWN);
    let stream = model.here().and_then(|(number, _)| model.streams.get_mut(&number));
    if call.function.name == "proxy_get_property" {
        return match path {
            b"plugin_name" => {
                call.chosen(&[OK])?;
                call.returns_bytes(1, plugin.name.as_bytes())
            }
            b"plugin_vm_id" => {
                call.chosen(&[OK])?;
                call.returns_bytes(1, plugin.vm_id.as_bytes())
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
    match stream {
        // A host may have no room for what a plugin has to say.
        Some(stream) if own => {
            call.chosen(&[OK])?;
            if call.ok() {
                stream.properties.retain(|(known, _)| known != path);
                stream.properties.push((path.to_vec(), call.bytes(1).to_vec()));
            }
            Ok(())
        }
        _ if own => call.chosen(&[NOT_FOUND]),
        _ => call.is(&[OK, NOT_FOUND]),
    }
}
