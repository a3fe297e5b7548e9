//! One process of Envoy: the listener that it gets, and what its log says.

use pw_adapter_kit::job::Run;
use pw_adapter_kit::sockets::Ends;
use pw_adapter_kit::target::{Driver, Found, Line, MetricsRequest, Ports};
use pw_adapter_kit::{scenario, threads};
use tempfile::TempPath;

use crate::attribution::Attribution;
use crate::lds::Lds;
use crate::log::{self, Level, LogLine};
use crate::{config, stats};

/// A process of Envoy, with the state of its current scenario.
pub struct Process {
    ports: Ports,
    lds: Lds,
    /// `None` before the first scenario.
    attribution: Option<Attribution>,
    /// The number of scenarios so far, which names the listener.
    scenarios: u64,
    /// The plugins can be removed while the process runs.
    is_removable: bool,
    /// What is logged is about the plugin that starts V8.
    is_starting_v8: bool,
    /// The modules of plugins in the background, which Envoy reads when it starts.
    _modules: Vec<TempPath>,
}

impl Process {
    /// A process that starts, with its listeners and these modules in files. Its first listener may be there only to start V8.
    pub fn new(ports: Ports, lds: Lds, modules: Vec<TempPath>, is_starting_v8: bool) -> Process {
        Process { is_starting_v8, ports, lds, attribution: None, scenarios: 0, is_removable: true, _modules: modules }
    }

    fn update(&mut self, run: &Run, chain: &[usize]) -> std::io::Result<()> {
        let name = format!("scenario-{}", self.scenarios);
        self.lds.update(Some(config::listener(&name, &self.ports, run, chain)))
    }
}

impl Driver for Process {
    fn begin(&mut self, process: u32, run: &Run, chain: &[usize]) {
        self.scenarios += 1;
        let in_flight = scenario::has_streams_in_flight(run);
        // The main thread has the number of the process.
        self.attribution = Some(Attribution::new(process, &run.plugins, chain, !in_flight));
        // Plugins in the background, and what was replaced while streams ran, stay as long as the process.
        self.is_removable = !in_flight && !run.plugins.iter().any(|plugin| plugin.settings.background);
    }

    fn start_chain(&mut self, run: &Run, chain: &[usize]) -> std::io::Result<()> {
        self.is_starting_v8 = false;
        self.update(run, chain)
    }

    fn change_chain(&mut self, run: &Run, chain: &[usize], starts: Option<usize>) -> std::io::Result<()> {
        if let Some(attribution) = &mut self.attribution {
            attribution.change(chain, starts);
        }
        self.update(run, chain)
    }

    fn keep_chain(&mut self) {
        if let Some(attribution) = &mut self.attribution {
            attribution.keep();
        }
    }

    fn remove_chain(&mut self) -> Option<std::io::Result<()>> {
        self.is_removable.then(|| self.lds.update(None))
    }

    fn verdict(&self) -> Option<bool> {
        self.lds.verdict()
    }

    fn stream_opened(&mut self) {
        if let Some(attribution) = &mut self.attribution {
            attribution.add_stream();
        }
    }

    fn classify(&self, line: &[u8]) -> Line {
        let Some(line) = LogLine::parse(line) else {
            let excerpt = Some(String::from_utf8_lossy(line).into_owned());
            return Line { excerpt, ..Line::default() };
        };
        let of_plugins = line.component == "wasm" && !self.is_starting_v8;
        Line {
            of_plugins,
            excerpt: (!of_plugins && line.level >= Level::Warn).then(|| line.text()),
            signal: log::caught(&line),
        }
    }

    fn read(&mut self, line: &[u8]) -> Option<Found> {
        let line = LogLine::parse(line)?;
        self.lds.read(&line);
        if self.is_starting_v8 {
            return None;
        }
        self.attribution.as_mut()?.read(&line)
    }

    fn metrics_request(&self) -> Option<MetricsRequest> {
        Some(MetricsRequest { path: stats::PATH })
    }

    fn metrics(&self, body: &[u8]) -> Result<Vec<(String, u64)>, String> {
        stats::metrics(body)
    }

    /// Envoy tries plugins on its main thread, and serves streams on its worker.
    fn serves_streams(&self, process: u32, barrier: Ends, connection: Ends) -> bool {
        threads::same_thread(process, barrier, connection).unwrap_or(true)
    }
}
