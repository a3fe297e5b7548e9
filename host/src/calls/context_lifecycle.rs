//! The section "Context lifecycle".

use pw_abi::{ContextLifecycle, Status};

use crate::planted::planted;
use crate::state::State;

impl ContextLifecycle for State {
    fn proxy_done(&mut self) -> Result<(), Status> {
        let (plugin, context) = (self.active.plugin, self.active.context);
        let found = self.plugin();
        let pending = found.contexts.get_mut(&context).and_then(|found| found.pending.take());
        drop(pending.ok_or(Status::NOT_FOUND)?);
        found.pending -= 1;
        let finalise = self.finalise(plugin, context);
        self.defer(finalise);
        Ok(())
    }

    /// Lasts until the callback returns. A plugin can only choose its own contexts.
    fn proxy_set_effective_context(&mut self, context_id: u32) -> Result<(), Status> {
        planted!(UnknownContext => if !self.plugin().contexts.contains_key(&context_id) {
            return Ok(());
        });
        let zero_is_one = self.config.choices.zero_is_a_context;
        let stream = match self.plugin().contexts.get(&context_id) {
            Some(context) => context.stream,
            None if context_id == 0 && zero_is_one => None,
            None => return Err(Status::BAD_ARGUMENT),
        };
        self.active.context = context_id;
        self.active.stream = stream;
        Ok(())
    }
}
