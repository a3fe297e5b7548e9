//! The section "Clocks". The time does not change during a callback.

use pw_abi::{ClockId, Clocks, Errno, Status};

use crate::planted::planted;
use crate::state::State;

impl Clocks for State {
    fn proxy_get_current_time_nanoseconds(&mut self) -> Result<u64, Status> {
        planted!(TimeOfFourBytes => return Ok(self.now & 0xFFFF_FFFF));
        Ok(self.now)
    }

    fn clock_time_get(&mut self, clock: ClockId, precision: u64) -> Result<u64, Errno> {
        planted!(ClockOfItsPrecision => if clock == ClockId::REALTIME && precision > 1 {
            return Ok(self.now - self.now % precision);
        });
        match clock {
            ClockId::REALTIME => Ok(self.now),
            ClockId::MONOTONIC => Ok(self.uptime),
            _ => Err(Errno::NOTSUP),
        }
    }
}
