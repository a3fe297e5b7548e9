//! The section "Shared Key-Value Store". A store belongs to a VM id, whichever plugins and VMs have it.
//!
//! Compare-and-swap values are one count for all keys, which never is 0, so that no two writes have the same.

use bytes::Bytes;
use pw_abi::{SharedKeyValueStore, Status};

use crate::planted::planted;
use crate::state::State;
use crate::value::Value;

impl SharedKeyValueStore for State {
    /// Nothing matches the compare-and-swap value of a key that is not there.
    fn proxy_set_shared_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let (next, most) = (self.next_cas, self.limits().shared_data);
        let store = self.shared_data();
        let value = Bytes::copy_from_slice(value);
        planted!(CasZeroCompared => if cas == 0 && store.values.contains_key(key) {
            return Err(Status::CAS_MISMATCH);
        });
        planted!(CasIgnored => {
            store.values.insert(key.to_vec(), (value, next));
            return Ok(());
        });
        let old = store.values.get(key);
        if cas != 0 && old.is_none_or(|(_, current)| *current != cas) {
            return Err(Status::CAS_MISMATCH);
        }
        let size = store.size + value.len() + key.len() - old.map_or(0, |(old, _)| old.len() + key.len());
        if size > most {
            return Err(Status::INTERNAL_FAILURE);
        }
        store.size = size;
        store.values.insert(key.to_vec(), (value, next));
        self.next_cas = next.checked_add(1).unwrap_or(1);
        Ok(())
    }

    fn proxy_get_shared_data(&mut self, key: &[u8]) -> Result<(Value, u32), Status> {
        let (value, cas) = self.shared_data().values.get(key).ok_or(Status::NOT_FOUND)?;
        Ok((value.clone().into(), *cas))
    }
}
