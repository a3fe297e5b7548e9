//! The section "Foreign function interface (FFI)".

use bytes::Bytes;
use pw_abi::{ForeignFunctionInterface, Status};

use crate::planted::planted;
use crate::state::State;
use crate::value::Value;

impl ForeignFunctionInterface for State {
    fn proxy_call_foreign_function(&mut self, name: &[u8], arguments: &[u8]) -> Result<Value, Status> {
        let name = str::from_utf8(name).map_err(|_| Status::NOT_FOUND)?;
        let function = self.config.foreign_functions.get(name).ok_or(Status::NOT_FOUND)?;
        let returned = function.call(arguments);
        planted!(FailureIsEmpty => if returned.is_err() {
            return Ok(Bytes::new().into());
        });
        returned.map(|results| Bytes::from(results).into())
    }
}
