//! How an Envoy starts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::job::{Plugin, Run};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::{Gone, Instance, Seen};
use crate::config::{self, CALLEES, Ports};
use crate::lds::Lds;
use crate::link::Peer;
use crate::module::Module;
use crate::net::{self, Reserved};
use crate::process::{Detail, Process};

/// How long Envoy may take to start.
const START: Duration = Duration::from_secs(30);
/// Seconds that streams have to finish on what was replaced: longer than any scenario.
const DRAIN: u32 = 600;

impl Instance {
    /// Starts Envoy for a scenario, and waits until it serves; if there are plugins in the background, it may have died
    /// of them, or hang.
    pub async fn start(adapter: &Path, program: &Path, run: &Run) -> Result<Instance, Gone> {
        let failed = |error: std::io::Error| Gone::Broken(format!("failed to start {}: {error}", program.display()));
        let (sender, inbox) = unbounded_channel();
        let mut servers = Vec::new();
        for _ in 0..2 + CALLEES.len() {
            servers.push(net::serve(&sender).await.map_err(failed)?);
        }
        let reserved: Vec<Reserved> = (0..5).map(|_| Reserved::new()).collect::<Result<_, _>>().map_err(failed)?;
        let ports = Ports {
            lds: servers[0],
            upstream: servers[1],
            callees: [servers[2], servers[3]],
            barrier: reserved[0].port,
            listener: reserved[1].port,
            tcp: reserved[2].port,
            dead: reserved[3].port,
            admin: reserved[4].port,
        };
        let background: Vec<&Plugin> = run.plugins.iter().filter(|plugin| plugin.settings.background).collect();
        let lone = run.plugins.len() == 1;
        let modules: Vec<Module> =
            background.iter().map(|plugin| Module::new(plugin)).collect::<Result<_, _>>().map_err(failed)?;
        let extensions = background.iter().zip(&modules);
        let extensions: Vec<Value> =
            extensions.map(|(plugin, module)| config::extension(plugin, lone, module.path())).collect();
        let bootstrap = config::bootstrap(&ports, &extensions);
        let drain = if config::has_streams_in_flight(run) { DRAIN } else { 0 };
        let detail = if is_streamed(run) { Detail::Plugins } else { Detail::Calls };
        let process = Process::start(adapter, program, &bootstrap, (drain, detail), &sender).map_err(failed)?;
        let mut instance = Instance {
            process,
            ports,
            inbox,
            sender,
            links: BTreeMap::new(),
            opened: 0,
            lds: Lds::default(),
            barrier: None,
            pings: 0,
            ahead: VecDeque::new(),
            tail: VecDeque::new(),
            exited: None,
            caught: None,
            written: 0,
            log_ended: false,
            metrics: Vec::new(),
            main: None,
            awaited: BTreeSet::new(),
            workers: BTreeMap::new(),
            early: Vec::new(),
            hung: false,
            _reserved: reserved,
        };
        let why = match instance.await_start(Instant::now() + START).await {
            Ok(true) => return Ok(instance),
            // Wasm was begun with, so it may be a plugin's doing.
            Err(Gone::Died(_)) if instance.early.iter().any(is_wasm) => return Ok(instance),
            Ok(false) if !background.is_empty() && instance.early.iter().any(is_wasm) => {
                instance.hung = true;
                return Ok(instance);
            }
            Ok(false) => format!("it did not serve within {} s", START.as_secs()),
            Err(Gone::Died(how)) => format!("it died: {how}"),
            Err(Gone::Hung) => "it hung".into(),
            Err(Gone::Broken(context)) => context,
        };
        Err(Gone::Broken(format!("failed to start {}: {why}{}", program.display(), instance.last_words())))
    }

    async fn await_start(&mut self, deadline: Instant) -> Result<bool, Gone> {
        self.update(Vec::new()).await?;
        while self.lds.verdict() != Some(true) {
            match self.next(deadline).await? {
                Some(seen) => self.early.push(seen),
                None => return Ok(false),
            }
        }
        let stream = loop {
            match net::connect(self.ports.barrier).await {
                Ok(stream) => break stream,
                Err(_) if Instant::now() > deadline => return Ok(false),
                Err(_) => {
                    let end = Instant::now() + Duration::from_millis(5);
                    while let Some(seen) = self.next(end).await? {
                        self.early.push(seen);
                    }
                }
            }
        };
        self.barrier = Some(self.attach(stream, Peer::Barrier)?.0);
        let failed = |error| Gone::Broken(format!("failed to connect to the main thread: {error}"));
        let stream = net::connect(self.ports.admin).await.map_err(failed)?;
        self.main = Some(self.attach(stream, Peer::Admin)?.0);
        let ping = self.ping().await?;
        loop {
            match self.next(deadline).await? {
                Some(Seen::Pong(number)) if number == ping => return Ok(true),
                Some(seen) => self.early.push(seen),
                None => return Ok(false),
            }
        }
    }
}

/// Whether a scenario is for one plugin and goes on and on.
pub fn is_streamed(run: &Run) -> bool {
    run.keep && run.plugins.len() == 1
}

fn is_wasm(seen: &Seen) -> bool {
    matches!(seen, Seen::Line(line) if line.component == "wasm")
}
