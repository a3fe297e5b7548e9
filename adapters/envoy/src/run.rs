//! A scenario on one Envoy: start the plugins, do the steps, say what was seen.
//!
//! A step is done, then Envoy is left alone until it is idle: its worker and its main thread answered several pings in a
//! row, between which nothing was seen, and nothing is under way on a TCP connection. So a window ends when nothing is left
//! to happen, however slow the machine is. A scenario that is kept for more steps is in a hurry: there each of its
//! connections is pinged, until nothing was seen between two answers.

mod changes;
mod grpc;
mod sight;
mod steps;
mod tcp;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::job::Run;
use pw_cases::scenario::Step;
use pw_cases::transcript::Event;
use tokio::time::Instant;

use crate::attribution::Attribution;
use crate::config;
use crate::instance::{Gone, Instance, Seen, is_streamed};
use crate::link::Peer;
use crate::window::Window;
use sight::Message;
use steps::{Client, Steady};
use tcp::Pipe;

/// A scenario may take so long, besides the time that it lets pass itself.
const LIMIT: Duration = Duration::from_secs(15);
/// So long may a ping take.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long may a ping take on the connection of a stream or a call.
const SILENCE: Duration = Duration::from_millis(200);
/// So long may the verdict on a listener take: modules are compiled before.
const START: Duration = Duration::from_secs(10);
/// So many pings in a row must be answered with nothing seen between them.
const QUIET: u32 = 5;
/// The time from every second answer to the next ping.
const PAUSE: Duration = Duration::from_millis(1);
/// So many pings at most, for plugins that never rest.
const PINGS: u32 = 150;
/// So long may VMs take to go once their listener is gone.
const FAREWELL: Duration = Duration::from_secs(1);

/// The outcome of a scenario.
pub struct Outcome {
    /// What was seen.
    pub events: Vec<Event>,
    /// What may go on.
    pub left: Left,
    /// The adapter failed, and how.
    pub error: Option<String>,
}

/// What is left of a scenario.
pub enum Left {
    /// Nothing that is of use.
    Nothing,
    /// An Envoy that is as it was before and may serve another scenario.
    Instance(Box<Instance>),
    /// The scenario, which goes on.
    Kept(Box<Kept>),
}

/// A scenario that goes on.
pub struct Kept(Stage);

/// Runs a scenario. `serial` is a number that no other scenario of this Envoy has.
pub async fn run(instance: Instance, run: Run, serial: u64) -> Outcome {
    let steps = run.steps.clone();
    let chain = config::chain(&run);
    let mut stage = Stage {
        deadline: deadline(&steps),
        attribution: Attribution::new(instance.process(), &run.plugins, &chain, !config::has_streams_in_flight(&run)),
        instance,
        chain,
        listener: format!("scenario-{serial}"),
        events: Vec::new(),
        window: Window::default(),
        background: run.plugins.iter().any(|plugin| plugin.settings.background),
        started: false,
        beginning: Vec::new(),
        complaints: Vec::new(),
        rejection: None,
        vms: 0,
        seen: 0,
        clients: BTreeMap::new(),
        upstreams: BTreeMap::new(),
        incoming: BTreeMap::new(),
        calls: Vec::new(),
        grpc: Vec::new(),
        pipes: BTreeMap::new(),
        metrics: None,
        steady: None,
        run,
    };
    match stage.start().await {
        Ok(true) => stage.go_on(&steps).await,
        Ok(false) => stage.end(Ok(())).await,
        Err(gone) => stage.end(Err(gone)).await,
    }
}

impl Kept {
    /// Whether it is for one plugin.
    pub fn is_streamed(&self) -> bool {
        is_streamed(&self.0.run)
    }

    /// Goes on with more steps.
    pub async fn more(self, steps: &[Step]) -> Outcome {
        let Kept(mut stage) = self;
        stage.deadline = deadline(steps);
        stage.go_on(steps).await
    }

    /// Ends it; the Envoy, if it can serve another scenario.
    pub async fn end(self) -> Option<Instance> {
        match self.0.end(Ok(())).await.left {
            Left::Instance(instance) => Some(*instance),
            Left::Nothing | Left::Kept(_) => None,
        }
    }
}

/// When steps must be done.
fn deadline(steps: &[Step]) -> Instant {
    let waits = steps.iter().map(|step| match step {
        Step::Advance { milliseconds } => Duration::from_millis(*milliseconds),
        _ => Duration::ZERO,
    });
    Instant::now() + LIMIT + waits.sum()
}

