//! The section "Context lifecycle".

use pw_abi::{ContextLifecycle, Status};

use crate::planted::planted;
use crate::state::{Deferred, State};

impl ContextLifecycle for State {
    fn proxy_done(&mut self) -> Result<(), Status> {
        let (plugin, context) = (self.active.plugin, self.active.context);
        let pending =
            self.plugin().contexts.get_mut(&context).filter(|found| found.pending).ok_or(Status::NOT_FOUND)?;
        pending.pending = false;
        self.deferred.push_back(Deferred::Finalise { plugin, context });
        Ok(())
    }

    /// Lasts until the callback returns. A plugin reaches its own contexts only.
    fn proxy_set_effective_context(&mut self, context_id: u32) -> Result<(), Status> {
        planted!(UnknownContext => if !self.plugin().contexts.contains_key(&context_id) {
            return Ok(());
        });
        let context = *self.plugin().contexts.get(&context_id).ok_or(Status::BAD_ARGUMENT)?;
        self.active.context = context_id;
        self.active.stream = context.stream;
        Ok(())
    }
}
