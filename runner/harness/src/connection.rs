//! How to start the adapters of a host. Knows no host by name.

use std::sync::Arc;

use pw_cases::adapter::Adapter;

use crate::adapter::{Process, Program};
use crate::error::HarnessError;
use crate::survey::Survey;

/// A program that speaks the adapter protocol, and how many of it to use.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The program.
    pub program: Program,
    /// The number of programs that run side by side unless `--jobs` says another.
    pub jobs: usize,
}

impl Connection {
    /// Starts an adapter.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or does not answer as the protocol demands.
    pub fn open(&self) -> Result<Box<dyn Adapter>, HarnessError> {
        Ok(Box::new(Process::start(self.program.clone())?))
    }

    /// The same with probes that import only what the host has.
    pub fn surveyed(mut self, survey: Survey) -> Connection {
        self.program.survey = Arc::new(survey);
        self
    }
}