struct Stage {
    instance: Instance,
    /// With the plugins' latest configurations.
    run: Run,
    /// The plugins that new streams pass through, by their places in the scenario.
    chain: Vec<usize>,
    /// The listener's name.
    listener: String,
    deadline: Instant,
    events: Vec<Event>,
    window: Window,
    attribution: Attribution,
    /// There are plugins in the background.
    background: bool,
    /// Those are started.
    started: bool,
    /// What the main thread's VMs logged, and how they failed, by VM and plugin: told of a plugin that was refused, and
    /// of one in the background.
    beginning: Vec<(usize, usize, Event)>,
    /// What Envoy said of the main thread's VMs that failed.
    complaints: Vec<String>,
    /// Why Envoy did not take the listener.
    rejection: Option<String>,
    /// VMs in the process.
    vms: u32,
    /// Things seen so far.
    seen: u64,
    clients: BTreeMap<u32, Client>,
    /// The upstream's side of streams whose response is not complete: connection and stream.
    upstreams: BTreeMap<u32, (u64, u32)>,
    /// Messages that arrive at our servers, by connection and stream.
    incoming: BTreeMap<(u64, u32), Message>,
    /// Calls that arrived: connection and stream, until they are answered or given up.
    calls: Vec<Option<(u64, u32)>>,
    /// gRPC calls that arrived.
    grpc: Vec<grpc::Call>,
    /// TCP streams.
    pipes: BTreeMap<u32, Pipe>,
    /// What Envoy told of metrics.
    metrics: Option<Vec<(String, u64)>>,
    /// The connection of the clients of a scenario that is kept.
    steady: Option<Steady>,
}

impl Stage {
    /// Starts the plugins. Returns whether Envoy took all.
    async fn start(&mut self) -> Result<bool, Gone> {
        if !self.start_background().await? {
            return Ok(false);
        }
        let listener = config::listener(&self.listener, self.instance.ports(), &self.run, &self.chain);
        let taken = self.update(vec![listener]).await?;
        self.settle().await?;
        if taken {
            self.end_window();
        } else {
            self.refuse();
        }
        Ok(taken)
    }

    /// Does steps, and keeps the scenario if more may follow.
    async fn go_on(mut self, steps: &[Step]) -> Outcome {
        match self.play(steps).await {
            Ok(()) if self.run.keep => {
                let events = std::mem::take(&mut self.events);
                self.forget();
                Outcome { events, left: Left::Kept(Box::new(Kept(self))), error: None }
            }
            played => self.end(played).await,
        }
    }

    /// What is told and left when there are no more steps.
    async fn end(mut self, played: Result<(), Gone>) -> Outcome {
        let mut reusable = false;
        let ended = match played {
            // What follows is not reported, but if it is the end of Envoy.
            Ok(()) => self.clear().await.map(|cleared| reusable = cleared),
            Err(gone) => Err(gone),
        };
        let mut error = None;
        match ended {
            Ok(()) => {}
            Err(Gone::Died(how)) => self.die(how),
            Err(Gone::Hung) => self.die("hung, and was killed".into()),
            Err(Gone::Broken(context)) => error = Some(format!("{context}{}", self.instance.last_words())),
        }
        let left = if reusable { Left::Instance(Box::new(self.instance)) } else { Left::Nothing };
        Outcome { events: self.events, left, error }
    }

    async fn play(&mut self, steps: &[Step]) -> Result<(), Gone> {
        for (index, step) in (0..).zip(steps) {
            self.events.push(Event::Step { index });
            let before = self.instance.written();
            self.act(step).await?;
            if self.run.keep {
                // What had no effect has no consequences.
                if self.instance.written() > before || matches!(step, Step::Advance { .. }) {
                    self.calm().await?;
                }
            } else {
                self.settle().await?;
            }
            self.end_window();
        }
        Ok(())
    }

    /// Tells how the plugins in the background started. Returns whether Envoy took all.
    async fn start_background(&mut self) -> Result<bool, Gone> {
        for seen in self.instance.take_early() {
            self.see(seen);
        }
        if self.background {
            if self.rejection.is_some() {
                self.refuse();
                return Ok(false);
            }
            self.settle().await?;
            let beginning = std::mem::take(&mut self.beginning);
            for (at, _) in self.run.plugins.iter().enumerate().filter(|(_, plugin)| plugin.settings.background) {
                let own = || beginning.iter().filter(|(_, of, _)| *of == at);
                // The VM that stays is made last.
                let last = own().map(|(vm, ..)| *vm).max();
                own().filter(|(vm, ..)| Some(*vm) == last).for_each(|(.., event)| self.window.push(event.clone()));
            }
        }
        self.started = true;
        Ok(true)
    }

    fn die(&mut self, how: String) {
        self.window.push(Event::Died { how });
        self.end_window();
    }

    /// Leaves Envoy as it was before. Returns whether that could be done.
    async fn clear(&mut self) -> Result<bool, Gone> {
        if self.background || config::has_streams_in_flight(&self.run) {
            // They, and what was replaced, are there as long as Envoy is.
            return Ok(false);
        }
        self.cut_pipes().await?;
        self.instance.close(|peer| peer == Peer::Listener);
        // Nobody is told what plugins do now, so that they are gone is enough.
        self.update(Vec::new()).await?;
        self.bid_farewell().await?;
        if self.run.hazard {
            self.settle().await?;
        }
        self.instance.close(|peer| matches!(peer, Peer::Upstream(_) | Peer::TcpUpstream(_) | Peer::Callee(_)));
        self.window.take();
        Ok(self.vms == 0)
    }

