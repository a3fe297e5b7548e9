//! The section "Timers". A plugin has one period, whichever of its contexts sets it.

use pw_abi::{Status, Timers};

use crate::state::{State, Timer};

impl Timers for State {
    fn proxy_set_tick_period_milliseconds(&mut self, tick_period: u32) -> Result<(), Status> {
        let period = u64::from(tick_period) * 1_000_000;
        let due = self.uptime.checked_add(period).filter(|_| period > 0);
        let plugin = self.active.plugin;
        let tick = due.map(|due| (period, due));
        let old = std::mem::replace(&mut self.plugin().tick, tick);
        self.timers.unset(old.map(|(_, due)| due), Timer::Tick(plugin));
        if let Some((_, due)) = tick {
            self.timers.set(due, Timer::Tick(plugin));
        }
        Ok(())
    }
}
