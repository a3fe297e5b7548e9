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
        let next = self.next_cas;
        let store = self.shared_data();
        planted!(CasZeroCompared => if cas == 0 && store.contains_key(key) {
            return Err(Status::CAS_MISMATCH);
        });
        planted!(CasIgnored => {
            store.insert(key.to_vec(), (Bytes::copy_from_slice(value), next));
            return Ok(());
        });
        if cas != 0 && store.get(key).is_none_or(|(_, current)| *current != cas) {
            return Err(Status::CAS_MISMATCH);
        }
        store.insert(key.to_vec(), (Bytes::copy_from_slice(value), next));
        self.next_cas = next.checked_add(1).unwrap_or(1);
        Ok(())
    }

    fn proxy_get_shared_data(&mut self, key: &[u8]) -> Result<(Value, u32), Status> {
        let (value, cas) = self.shared_data().get(key).ok_or(Status::NOT_FOUND)?;
        Ok((value.clone().into(), *cas))
    }
}
