//! The section "Shared Key-Value Store". All plugins and VMs of a VM id share a store.
//!
//! Compare-and-swap values are one count for all keys, which is never 0, so that no two writes have the same.

use bytes::Bytes;
use pw_abi::{SharedKeyValueStore, Status};

use crate::planted::planted;
use crate::state::account::ENTRY;
use crate::state::{Realm, State};
use crate::value::Value;

impl SharedKeyValueStore for State {
    fn proxy_set_shared_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        planted!(EmptyKeyRefused => if key.is_empty() {
            return Err(Status::BAD_ARGUMENT);
        });
        let (next, max, memory) = (self.next_cas, self.limits().shared_data, self.limits().host_memory);
        let choices = self.config.choices;
        let store = self.shared_data();
        planted!(CasZeroCompared => if cas == 0 && store.shared_data.contains_key(key) {
            return Err(Status::CAS_MISMATCH);
        });
        planted!(CasIgnored => {
            store.shared_data.insert(key.to_vec(), (Bytes::copy_from_slice(value), next));
            return Ok(());
        });
        let old = store.shared_data.get(key);
        if cas != 0 && old.map_or(!choices.compare_and_swap_creates, |(_, current)| *current != cas) {
            return Err(Status::CAS_MISMATCH);
        }
        let number = match old {
            Some((old, current)) if !choices.equal_values_are_changes && old == value => *current,
            Some((_, current)) if choices.compare_and_swap_values_of_keys => current.checked_add(1).unwrap_or(1),
            None if choices.compare_and_swap_values_of_keys => 1,
            _ => next,
        };
        let (more, less) = (value.len() + key.len(), old.map_or(0, |(old, _)| old.len() + key.len()));
        let (entry, gone) = (ENTRY + more, if old.is_some() { ENTRY + less } else { 0 });
        let has_room = entry <= gone || store.account.has_room(entry - gone, memory);
        if store.shared_size - less + more > max || !has_room {
            return Err(Status::INTERNAL_FAILURE);
        }
        store.shared_size = store.shared_size - less + more;
        store.account.add(entry);
        store.account.release(gone);
        store.shared_data.insert(key.to_vec(), (Bytes::copy_from_slice(value), number));
        self.next_cas = next.checked_add(1).unwrap_or(1);
        Ok(())
    }

    fn proxy_get_shared_data(&mut self, key: &[u8]) -> Result<(Value, u32), Status> {
        planted!(EmptyKeyRefused => if key.is_empty() {
            return Err(Status::BAD_ARGUMENT);
        });
        let mut scratch = std::mem::take(&mut self.scratch);
        let found = self.shared_data().shared_data.get(key);
        let found = found.map(|(value, cas)| (Value::of(value, 0..value.len(), &mut scratch), *cas));
        self.scratch = scratch;
        found.ok_or(Status::NOT_FOUND)
    }
}

impl State {
    /// The store of the active plugin's VM id.
    fn shared_data(&mut self) -> &mut Realm {
        planted!(VmIdIgnored => {
            let first = self.realms.iter().next().map_or(0, |(index, _)| index);
            return &mut self.realms[first];
        });
        self.realm()
    }
}
