//! The section "Environment variables". A plugin sees those of its configuration, and none of the host's.

use pw_abi::{EnvironmentVariables, Errno, MemoryWrites};

use crate::state::State;

impl EnvironmentVariables for State {
    fn environ_sizes_get(&mut self) -> Result<(u32, u32), Errno> {
        let environment = &self.plugin().environment;
        let sizes = (environment.len() as u32, environment.iter().map(|variable| variable.len() as u32).sum());
        self.work = self.work.saturating_add(4 * u64::from(sizes.0));
        Ok(sizes)
    }

    fn environ_get(&mut self, array: u32, buffer: u32) -> Result<MemoryWrites, Errno> {
        let mut place = buffer;
        let mut pointers = Vec::new();
        let environment = &self.plugin().environment;
        for variable in environment {
            pointers.extend(place.to_le_bytes());
            place = place.checked_add(variable.len() as u32).ok_or(Errno::FAULT)?;
        }
        let values = environment.concat();
        // Each variable costs more than its bytes.
        self.work = self.work.saturating_add(2 * values.len() as u64 + 16 * pointers.len() as u64);
        Ok(vec![(array, pointers), (buffer, values)])
    }
}
