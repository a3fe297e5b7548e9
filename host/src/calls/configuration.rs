//! The section "Configuration".

use bytes::Bytes;
use pw_abi::{Configuration, Status};

use crate::guest::On;
use crate::state::State;
use crate::value::Value;

impl Configuration for State {
    /// Outside of the two callbacks that are about a configuration there is none to see.
    fn proxy_get_configuration(&mut self) -> Result<Value, Status> {
        let callback = self.active.callback;
        let plugin = self.plugin();
        Ok(match callback {
            Some(On::VmStart) => plugin.vm_configuration.clone(),
            Some(On::Configure) => plugin.configuration.clone(),
            _ => Bytes::new(),
        }
        .into())
    }
}
