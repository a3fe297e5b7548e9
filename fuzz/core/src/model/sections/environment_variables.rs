//! The section "Environment variables".

use pw_cases::transcript::Returned;

use crate::model::call::{Call, Judged, Pointers, range};
use crate::model::{Model, OK};

pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let environment = &model.scenario.plugins[model.instances[instance].plugin].settings.environment;
    let variables: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    let all = variables.concat();
    if call.function.name == "environ_sizes_get" {
        call.is(&[OK])?;
        call.returns(0, variables.len() as u64)?;
        return call.returns(1, all.len() as u64);
    }
    let (array, buffer) = (call.number(0), call.number(1));
    let pointers = 4 * variables.len() as u64;
    let sound = call.readable(array, pointers).max(call.readable(buffer, all.len() as u64));
    match sound {
        Pointers::Astray => return call.is(&[call.fault()]),
        Pointers::Doubtful => return call.is(&[OK, call.fault()]),
        Pointers::Sound => call.is(&[OK])?,
    }
    let apart = array + pointers <= buffer || buffer + all.len() as u64 <= array;
    if call.ok() && apart && range(call.memory, buffer, all.len() as u64) != Some(all.as_bytes()) {
        return call.wrong_value(2, Returned::Bytes(all.as_bytes().into()), "something else".to_owned());
    }
    Ok(())
}