    /// Hands Envoy these listeners and waits for its verdict.
    async fn update(&mut self, listeners: Vec<serde_json::Value>) -> Result<bool, Gone> {
        self.instance.update(listeners).await?;
        let patience = Instant::now() + START;
        loop {
            if let Some(verdict) = self.instance.verdict() {
                return Ok(verdict);
            }
            self.watch(patience).await?;
        }
    }

    /// Removes the plugins and waits until their VMs are gone. A plugin may hold its VM back.
    async fn remove(&mut self) -> Result<(), Gone> {
        self.update(Vec::new()).await?;
        self.settle().await?;
        self.bid_farewell().await?;
        self.settle().await
    }

    /// Waits until the VMs are gone, or that takes too long.
    async fn bid_farewell(&mut self) -> Result<(), Gone> {
        let patience = Instant::now() + FAREWELL;
        while self.vms > 0 && Instant::now() < patience {
            let end = patience.min(Instant::now() + PAUSE);
            self.pass(end).await?;
        }
        Ok(())
    }

    /// Tells that Envoy did not take the listener, and ends the run.
    fn refuse(&mut self) {
        // Whether the worker began to start the plugins before the one that was refused is a matter of luck.
        self.window.take();
        self.tell_refusal();
        self.end_window();
    }

    fn tell_refusal(&mut self) {
        let rejection = self.rejection.take().unwrap_or_else(|| "the listener was rejected".into());
        // It ends with the plugin's name, which may be the end of another's.
        let named =
            self.run.plugins.iter().enumerate().filter(|(_, plugin)| rejection.ends_with(&plugin.settings.name));
        let refused = named.max_by_key(|(_, plugin)| plugin.settings.name.len()).map_or(0, |(at, _)| at);
        // It was tried in a base VM, then in a canary; the latest got furthest.
        let vm = self.beginning.iter().rev().find(|(_, plugin, _)| *plugin == refused).map(|(vm, ..)| *vm);
        for (_, _, event) in self.beginning.drain(..).filter(|(of, plugin, _)| Some(*of) == vm && *plugin == refused) {
            // The refusal tells of faults.
            if !matches!(event, Event::Fault { .. }) {
                self.window.push(event);
            }
        }
        self.complaints.push(rejection);
        let plugin = self.run.plugins.get(refused).map(|plugin| plugin.settings.name.clone()).unwrap_or_default();
        self.window.push(Event::Refused { plugin, reason: self.complaints.join("; ") });
    }

    fn end_window(&mut self) {
        self.events.extend(self.window.take());
    }
}

/// Waiting.
impl Stage {
    /// Waits until Envoy is idle.
    async fn settle(&mut self) -> Result<(), Gone> {
        let mut quiet = 0;
        for _ in 0..PINGS {
            let before = self.seen;
            let ping = self.instance.ping().await?;
            let patience = Instant::now() + PATIENCE;
            while self.watch(patience).await? != Some(ping) {}
            if quiet % 2 == 0 {
                self.pass(Instant::now() + PAUSE).await?;
            }
            quiet = if self.seen == before { quiet + 1 } else { 0 };
            // To ask the kernel takes longer than a ping, so it is asked at the ends of a quiet time only.
            if matches!(quiet, 1 | QUIET) && self.instance.is_under_way() {
                quiet = 0;
            }
            if quiet == QUIET {
                break;
            }
        }
        Ok(())
    }

    /// Waits until nothing is on its way on any connection, and the worker does nothing.
    async fn calm(&mut self) -> Result<(), Gone> {
        for round in 0..PINGS {
            let before = self.seen;
            let ping = self.instance.ping_all().await?;
            self.hear(ping).await?;
            if self.seen == before && round > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Watches until a ping is answered. Connections may be silent for a reason of their own, the worker may not.
    async fn hear(&mut self, ping: u64) -> Result<(), Gone> {
        let (silence, patience) = (Instant::now() + SILENCE, Instant::now() + PATIENCE);
        loop {
            match self.instance.next(silence).await? {
                Some(Seen::Pong(number)) if number == ping => return Ok(()),
                Some(seen) => self.see(seen),
                None if self.instance.give_up() => return Ok(()),
                None => {
                    while self.watch(patience).await? != Some(ping) {}
                    return Ok(());
                }
            }
        }
    }

    /// Watches until a moment.
    async fn pass(&mut self, end: Instant) -> Result<(), Gone> {
        while let Some(seen) = self.instance.next(end).await? {
            self.see(seen);
        }
        if Instant::now() > self.deadline {
            return Err(Gone::Broken(format!("the scenario did not end within {} s", LIMIT.as_secs())));
        }
        Ok(())
    }

    /// Watches one thing, which must come by then. Returns the number of the ping that was answered, if it was that.
    async fn watch(&mut self, patience: Instant) -> Result<Option<u64>, Gone> {
        let seen = self.instance.next(patience).await?.ok_or(Gone::Hung)?;
        let pong = if let Seen::Pong(number) = seen { Some(number) } else { None };
        self.see(seen);
        Ok(pong)
    }
}
