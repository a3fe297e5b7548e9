//! The adapter protocol: a request a line in, a response a line out. Keeps one Envoy from scenario to scenario.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use pw_cases::protocol::{Capability, Host, PROTOCOL, Plugin, Request, Response, Run};
use pw_cases::scenario::Step;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdin, Stdout};

use crate::config;
use crate::find::Program;
use crate::instance::{Gone, Instance, is_streamed};
use crate::run::{self, Kept, Left, Outcome};

/// The versions of the ABI that Envoy knows.
const ABI: [&str; 3] = ["0.1.0", "0.2.0", "0.2.1"];

/// The longest time that a scenario may let pass, in milliseconds.
const LONGEST: u64 = 30_000;

const CAPABILITIES: [Capability; 18] = [
    Capability::Http,
    Capability::Tcp,
    Capability::ConcurrentStreams,
    Capability::Chains,
    Capability::HttpCalls,
    Capability::Grpc,
    Capability::Metrics,
    Capability::Background,
    Capability::Failure,
    Capability::Capabilities,
    Capability::Reconfigure,
    Capability::Replace,
    Capability::SharedVms,
    Capability::Time,
    Capability::Environment,
    Capability::Faults,
    Capability::Shutdown,
    Capability::Keep,
];

/// Answers requests with what an Envoy does.
pub struct Server {
    adapter: PathBuf,
    program: Program,
    shared: Option<Instance>,
    /// An Envoy for a scenario that is kept, and tells less.
    streamed: Option<Instance>,
    /// The scenario that was run last, if it was to be kept.
    kept: Option<Box<Kept>>,
    serial: u64,
}

impl Server {
    /// For this Envoy. `adapter` is the adapter's own program, which guards it.
    pub fn new(adapter: PathBuf, program: Program) -> Server {
        Server { adapter, program, shared: None, streamed: None, kept: None, serial: 0 }
    }

    /// Serves until it is told to stop or there are no more requests. An error means that nobody reads the responses.
    pub async fn serve(mut self, input: Stdin, mut output: Stdout) -> std::io::Result<()> {
        let mut lines = BufReader::new(input).split(b'\n');
        while let Some(line) = lines.next_segment().await? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let response = match serde_json::from_slice(&line) {
                Ok(Request::Stop) => break,
                Ok(Request::Start { protocol }) => self.start(protocol),
                Ok(Request::Run(run)) => self.run(run).await,
                Ok(Request::More { steps }) => self.more(&steps).await,
                Err(error) => Response::Errored { context: format!("failed to read a request: {error}") },
            };
            // What is written are plain data types, so this cannot fail.
            let mut text = serde_json::to_vec(&response).map_err(std::io::Error::other)?;
            text.push(b'\n');
            output.write_all(&text).await?;
            output.flush().await?;
        }
        Ok(())
    }

    fn start(&self, protocol: u32) -> Response {
        if protocol != PROTOCOL {
            let context =
                format!("failed to agree on a protocol: the runner speaks {protocol}, this adapter {PROTOCOL}");
            return Response::Errored { context };
        }
        Response::Host(Host {
            name: "envoy".into(),
            version: self.program.version.clone(),
            abi: ABI.map(String::from).to_vec(),
            capabilities: CAPABILITIES.to_vec(),
        })
    }

    async fn run(&mut self, run: Run) -> Response {
        if let Some(kept) = self.kept.take() {
            let streamed = kept.is_streamed();
            let instance = kept.end().await;
            *self.slot(streamed) = instance;
        }
        if let Some(response) = refusal(&run) {
            return response;
        }
        let id = run.id.clone();
        match self.instance(&run).await {
            Ok(instance) => {
                self.serial += 1;
                let slot = (!wants_its_own(&run)).then(|| is_streamed(&run));
                let outcome = run::run(instance, run, self.serial).await;
                self.response(outcome, &id, slot)
            }
            Err(Gone::Broken(error)) => Response::Errored { context: format!("{id}: {error}") },
            Err(gone) => Response::Errored { context: format!("{id}: failed to start Envoy: {gone:?}") },
        }
    }

    async fn more(&mut self, steps: &[Step]) -> Response {
        match self.kept.take() {
            Some(kept) => {
                let outcome = kept.more(steps).await;
                self.response(outcome, "more", None)
            }
            None => Response::Errored { context: "there is no scenario that goes on".into() },
        }
    }

    /// The shared Envoy, or one of its own.
    async fn instance(&mut self, run: &Run) -> Result<Instance, Gone> {
        if !wants_its_own(run)
            && let Some(mut instance) = self.slot(is_streamed(run)).take()
            && instance.is_alive().await
        {
            return Ok(instance);
        }
        Instance::start(&self.adapter, &self.program.path, run).await
    }

    /// The place of the Envoy that serves scenarios of this kind one after the other.
    fn slot(&mut self, streamed: bool) -> &mut Option<Instance> {
        if streamed { &mut self.streamed } else { &mut self.shared }
    }

    /// Keeps what is left of a scenario, an Envoy in the slot of its kind if it has one, and tells what came of it.
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

