//! The section "Randomness".

use pw_abi::{Errno, MemoryWrites, Randomness};

use crate::state::State;

/// The most that one call gives, in bytes.
const MOST: u32 = 1 << 16;

impl Randomness for State {
    fn random_get(&mut self, buffer: u32, buffer_size: u32) -> Result<MemoryWrites, Errno> {
        if buffer_size > MOST {
            return Err(Errno::INVAL);
        }
        let words = (0..buffer_size.div_ceil(8)).map(|_| self.random().to_le_bytes());
        let mut bytes: Vec<u8> = words.flatten().collect();
        bytes.truncate(buffer_size as usize);
        Ok(vec![(buffer, bytes)])
    }
}
