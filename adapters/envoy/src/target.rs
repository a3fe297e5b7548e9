//! Envoy's program: what it can do, and how it is started.

use std::io::Write;
use std::process::Command;

use pw_abi::Version;
use pw_adapter_kit::job::{Plugin, Run};
use pw_adapter_kit::scenario;
use pw_adapter_kit::target::{ClientPort, Launch, Ports, Target};
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use pw_cases::scenario::Step;
use tempfile::TempPath;

use crate::config;
use crate::driver::Process;
use crate::find::Program;
use crate::lds::{self, Lds};
use crate::log;

/// The versions of the ABI that Envoy knows.
const ABI: [Version; 3] = [Version::V0_1_0, Version::V0_2_0, Version::V0_2_1];

/// Seconds that streams have to finish on a listener that was replaced: longer than any scenario.
const DRAIN_SECONDS: u32 = 600;

const FEATURES: [Feature; 19] = [
    Feature::Http,
    Feature::Http1,
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

/// An Envoy that can be started.
pub struct Envoy {
    program: Program,
}

impl Envoy {
    /// With this program.
    pub fn new(program: Program) -> Envoy {
        Envoy { program }
    }

    /// Up to 1.37, threads that were there before V8 may not read its memory on processors with protection keys (`pku`), so the first plugin
    /// that comes while Envoy runs crashes the worker.
    fn needs_v8_at_the_start(&self) -> bool {
        let line = self.program.version.splitn(3, '.').take(2).map(str::parse::<u32>);
        line.collect::<Result<Vec<_>, _>>().is_ok_and(|line| line < vec![1, 38])
    }
}

impl Target for Envoy {
    fn describe(&self) -> Host {
        Host {
            name: "envoy".into(),
            version: self.program.version.clone(),
            protocol: PROTOCOL,
            abi: ABI.map(|version| version.name().to_owned()).to_vec(),
            features: FEATURES.to_vec(),
            in_process: false,
        }
    }

    fn unsupported(&self, run: &Run) -> Option<String> {
        background_reason(run).or(rollout_reason(run)).map(str::to_owned)
    }

    fn needs_own_process(&self, run: &Run) -> bool {
        let background = run.plugins.iter().any(|plugin| plugin.settings.background);
        run.hazard || scenario::has_streams_in_flight(run) || background
    }

    fn launch(&self, run: &Run, ports: &Ports) -> Result<Launch, String> {
        let background: Vec<&Plugin> = run.plugins.iter().filter(|plugin| plugin.settings.background).collect();
        let modules: Result<Vec<TempPath>, _> = background.iter().map(|plugin| module_file(plugin)).collect();
        let modules = modules.map_err(|error| format!("failed to write a module: {error}"))?;
        let is_alone = run.plugins.len() == 1;
        let extensions = background.iter().zip(&modules);
        let extensions: Vec<_> = extensions.map(|(plugin, file)| config::extension(plugin, is_alone, file)).collect();
        let drain = if scenario::has_streams_in_flight(run) { DRAIN_SECONDS } else { 0 };
        // Each call into a plugin and out of it is logged if plugins of a chain are to be distinguished. Else it is what plugins log,
        // and what becomes of their VMs.
        let level = if scenario::is_streamed(run) { "debug" } else { "trace" };
        let mut command = Command::new(&self.program.path);
        let starts_v8 = background.is_empty() && self.needs_v8_at_the_start();
        let first = starts_v8.then(|| config::rejected(ports)).transpose()?;
        let lds = Lds::create(first).map_err(|error| format!("failed to write the listeners: {error}"))?;
        command.arg("--config-yaml").arg(config::bootstrap(ports, &lds.path(), &extensions).to_string());
        command.args(["--concurrency", "1", "--disable-hot-restart"]);
        command.args(["--drain-time-s", &drain.to_string(), "--drain-strategy", "immediate"]);
        command.args([
            "--log-level",
            "warning",
            "--component-log-level",
            &format!("wasm:{level},{}:info", lds::COMPONENT),
        ]);
        command.args(["--log-format", log::FORMAT, "--log-format-escaped"]);
        Ok(Launch {
            command,
            driver: Box::new(Process::new(*ports, lds, modules, starts_v8)),
            // The worker's, and the main thread's.
            barriers: vec![ports.barrier, ports.admin],
            client_port: ClientPort::ProxyLine,
        })
    }
}

/// Writes a plugin's module to a file, which is removed when the path is dropped.
fn module_file(plugin: &Plugin) -> std::io::Result<TempPath> {
    let mut file = tempfile::Builder::new().prefix("pw-conform-").suffix(".wasm").tempfile()?;
    file.write_all(&plugin.wasm)?;
    Ok(file.into_temp_path())
}

/// Why a scenario cannot be run because of its plugins in the background; `None` if it can.
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
        Some("a plugin in the background is in another thread than those on streams, and each VM belongs to one thread")
    } else if background.iter().any(|plugin| shares(plugin, &background)) {
        Some(
            "plugins in the background share a VM, and cannot be distinguished from the trials that Envoy makes of them",
        )
    } else {
        None
    }
}

/// Why a scenario cannot be run because of what the operator changes; `None` if it can.
fn rollout_reason(run: &Run) -> Option<&'static str> {
    let is_background =
        |name: &str| run.plugins.iter().any(|plugin| plugin.settings.background && plugin.settings.name == *name);
    let changes_background = |step: &Step| scenario::is_change(step) && step.plugins().0.is_some_and(is_background);
    if run.steps.iter().any(changes_background) {
        Some("a plugin in the background is and stays what Envoy was started with")
    } else if scenario::has_streams_in_flight(run) && run.steps.contains(&Step::Shutdown) {
        Some("what was replaced is there until Envoy has drained it, which takes longer than a scenario")
    } else {
        None
    }
}
