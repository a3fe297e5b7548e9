//! The section "Shared Key-Value Store".

use pw_abi::Status;
use pw_cases::transcript::Returned;

use super::SharedKeyValueStore;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, NOT_FOUND, OK};
use crate::model::store::Shared;

pub(super) fn judge(function: SharedKeyValueStore, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let vm_id = &model.scenario.plugins[model.instances[instance].plugin].settings.vm_id;
    let store = &mut model.shared.0;
    let found = store.iter_mut().find(|shared| shared.vm_id == *vm_id && shared.key == call.bytes(0));
    match function {
        SharedKeyValueStore::proxy_set_shared_data => {
            let (mismatch, value, cas) = (Status::CAS_MISMATCH.0, call.bytes(1), call.word(2));
            let Some(shared) = found else {
                if cas != 0 {
                    return call.chosen(&[mismatch]);
                }
                call.is(&[OK])?;
                if call.ok() {
                    let (vm_id, key) = (vm_id.clone(), call.bytes(0).to_vec());
                    store.push(Shared { vm_id, key, value: value.to_vec(), cas: None, stale: Vec::new() });
                }
                return Ok(());
            };
            match shared.cas {
                _ if cas == 0 => call.is(&[OK])?,
                Some(known) => call.is(&[if known == cas { OK } else { mismatch }])?,
                None if shared.stale.contains(&cas) => call.chosen(&[mismatch])?,
                None => call.is(&[OK, mismatch])?,
            }
            if call.ok() {
                shared.value = value.to_vec();
                shared.stale.extend(shared.cas.take());
            }
            Ok(())
        }
        SharedKeyValueStore::proxy_get_shared_data => {
            let Some(shared) = found else { return call.is(&[NOT_FOUND]) };
            call.is(&[OK])?;
            call.returns_bytes(1, &shared.value)?;
            let cas = call.returned(2) as u32;
            match shared.cas {
                _ if !call.ok() => Ok(()),
                Some(known) => call.returns(2, known.into()),
                None if shared.stale.contains(&cas) => {
                    call.wrong_value(2, Returned::Untouched, format!("{cas}, which is that of an older value"))
                }
                None => {
                    shared.cas = Some(cas);
                    Ok(())
                }
            }
        }
    }
}
