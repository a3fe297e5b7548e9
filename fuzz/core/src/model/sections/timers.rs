//! The section "Timers".

use crate::model::call::{Call, Judged};
use crate::model::{Model, OK};

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    call.is(&[OK])?;
    let period = call.number(0) * 1_000_000;
    model.instances[instance].tick = (period > 0).then_some((period, model.time.0 + period));
    Ok(())
}
