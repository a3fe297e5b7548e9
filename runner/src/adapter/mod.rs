//! What drives a host: in process, or a program of its own that speaks the adapter protocol.
//!
//! Knows nothing of cases' expectations and of verdicts.

pub mod child;
pub mod connect;
pub mod process;
pub mod reference;

use pw_abi::Version;
use pw_cases::protocol::Host;
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Transcript;

use crate::error::HarnessError;

/// Runs scenarios on a host.
pub trait Adapter: Send {
    /// Who the host is, and what it can do.
    fn host(&self) -> &Host;

    /// Runs a scenario. What the plugin or the host did, dying included, is in the transcript; an error is ours. The
    /// next scenario can be run after an error too.
    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, HarnessError>;

    /// Runs a scenario, and keeps it for [`Adapter::more`], as hosts with [`Capability::Keep`] can.
    ///
    /// [`Capability::Keep`]: pw_cases::protocol::Capability::Keep
    fn keep(&mut self, id: &str, _version: Version, _scenario: &Scenario) -> Result<Outcome, HarnessError> {
        Err(HarnessError::new(format!("{id}: the adapter keeps nothing")))
    }

    /// Does more steps in what was kept; streams and calls are numbered on.
    fn more(&mut self, _steps: Vec<Step>) -> Result<Transcript, HarnessError> {
        Err(HarnessError::new("the adapter keeps nothing"))
    }
}

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This was seen; the probes' reports may still be log lines.
    Ran(Transcript),
    /// The adapter cannot run it, for this reason.
    Skipped(String),
}
