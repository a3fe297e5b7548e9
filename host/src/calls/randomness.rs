//! The section "Randomness".

use pw_abi::{Errno, MemoryWrites, Randomness};

use crate::state::State;

/// Maximum number of bytes of a call.
const MAX_BYTES: u32 = 1 << 16;
/// The same where large numbers are chosen.
const MAX_LARGE_BYTES: u32 = 1 << 20;

impl Randomness for State {
    fn random_get(&mut self, buffer: u32, buffer_size: u32) -> Result<MemoryWrites, Errno> {
        let max = if self.config.choices.large_random_numbers { MAX_LARGE_BYTES } else { MAX_BYTES };
        if buffer_size > max {
            return Err(Errno::INVAL);
        }
        if buffer_size == 0 && !self.config.choices.empty_random_numbers_are_checked {
            return Ok(Vec::new());
        }
        self.work = self.work.saturating_add(3 * u64::from(buffer_size));
        let mut bytes = vec![0; buffer_size as usize];
        self.random.fill(&mut bytes);
        Ok(vec![(buffer, bytes)])
    }
}
