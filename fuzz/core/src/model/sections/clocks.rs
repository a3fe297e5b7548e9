//! The section "Clocks".

use pw_abi::{ClockId, Errno};

use super::Clocks;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, OK};

pub(super) fn judge(function: Clocks, model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    let (from, until) = model.time;
    let (param, base) = match function {
        Clocks::proxy_get_current_time_nanoseconds => (0, pw_reference::START),
        Clocks::clock_time_get => match ClockId(call.word(0)) {
            ClockId::REALTIME => (2, pw_reference::START),
            // It may start with any value.
            ClockId::MONOTONIC => return call.is(&[Errno::SUCCESS.0]),
            _ => return call.is(&[Errno::NOTSUP.0]),
        },
    };
    call.is(&[OK])?;
    let elapsed = call.returned(param).checked_sub(base);
    if elapsed.is_some_and(|elapsed| (from..=until).contains(&elapsed)) {
        Ok(())
    } else {
        call.returns(param, base + from)
    }
}
