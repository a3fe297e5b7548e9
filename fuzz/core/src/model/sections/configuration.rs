//! The section "Configuration": the function of v0.1.0.

use super::Configuration;
use crate::model::call::{Call, Judged};
use crate::model::state::{Model, OK};

pub(super) fn judge(function: Configuration, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let Configuration::proxy_get_configuration = function;
    call.is(&[OK])?;
    let found = &model.instances[instance];
    match model.frame.as_ref().map(|frame| frame.name) {
        Some("proxy_on_vm_start") => {
            call.returns_bytes(0, &model.scenario.plugins[found.plugin].settings.vm_configuration.0)
        }
        Some("proxy_on_configure") => call.returns_bytes(0, &found.configuration),
        _ => Ok(()),
    }
}
