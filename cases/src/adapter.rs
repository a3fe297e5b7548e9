//! What drives a host: a child process that speaks the adapter protocol, or code in process.

use std::sync::Arc;

use pw_abi::Version;

use crate::protocol::Host;
use crate::scenario::{Scenario, Step};
use crate::transcript::{Event, Transcript};

/// Gets events as soon as they are seen.
pub type Sink = Arc<dyn Fn(&Event) + Send + Sync>;

/// Runs scenarios on a host. It knows nothing of what is expected, and of verdicts.
pub trait Adapter: Send {
    /// The host, and what it can do.
    fn host(&self) -> &Host;

    /// Runs a scenario. Whatever the plugin or the host does, a crash included, is in the transcript.
    ///
    /// # Errors
    ///
    /// The adapter failed, in words that name the way out. The next scenario can be run after an error, too.
    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, String>;

    /// Runs a scenario, and passes each event to `seen` as soon as it is seen. An adapter that cannot do so passes none.
    ///
    /// # Errors
    ///
    /// As [`Adapter::run`].
    fn trace(&mut self, id: &str, version: Version, scenario: &Scenario, _seen: &Sink) -> Result<Outcome, String> {
        self.run(id, version, scenario)
    }

    /// Runs a scenario and keeps it for [`Adapter::more`], which hosts with [`Feature::Keep`] can.
    ///
    /// # Errors
    ///
    /// As [`Adapter::run`].
    ///
    /// [`Feature::Keep`]: crate::protocol::Feature::Keep
    fn keep(&mut self, id: &str, _version: Version, _scenario: &Scenario) -> Result<Outcome, String> {
        Err(format!("{id}: the adapter cannot keep a scenario"))
    }

    /// Does more steps in the scenario that was kept. Streams and calls are numbered on.
    ///
    /// # Errors
    ///
    /// As [`Adapter::run`].
    fn more(&mut self, _steps: Vec<Step>) -> Result<Transcript, String> {
        Err("the adapter cannot keep a scenario".to_owned())
    }
}

/// The outcome of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This was seen; the probes' reports may still be log lines.
    Ran(Transcript),
    /// The adapter cannot run it, for this reason.
    Skipped(String),
}
