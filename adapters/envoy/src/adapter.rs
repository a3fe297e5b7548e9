//! The adapter: what it can run, and which Envoy runs it. Keeps one Envoy from scenario to scenario.

use std::path::PathBuf;

use pw_abi::Version;
use pw_cases::adapter::Adapter;
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Transcript;
use tokio::runtime::{Builder, Runtime};

use crate::config;
use crate::find::Program;
use crate::instance::{Gone, Instance, is_streamed};
use crate::job::{Plugin, Run};
use crate::run::{self, Kept, Left, Outcome};

/// The versions of the ABI that Envoy knows.
const ABI: [Version; 3] = [Version::V0_1_0, Version::V0_2_0, Version::V0_2_1];

/// The longest time that a scenario may let pass, in milliseconds.
const LONGEST: u64 = 30_000;

const FEATURES: [Feature; 18] = [
    Feature::Http,
    Feature::Tcp,
    Feature::ConcurrentStreams,
    Feature::Chains,
    Feature::HttpCalls,
    Feature::Grpc,
    Feature::Metrics,
    Feature::Background,
    Feature::Failure,
    Feature::Capabilities,
    Feature::Reconfigure,
    Feature::Replace,
    Feature::SharedVms,
    Feature::Time,
    Feature::Environment,
    Feature::Faults,
    Feature::Shutdown,
    Feature::Keep,
];

/// Runs scenarios on an Envoy, which it keeps from one to the next.
pub struct Envoy {
    host: Host,
    runtime: Runtime,
    server: Server,
}

/// What is there from scenario to scenario.
struct Server {
    adapter: PathBuf,
    program: Program,
    shared: Option<Instance>,
    /// An Envoy for a scenario that is kept, and that logs less.
    streamed: Option<Instance>,
    /// The scenario that was run last, if it was to be kept.
    kept: Option<Box<Kept>>,
    serial: u64,
}

impl Envoy {
    /// For this Envoy. `adapter` is the program of the adapter, which guards it.
    ///
    /// # Errors
    ///
    /// The operating system refuses what tokio needs.
    pub fn new(adapter: PathBuf, program: Program) -> std::io::Result<Envoy> {
        let host = Host {
            protocol: PROTOCOL,
            name: "envoy".into(),
            version: program.version.clone(),
            abi: ABI.map(|version| version.name().to_owned()).to_vec(),
            features: FEATURES.to_vec(),
            in_process: false,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let server = Server { adapter, program, shared: None, streamed: None, kept: None, serial: 0 };
        Ok(Envoy { host, runtime, server })
    }
}

impl Adapter for Envoy {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<pw_cases::adapter::Outcome, String> {
        let run = Run::new(id, version, scenario, false)?;
        self.runtime.block_on(self.server.run(run))
    }

    fn keep(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<pw_cases::adapter::Outcome, String> {
        let run = Run::new(id, version, scenario, true)?;
        self.runtime.block_on(self.server.run(run))
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, String> {
        self.runtime.block_on(self.server.more(&steps))
    }
}

impl Server {
    async fn run(&mut self, run: Run) -> Result<pw_cases::adapter::Outcome, String> {
        if let Some(kept) = self.kept.take() {
            let streamed = kept.is_streamed();
            let instance = kept.end().await;
            *self.slot(streamed) = instance;
        }
        if let Some(reason) = refusal(&run) {
            return Ok(pw_cases::adapter::Outcome::Skipped(reason));
        }
        match self.instance(&run).await {
            Ok(instance) => {
                self.serial += 1;
                let slot = (!wants_its_own(&run)).then(|| is_streamed(&run));
                let outcome = run::run(instance, run, self.serial).await;
                self.transcript(outcome, slot).map(pw_cases::adapter::Outcome::Ran)
            }
            Err(Gone::Broken(error)) => Err(error),
            Err(gone) => Err(format!("failed to start Envoy: {gone:?}")),
        }
    }

    async fn more(&mut self, steps: &[Step]) -> Result<Transcript, String> {
        let kept = self.kept.take().ok_or("there is no scenario to continue")?;
        let outcome = kept.more(steps).await;
        self.transcript(outcome, None)
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

    /// Keeps what is left of a scenario, an Envoy in the slot of its kind if it has one, and gives what was seen of it.
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

/// Why a request is not run at all.
fn refusal(run: &Run) -> Option<String> {
    if !ABI.contains(&run.abi) {
        return Some(format!("Envoy does not know version {} of the ABI", run.abi));
    }
    if time(run) > LONGEST {
        return Some(format!("time passes for real here, and more than {LONGEST} ms of it are too much"));
    }
    if config::is_tcp(run) && run.steps.iter().any(|step| matches!(step, Step::RequestHeaders { .. })) {
        return Some("plugins are on a listener of Envoy's, which takes HTTP or TCP, not both".into());
    }
    background_reason(run).or(rollout_reason(run)).map(str::to_owned)
}

/// Why a scenario cannot be run because of its plugins in the background, if it cannot.
fn background_reason(run: &Run) -> Option<&'static str> {
    let (background, others): (Vec<&Plugin>, Vec<&Plugin>) =
        run.plugins.iter().partition(|plugin| plugin.settings.background);
    let shares = |plugin: &Plugin, with: &[&Plugin]| {
        with.iter()
            .any(|other| other.settings.name != plugin.settings.name && config::home(other) == config::home(plugin))
    };
    if background.is_empty() {
        None
    } else if run.steps.contains(&Step::Shutdown) {
        Some("a plugin in the background is there as long as Envoy is")
    } else if background.iter().any(|plugin| shares(plugin, &others)) {
        Some("a plugin in the background is in another thread than those on streams, and VMs are each of one thread")
    } else if background.iter().any(|plugin| shares(plugin, &background)) {
        Some(
            "plugins in the background share a VM, and cannot be distinguished from the trials that Envoy makes of them",
        )
    } else {
        None
    }
}

/// Why a scenario cannot be run because of what the operator changes, if it cannot.
fn rollout_reason(run: &Run) -> Option<&'static str> {
    let background = |step: &Step| {
        let of =
            |name: &str| run.plugins.iter().any(|plugin| plugin.settings.background && plugin.settings.name == *name);
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
    run.hazard || config::has_streams_in_flight(run) || run.plugins.iter().any(|plugin| plugin.settings.background)
}

/// The time that a scenario lets pass, in milliseconds.
fn time(run: &Run) -> u64 {
    let waits = run.steps.iter().map(|step| if let Step::Advance { milliseconds } = step { *milliseconds } else { 0 });
    waits.fold(0, u64::saturating_add)
}
