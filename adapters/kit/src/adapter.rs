//! Scenarios, and the processes of the host that live from one to the next.

use std::path::PathBuf;

use pw_abi::Version;
use pw_cases::adapter::Outcome as Answer;
use pw_cases::protocol::Host;
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Transcript;
use tokio::runtime::{Builder, Runtime};

use crate::instance::{HostError, Instance};
use crate::job::Run;
use crate::run::{self, Kept, Left, Outcome};
use crate::scenario;
use crate::target::Target;

/// Runs scenarios on a host, on the thread that calls it.
pub struct Adapter {
    host: Host,
    runtime: Runtime,
    server: Server,
}

/// What there is from one scenario to the next.
struct Server {
    /// The adapter's own program, as [`crate::guard::guarded`] needs it.
    program: PathBuf,
    target: Box<dyn Target>,
    /// A process that serves scenarios one after the other.
    shared: Option<Instance>,
    /// The same for scenarios that [`scenario::is_streamed`] names: their log may have less in it.
    streamed: Option<Instance>,
    /// The latest scenario, if more steps may follow.
    kept: Option<Box<Kept>>,
}

impl Adapter {
    /// For this host. `program` is the path of the adapter's own program, whose main function calls
    /// [`crate::guard::become_guarded`].
    ///
    /// # Errors
    ///
    /// The operating system refuses what tokio needs.
    pub fn new(program: PathBuf, target: Box<dyn Target>) -> std::io::Result<Adapter> {
        let host = target.describe();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let server = Server { program, target, shared: None, streamed: None, kept: None };
        Ok(Adapter { host, runtime, server })
    }
}

impl pw_cases::adapter::Adapter for Adapter {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Answer, String> {
        let run = Run::new(id, version, scenario, false)?;
        self.runtime.block_on(self.server.run(run))
    }

    fn keep(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Answer, String> {
        let run = Run::new(id, version, scenario, true)?;
        self.runtime.block_on(self.server.run(run))
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, String> {
        self.runtime.block_on(self.server.more(&steps))
    }
}

impl Server {
    async fn run(&mut self, run: Run) -> Result<Answer, String> {
        if let Some(kept) = self.kept.take() {
            let streamed = kept.is_streamed();
            let instance = kept.end().await;
            *self.slot(streamed) = instance;
        }
        if let Some(reason) = self.unsupported(&run) {
            return Ok(Answer::Skipped(reason));
        }
        let slot = (!self.target.needs_own_process(&run)).then(|| scenario::is_streamed(&run));
        match self.instance(&run, slot).await {
            Ok(instance) => {
                let outcome = run::run(instance, run).await;
                self.transcript(outcome, slot).map(Answer::Ran)
            }
            Err(HostError::Adapter(context)) => Err(context),
            Err(error) => Err(format!("failed to start the host: {error:?}")),
        }
    }

    async fn more(&mut self, steps: &[Step]) -> Result<Transcript, String> {
        let kept = self.kept.take().ok_or("there is no scenario to which steps may be added")?;
        let outcome = kept.more(steps).await;
        self.transcript(outcome, None)
    }

    /// Why a scenario cannot be run; `None` if it can.
    fn unsupported(&self, run: &Run) -> Option<String> {
        let host = self.target.describe();
        if !host.abi.iter().any(|name| name == run.abi.name()) {
            return Some(format!("{} does not know version {} of the ABI", host.name, run.abi));
        }
        scenario::unsupported(run).or_else(|| self.target.unsupported(run))
    }

    /// The process in a slot, if it still runs, or a new one.
    async fn instance(&mut self, run: &Run, slot: Option<bool>) -> Result<Instance, HostError> {
        if let Some(streamed) = slot
            && let Some(mut instance) = self.slot(streamed).take()
            && instance.is_alive().await
        {
            return Ok(instance);
        }
        Instance::start(&self.program, self.target.as_ref(), run).await
    }

    /// The place of the process that serves scenarios of a kind one after the other.
    fn slot(&mut self, streamed: bool) -> &mut Option<Instance> {
        if streamed { &mut self.streamed } else { &mut self.shared }
    }

    /// Keeps what is left of a scenario, a process in its slot if it has one, and returns what was seen.
    fn transcript(&mut self, outcome: Outcome, slot: Option<bool>) -> Result<Transcript, String> {
        match (outcome.left, slot) {
            (Left::Instance(instance), Some(streamed)) => *self.slot(streamed) = Some(*instance),
            (Left::Kept(kept), _) => self.kept = Some(kept),
            (Left::Instance(_), None) | (Left::Nothing, _) => {}
        }
        match outcome.error {
            Some(error) => Err(error),
            None => Ok(Transcript { events: outcome.events }),
        }
    }
}
