//! The section "Timers".

use super::Timers;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, OK};

pub(super) fn judge(function: Timers, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let Timers::proxy_set_tick_period_milliseconds = function;
    call.is(&[OK])?;
    let period = call.number(0) * 1_000_000;
    model.instances[instance].tick = (period > 0).then_some((period, model.time.0 + period));
    Ok(())
}
