//! The section "Timers". The period is the plugin's, whichever of its contexts sets it.

use pw_abi::{Status, Timers};

use crate::state::State;

impl Timers for State {
    fn proxy_set_tick_period_milliseconds(&mut self, tick_period: u32) -> Result<(), Status> {
        let period = u64::from(tick_period) * 1_000_000;
        let due = self.uptime.checked_add(period).filter(|_| period > 0);
        self.plugin().tick = due.map(|due| (period, due));
        Ok(())
    }
}
