//! The section "Timers".

use pw_cases::scenario::Step;

use super::Timers;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, OK};

pub(super) fn judge(function: Timers, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let Timers::proxy_set_tick_period_milliseconds = function;
    call.is(&[OK])?;
    let period = call.number(0) * 1_000_000;
    // What a plugin does that was started again at some time within a step may have caused this callback.
    let passes = matches!(model.step.map(|step| &model.scenario.steps[step]), Some(Step::Advance { .. }));
    let is_unsure = passes && model.instances.iter().any(|found| found.restarted);
    let found = &mut model.instances[instance];
    found.restarted |= is_unsure;
    found.tick = (period > 0).then_some((period, model.time.0 + period));
    Ok(())
}