/// Why a request is not run at all.
fn refusal(run: &Run) -> Option<Response> {
    let skipped = |reason: String| Some(Response::Skipped { reason });
    if !ABI.contains(&run.abi.as_str()) {
        return skipped(format!("Envoy does not know version {} of the ABI", run.abi));
    }
    if let Some(plugin) = run.plugins.iter().find(|plugin| BASE64.decode(&plugin.wasm).is_err()) {
        let context = format!("{}: failed to read the module of plugin {}: not in base64", run.id, plugin.name);
        return Some(Response::Errored { context });
    }
    if time(run) > LONGEST {
        return skipped(format!("time passes for real here, and more than {LONGEST} ms of it are too many"));
    }
    if config::is_tcp(run) && run.steps.iter().any(|step| matches!(step, Step::RequestHeaders { .. })) {
        return skipped("plugins are on a listener of Envoy's, which takes HTTP or TCP, not both".into());
    }
    background_reason(run).or(rollout_reason(run)).and_then(|reason| skipped(reason.into()))
}

/// Why a scenario cannot be run because of its plugins in the background, if it cannot.
fn background_reason(run: &Run) -> Option<&'static str> {
    let (background, others): (Vec<&Plugin>, Vec<&Plugin>) = run.plugins.iter().partition(|plugin| plugin.background);
    let shares = |plugin: &Plugin, with: &[&Plugin]| {
        with.iter().any(|other| other.name != plugin.name && config::home(other) == config::home(plugin))
    };
    if background.is_empty() {
        None
    } else if run.steps.contains(&Step::Shutdown) {
        Some("a plugin in the background is there as long as Envoy is")
    } else if background.iter().any(|plugin| shares(plugin, &others)) {
        Some("a plugin in the background is in another thread than those on streams, and VMs are each of one thread")
    } else if background.iter().any(|plugin| shares(plugin, &background)) {
        Some("plugins in the background share a VM, and cannot be told from the trials that Envoy makes of them")
    } else {
        None
    }
}

/// Why a scenario cannot be run because of what the operator changes, if it cannot.
fn rollout_reason(run: &Run) -> Option<&'static str> {
    let background = |step: &Step| {
        let of = |name: &str| run.plugins.iter().any(|plugin| plugin.background && plugin.name == *name);
        config::is_change(step) && step.plugins().0.is_some_and(of)
    };
    if run.steps.iter().any(background) {
        Some("a plugin in the background is and stays what Envoy was started with")
    } else if config::has_streams_in_flight(run) && run.steps.contains(&Step::Shutdown) {
        Some("what was replaced is there until Envoy has drained it, which takes longer than a scenario")
    } else {
        None
    }
}

/// Whether a scenario needs an Envoy that serves no other.
fn wants_its_own(run: &Run) -> bool {
    run.hazard || config::has_streams_in_flight(run) || run.plugins.iter().any(|plugin| plugin.background)
}

/// The time that a scenario lets pass, in milliseconds.
fn time(run: &Run) -> u64 {
    let waits = run.steps.iter().map(|step| if let Step::Advance { milliseconds } = step { *milliseconds } else { 0 });
    waits.fold(0, u64::saturating_add)
}
