//! The section "Environment variables".

use pw_cases::transcript::Returned;

use super::EnvironmentVariables;
use crate::model::call::{Call, Judged, Pointers, range};
use crate::model::state::{Model, OK};

pub(super) fn judge(function: EnvironmentVariables, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let environment = &model.scenario.plugins[model.instances[instance].plugin].settings.environment;
    let variables: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    let all = variables.concat();
    match function {
        EnvironmentVariables::environ_sizes_get => {
            call.is(&[OK])?;
            call.returns(0, variables.len() as u64)?;
            call.returns(1, all.len() as u64)
        }
        EnvironmentVariables::environ_get => written(variables.len(), all.as_bytes(), call),
    }
}

/// The host writes the variables, `all` of them, and an array of `count` pointers to them.
fn written(count: usize, all: &[u8], call: &Call<'_>) -> Judged {
    let (array, buffer) = (call.number(0), call.number(1));
    let pointers = 4 * count as u64;
    match call.readable(array, pointers).max(call.readable(buffer, all.len() as u64)) {
        Pointers::OutOfBounds => return call.is(&[call.fault()]),
        Pointers::Unspecified => return call.is(&[OK, call.fault()]),
        Pointers::Valid => call.is(&[OK])?,
    }
    let apart = array + pointers <= buffer || buffer + all.len() as u64 <= array;
    if call.ok() && apart && range(call.memory, buffer, all.len() as u64) != Some(all) {
        return call.wrong_value(2, Returned::Bytes(all.into()), "something else".to_owned());
    }
    Ok(())
}
