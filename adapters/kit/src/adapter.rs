//! Requests of the adapter protocol, and the processes of the host that live from one to the next.

use std::path::PathBuf;

use pw_cases::protocol::{PROTOCOL, Request, Response, Run};
use pw_cases::scenario::Step;

use crate::instance::{HostError, Instance};
use crate::run::{self, Kept, Left, Outcome};
use crate::scenario;
use crate::target::Target;

/// Answers requests by what a host does.
pub struct Adapter {
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
    pub fn new(program: PathBuf, target: Box<dyn Target>) -> Adapter {
        Adapter { program, target, shared: None, streamed: None, kept: None }
    }

    /// Answers a request; `None` if it asks the adapter to end.
    pub async fn answer(&mut self, request: Request) -> Option<Response> {
        Some(match request {
            Request::Start { protocol } => self.start(protocol),
            Request::Run(run) => self.run(run).await,
            Request::More { steps } => self.more(&steps).await,
            Request::Stop => return None,
        })
    }

    fn start(&self, protocol: u32) -> Response {
        if protocol == PROTOCOL {
            return Response::Host(self.target.describe());
        }
        let context = format!("failed to agree on a protocol: the runner speaks {protocol}, this adapter {PROTOCOL}");
        Response::Errored { context }
    }

    async fn run(&mut self, run: Run) -> Response {
        if let Some(kept) = self.kept.take() {
            let streamed = kept.is_streamed();
            let instance = kept.end().await;
            *self.slot(streamed) = instance;
        }
        if let Some(plugin) = scenario::unreadable_module(&run) {
            let context = format!("{}: failed to read the module of plugin {plugin}: not in base64", run.id);
            return Response::Errored { context };
        }
        if let Some(reason) = self.unsupported(&run) {
            return Response::Skipped { reason };
        }
        let id = run.id.clone();
        let slot = (!self.target.needs_own_process(&run)).then(|| scenario::is_streamed(&run));
        match self.instance(&run, slot).await {
            Ok(instance) => {
                let outcome = run::run(instance, run).await;
                self.response(outcome, &id, slot)
            }
            Err(HostError::Adapter(context)) => Response::Errored { context: format!("{id}: {context}") },
            Err(error) => Response::Errored { context: format!("{id}: failed to start the host: {error:?}") },
        }
    }

    async fn more(&mut self, steps: &[Step]) -> Response {
        match self.kept.take() {
            Some(kept) => {
                let outcome = kept.more(steps).await;
                self.response(outcome, "more", None)
            }
            None => Response::Errored { context: "there is no scenario to which steps may be added".into() },
        }
    }

    /// Why a scenario cannot be run; `None` if it can.
    fn unsupported(&self, run: &Run) -> Option<String> {
        let host = self.target.describe();
        if !host.abi.contains(&run.abi) {
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

    /// Keeps what is left of a scenario, a process in its slot if it has one, and returns the outcome.
    fn response(&mut self, outcome: Outcome, id: &str, slot: Option<bool>) -> Response {
        match (outcome.left, slot) {
            (Left::Instance(instance), Some(streamed)) => *self.slot(streamed) = Some(*instance),
            (Left::Kept(kept), _) => self.kept = Some(kept),
            (Left::Instance(_), None) | (Left::Nothing, _) => {}
        }
        match outcome.error {
            Some(error) => Response::Errored { context: format!("{id}: {error}") },
            None => Response::Ran { events: outcome.events },
        }
    }
}
