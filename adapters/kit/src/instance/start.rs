//! How a process starts: servers and ports, the command, and the wait until it serves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::job::Run;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::{HostError, Instance, Seen};
use crate::link::Peer;
use crate::net::{self, Reserved};
use crate::process::Process;
use crate::target::{CALLEES, Launch, Ports, Target};

/// How long the host may take to serve.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The time between two attempts to connect to a host that starts.
const CONNECT_INTERVAL: Duration = Duration::from_millis(5);

impl Instance {
    /// Starts a process for a scenario and waits until it serves. If plugins start with it, it may have crashed or hang because
    /// of them; then the instance says so when it is used.
    ///
    /// # Errors
    ///
    /// The host does not start, for a reason that is not a plugin.
    pub async fn start(adapter: &Path, target: &dyn Target, run: &Run) -> Result<Instance, HostError> {
        let failed = |error: String| HostError::Adapter(format!("failed to start the host: {error}"));
        let (sender, inbox) = unbounded_channel();
        let mut servers = Vec::new();
        for _ in 0..1 + CALLEES.len() {
            servers.push(net::serve(&sender).await.map_err(|error| failed(error.to_string()))?);
        }
        let reserved: Result<Vec<Reserved>, _> = (0..5).map(|_| Reserved::new()).collect();
        let reserved = reserved.map_err(|error| failed(error.to_string()))?;
        let ports = Ports {
            upstream: servers[0],
            callees: [servers[1], servers[2]],
            barrier: reserved[0].port,
            http: reserved[1].port,
            tcp: reserved[2].port,
            dead: reserved[3].port,
            admin: reserved[4].port,
        };
        let Launch { command, driver, barriers, client_port } = target.launch(run, &ports).map_err(failed)?;
        let process = Process::start(adapter, &command, &sender).map_err(|error| failed(error.to_string()))?;
        let mut instance = Instance {
            process,
            driver,
            ports,
            client_port,
            inbox,
            sender,
            links: BTreeMap::new(),
            opened: 0,
            barriers: Vec::new(),
            pings: 0,
            queue: VecDeque::new(),
            excerpt: VecDeque::new(),
            exited: None,
            caught: None,
            log_ended: false,
            writes: 0,
            metrics: Vec::new(),
            awaited: BTreeSet::new(),
            serving: BTreeMap::new(),
            early: Vec::new(),
            is_hung: false,
            _reserved: reserved,
        };
        let served = instance.await_start(&barriers, Instant::now() + START_TIMEOUT).await;
        let by_plugin = instance.early.iter().any(|seen| instance.is_of_plugins(seen));
        let reason = match served {
            Ok(true) => return Ok(instance),
            // Plugins had begun to start, so the reason may be one of them.
            Err(HostError::Crashed(_)) if by_plugin => return Ok(instance),
            Ok(false) if by_plugin => {
                instance.is_hung = true;
                return Ok(instance);
            }
            Ok(false) => format!("it did not serve within {} s", START_TIMEOUT.as_secs()),
            Err(HostError::Crashed(how)) => format!("it crashed: {how}"),
            Err(HostError::Hung) => "it hangs".into(),
            Err(HostError::Adapter(context)) => context,
        };
        Err(failed(format!("{reason}{}", instance.excerpt())))
    }

    fn is_of_plugins(&self, seen: &Seen) -> bool {
        matches!(seen, Seen::Line(line) if self.driver.classify(line).of_plugins)
    }

    /// Waits until the host answers pings on all of its barriers; whether it did so in time.
    async fn await_start(&mut self, barriers: &[u16], deadline: Instant) -> Result<bool, HostError> {
        for port in barriers {
            let stream = loop {
                match net::connect(*port).await {
                    Ok(stream) => break stream,
                    Err(_) if Instant::now() > deadline => return Ok(false),
                    Err(_) => {
                        let end = Instant::now() + CONNECT_INTERVAL;
                        while let Some(seen) = self.next(end).await? {
                            self.early.push(seen);
                        }
                    }
                }
            };
            let (link, _) = self.attach(stream, Peer::Barrier)?;
            self.barriers.push(link);
        }
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
