//! The section "Configuration".

use bytes::Bytes;
use pw_abi::{Configuration, Status};

use crate::callbacks::On;
use crate::state::State;
use crate::value::Value;

impl Configuration for State {
    /// Empty outside of the two callbacks that are about a configuration.
    fn proxy_get_configuration(&mut self) -> Result<Value, Status> {
        let callback = self.active.callback;
        let everywhere = self.config.choices.configurations_are_everywhere;
        let plugin = self.plugin();
        Ok(match callback {
            Some(On::proxy_on_vm_start) => plugin.vm_configuration.clone(),
            Some(On::proxy_on_configure) => plugin.configuration.clone(),
            _ if everywhere => plugin.configuration.clone(),
            _ => Bytes::new(),
        }
        .into())
    }
}
