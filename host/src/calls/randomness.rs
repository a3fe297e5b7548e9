//! The section "Randomness".

use pw_abi::{Errno, MemoryWrites, Randomness};

use crate::state::State;

/// Maximum number of bytes of a call.
const MAX_BYTES: u32 = 1 << 16;

impl Randomness for State {
    fn random_get(&mut self, buffer: u32, buffer_size: u32) -> Result<MemoryWrites, Errno> {
        if buffer_size > MAX_BYTES {
            return Err(Errno::INVAL);
        }
        self.work = self.work.saturating_add(3 * u64::from(buffer_size));
        let mut bytes = vec![0; buffer_size as usize];
        self.random.fill(&mut bytes);
        Ok(vec![(buffer, bytes)])
    }
}
