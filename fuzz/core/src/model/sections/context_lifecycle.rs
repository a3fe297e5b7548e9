//! The section "Context lifecycle".

use super::ContextLifecycle;
use crate::model::call::{Call, Judged};
use crate::model::instance::{State, exports};
use crate::model::state::{BAD_ARGUMENT, Model, NOT_FOUND, OK};

pub(super) fn judge(function: ContextLifecycle, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let Some(frame) = &mut model.frame else { return Ok(()) };
    let contexts = &model.instances[instance].contexts;
    match function {
        ContextLifecycle::proxy_set_effective_context => {
            let known = contexts.contains_key(&call.word(0));
            let plugin = &model.scenario.plugins[model.instances[instance].plugin];
            if !known && !exports(plugin, "proxy_on_context_create") {
                // No callback has reported which contexts exist.
                model.blind = true;
                return call.promised();
            }
            call.is(&[if known { OK } else { BAD_ARGUMENT }])?;
            if call.ok() {
                frame.effective = call.word(0);
                frame.strays |= frame.effective != frame.context;
            }
        }
        ContextLifecycle::proxy_done => {
            let pending = contexts.get(&frame.effective).is_some_and(|context| context.state == State::Pending);
            call.is(&[if pending && !frame.finished.contains(&frame.effective) { OK } else { NOT_FOUND }])?;
            if call.ok() {
                frame.finished.push(frame.effective);
            }
        }
    }
    Ok(())
}
