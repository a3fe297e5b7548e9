//! The section "Timers". A plugin has one period, whichever of its contexts sets it.

use pw_abi::{Status, Timers};

use crate::planted::planted;
use crate::state::{State, Timer};

impl Timers for State {
    fn proxy_set_tick_period_milliseconds(&mut self, tick_period: u32) -> Result<(), Status> {
        let period = u64::from(tick_period) * 1_000_000;
        let due = self.uptime.checked_add(period).filter(|_| period > 0);
        let plugin = self.active.plugin;
        let mut tick = due.map(|due| (period, due));
        planted!(PeriodTooLate => if let (Some((_, next)), Some((_, due))) = (&mut tick, self.plugin().tick) {
            *next = due;
        });
        let old = std::mem::replace(&mut self.plugin().tick, tick);
        self.timers.unset(old.map(|(_, due)| due), Timer::Tick(plugin));
        if let Some((_, due)) = tick {
            self.timers.set(due, Timer::Tick(plugin));
        }
        Ok(())
    }
}
