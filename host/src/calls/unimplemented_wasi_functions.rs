//! The section "Unimplemented WASI functions".

use pw_abi::{Errno, Exit, UnimplementedWasiFunctions};

use crate::planted::planted;
use crate::state::State;

impl UnimplementedWasiFunctions for State {
    fn args_sizes_get(&mut self) -> Result<(u32, u32), Errno> {
        Ok((0, 0))
    }

    fn args_get(&mut self, _argv: u32, _argv_size: u32) -> Result<(), Errno> {
        Ok(())
    }

    /// Ends the plugin by a trap, as the name says.
    fn proc_exit(&mut self, exit_code: u32) -> Result<(), Exit> {
        if self.config.choices.proc_exit_returns {
            return Ok(());
        }
        planted!(ExitReturns => return Ok(()));
        Err(Exit { code: exit_code })
    }
}
