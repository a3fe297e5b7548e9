//! A proxy under attack, what its embedder keeps of it, and what must hold after each event.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use pw_host::{
    Effect, ForeignFunction, GrpcCallId, HttpCallId, Limits, Module, Piece, PluginConfig, PluginId, Proxy, ProxyConfig,
    StreamId, StreamInfo,
};

use super::bystanders::{self, MARK};
use super::maps::fields;
use super::plan::{self, Plugin};
use super::template::template;
use super::watch::{self, Watch};
use super::wire::{self, Messages};

/// What was wrong, in a line.
pub(crate) type Wrong = String;

/// Bytes that the host may hold of a VM besides what is charged, of a stream, of an effect, and in all.
const VM: usize = 128 << 10;
/// What a VM leaves in lists that are as long as they ever were.
const LEFT: usize = 4 << 10;
const STREAM: usize = 4 << 10;
const EFFECT: usize = 3 << 10;
const SLACK: usize = 2 << 20;
/// How many callbacks one entry of the host's work list may make beyond a plugin's share, such as the last three of a context.
const BEYOND: usize = 8;
/// How long one action is done again, however often it is to be.
const REPEATING: Duration = Duration::from_secs(2);
/// How long what events have left is gone on with, before the next action.
const SETTLING: Duration = Duration::from_millis(500);
/// How many times `advance` may be called to finish the work that an event has left. Plugins may fill queues with some hundred
/// thousand small items, and each call may notify a reader of one item only.
const ROUNDS: usize = 1_000_000;
/// The same when all plugins have ended: nothing is done then but to leave.
const LAST_ROUNDS: usize = 1000;

/// The guards that there were, and which one serves now.
pub(super) struct Guards {
    pub(super) all: Vec<PluginId>,
    pub(super) serving: PluginId,
    pub(super) canary: Option<(PluginId, bool)>,
    /// The operator has retired the one that serves, so that streams pass.
    pub(super) retired: bool,
}

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    watch: Watch,
    /// The attacker's modules, and how they are set up.
    pub(super) templates: Vec<(Module, PluginConfig)>,
    /// Ids of plugins of the attacker's that there were.
    pub(crate) plugins: Vec<PluginId>,
    pub(super) limits: HashMap<PluginId, Limits>,
    victim: PluginId,
    pub(super) guards: Guards,
    pub(crate) streams: Vec<StreamId>,
    guarded: HashSet<StreamId>,
    open: HashMap<StreamId, Messages>,
    pub(crate) calls: VecDeque<HttpCallId>,
    pub(crate) grpc_calls: VecDeque<GrpcCallId>,
    pub(crate) drains: bool,
    /// What plugins may burn in an event, and hold, together.
    pub(super) fuel: u64,
    pub(super) host_memory: usize,
    /// How many VMs there were at most.
    vms: usize,
    /// When the action at hand began, by the clock and by the work of this thread.
    clock: (Instant, u64),
    /// What was allocated before the attack.
    baseline: usize,
    /// Bytes, and things, from outside that no effect has brought out yet.
    given: (usize, usize),
    /// What the event at hand is about, for the message.
    about: &'static str,
    /// The stream of the victim's client, and what became of it.
    visit: Option<StreamId>,
    seen: Vec<Effect>,
}

impl World {
    pub(crate) fn new(plugins: &[Plugin]) -> Result<World, Wrong> {
        let templates: Vec<_> = plugins.iter().filter_map(template).collect();
        bystanders::victim();
        bystanders::guard();
        let baseline = watch::allocated();
        let mut proxy = Proxy::new(ProxyConfig {
            start_time: 1,
            seed: 1,
            upstreams: None,
            plugins: 1100,
            foreign_functions: [("k".to_owned(), ForeignFunction::new(|arguments| Ok(arguments.to_vec())))].into(),
            ..ProxyConfig::default()
        });
        let watch = Watch::default();
        proxy.observe(Box::new(watch.clone()));
        let mut add = |name, module| {
            let added = proxy.add_plugin(&module, bystanders::config(name, false));
            added.map_err(|error| format!("the {name} does not start: {error}"))
        };
        let victim = add("victim", bystanders::victim())?;
        let guard = add("guard", bystanders::guard())?;
        let guards = Guards { all: vec![guard], serving: guard, canary: None, retired: false };
        Ok(World {
            proxy,
            watch,
            templates,
            plugins: Vec::new(),
            limits: HashMap::new(),
            victim,
            guards,
            streams: Vec::new(),
            guarded: HashSet::new(),
            open: HashMap::new(),
            calls: VecDeque::new(),
            grpc_calls: VecDeque::new(),
            drains: true,
            fuel: 0,
            host_memory: 0,
            vms: 0,
            clock: (Instant::now(), watch::worked()),
            baseline,
            given: (0, 0),
            about: "",
            visit: None,
            seen: Vec::new(),
        })
    }

    /// One event, and what must hold after it.
    pub(crate) fn event<T>(&mut self, about: &'static str, event: impl FnOnce(&mut Proxy) -> T) -> Result<T, Wrong> {
        self.about = about;
        self.watch.begin();
        watch::forget_peak();
        let before = watch::allocated().saturating_sub(self.baseline);
        let begun = Instant::now();
        let result = event(&mut self.proxy);
        let took = begun.elapsed();
        let peak = watch::peak();
        self.work(took)?;
        self.memory(before, peak)?;
        if self.drains {
            self.drain()?;
        }
        Ok(result)
    }

    /// An action begins: events, and what is done between them.
    pub(crate) fn begin(&mut self) {
        self.clock = (Instant::now(), watch::worked());
    }

    /// Does something over and over, as long as that takes no time.
    pub(crate) fn repeat(
        &mut self,
        times: usize,
        mut something: impl FnMut(&mut World) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        let begun = Instant::now();
        (0..times).try_for_each(|_| if begun.elapsed() < REPEATING { something(self) } else { Ok(()) })
    }

    /// The work that the event has made is within what the plugins may do, and what came from outside.
    fn work(&self, took: Duration) -> Result<(), Wrong> {
        if let Some(wrong) = self.watch.wrong() {
            return Err(format!("{}: {wrong}", self.about));
        }
        for (plugin, callbacks) in self.watch.callbacks() {
            let most = self.limits.get(&plugin).map_or(usize::MAX, |limits| limits.callbacks_per_event.max(1));
            if callbacks > most.saturating_add(BEYOND) {
                return Err(format!("{}: {callbacks} callbacks of a plugin that may have {most} an event", self.about));
            }
        }
        // Generous: what grows faster than it should goes beyond any factor.
        let slow = if cfg!(debug_assertions) {
            20
        } else if cfg!(fuzzing) {
            10
        } else {
            1
        };
        let (bytes, things) = self.given;
        // Each plugin may leave within the event, and what waits for it is passed on to others.
        let leaving = 1_000_000 * self.plugins.len() as u64;
        let most = 500_000_000 + leaving + 5 * self.fuel + 50 * bytes as u64 + 5_000 * things as u64;
        let most = Duration::from_nanos(slow * most);
        if took <= most {
            return Ok(());
        }
        // The machine may have done something else meanwhile: what this thread has done, without all that was not this event, is less.
        let (begun, worked) = self.clock;
        let besides = begun.elapsed().saturating_sub(took);
        let worked = Duration::from_nanos(watch::worked() - worked).saturating_sub(besides);
        match worked > most {
            true => Err(format!("{}: {worked:?} of work, of at most {most:?}", self.about)),
            false => Ok(()),
        }
    }

    /// What the host holds is within what it says that it holds, and what it held meanwhile within what it may.
    fn memory(&mut self, before: usize, peak: usize) -> Result<(), Wrong> {
        let held = watch::allocated().saturating_sub(self.baseline);
        let peak = peak.saturating_sub(self.baseline);
        if peak.max(held) <= SLACK {
            return Ok(());
        }
        let usage = self.proxy.usage();
        self.vms = self.vms.max(usage.vms);
        let (bytes, things) = self.given;
        let besides = (usage.vms + 4) * VM
            + (usage.streams + self.open.len()) * STREAM
            + (usage.effects + things) * EFFECT
            + 3 * bytes
            + self.plugins.len() * 1024
            + self.vms * LEFT
            + self.streams.len() * 64
            + SLACK;
        let most = 3 * usage.charged + besides;
        if held > most {
            return Err(format!("{}: {held} bytes are held, of at most {most}: {usage:?}", self.about));
        }
        let allowed = self.host_memory + 2 * self.guards.all.len() * (64 << 10);
        let most = before + 4 * allowed + 2 * besides;
        if peak > most {
            return Err(format!("{}: {peak} bytes were held, of at most {most}: {usage:?}", self.about));
        }
        let over = self.plugins.iter().find(|plugin| {
            let most = self.limits.get(plugin).map_or(0, |limits| limits.host_memory);
            self.proxy.charged(**plugin).is_some_and(|charged| charged > most)
        });
        over.map_or(Ok(()), |plugin| Err(format!("{}: {plugin:?} is charged more than it may have", self.about)))
    }

    /// Bytes and things came from outside.
    pub(crate) fn give(&mut self, bytes: usize, things: usize) {
        self.given = (self.given.0.saturating_add(bytes), self.given.1.saturating_add(things));
    }

    /// Takes all effects, and looks at each.
    pub(crate) fn drain(&mut self) -> Result<(), Wrong> {
        while let Some(effect) = self.proxy.next_effect() {
            self.effect(effect)?;
        }
        if self.proxy.usage().charged == 0 && self.open.is_empty() {
            self.given = (0, 0);
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) -> Result<(), Wrong> {
        let wrong = |what: String| Err(format!("{}: {what}", self.about));
        match &effect {
            Effect::Upstream { stream, piece } | Effect::Downstream { stream, piece } => {
                let request = matches!(effect, Effect::Upstream { .. });
                if request && self.guarded.contains(stream) {
                    return wrong(format!("a request came past the guard: {piece:?}"));
                }
                let Some(messages) = self.open.get_mut(stream) else {
                    return wrong(format!("{effect:?} of a stream that has ended"));
                };
                if let Err(what) = messages.leaves(request, piece) {
                    return wrong(what);
                }
            }
            Effect::Connect { stream } => {
                if let Err(what) = self.open.get_mut(stream).map_or(Ok(()), Messages::connects) {
                    return wrong(what);
                }
            }
            Effect::StreamEnded { stream } => {
                if self.open.remove(stream).is_none() {
                    return wrong(format!("{stream:?} has ended twice"));
                }
                self.guarded.remove(stream);
            }
            Effect::HttpCall { call, headers, trailers, .. } => {
                if let Err(what) = wire::request(headers).and_then(|()| wire::trailers(trailers)) {
                    return wrong(format!("an HTTP call: {what}"));
                }
                self.calls.push_back(*call);
                self.calls.truncate(64);
            }
            Effect::GrpcCall { call, metadata, .. } => {
                if let Err(what) = wire::trailers(metadata) {
                    return wrong(format!("a gRPC call: {what}"));
                }
                self.grpc_calls.push_back(*call);
                self.grpc_calls.truncate(64);
            }
            Effect::Fault { plugin, reason } if *plugin == self.victim => {
                return wrong(format!("the victim has a fault: {reason}"));
            }
            Effect::Fault { reason, .. } if reason.contains('\n') || reason.len() > 2000 => {
                return wrong(format!("a reason of {} bytes", reason.len()));
            }
            _ => {}
        }
        let about = match &effect {
            Effect::Upstream { stream, .. } | Effect::Downstream { stream, .. } | Effect::StreamEnded { stream } => {
                Some(*stream)
            }
            _ => None,
        };
        if about.is_some() && about == self.visit {
            self.seen.push(effect);
        }
        Ok(())
    }

    /// A client opens a stream.
    pub(crate) fn open(&mut self, chain: &[usize], guard: Option<usize>, tcp: bool) -> Result<StreamId, Wrong> {
        let mut plugins: Vec<PluginId> = chain.iter().filter_map(|number| self.plugin(*number)).collect();
        if let Some(place) = guard {
            let guard = self.guards.all[place % self.guards.all.len()];
            // One that stood in its place once leads to who serves now, and one that was only tried does not.
            let guard = if place % 2 == 0 { self.guards.serving } else { guard };
            plugins.insert(place % (plugins.len() + 1), guard);
        }
        self.give(64 * plugins.len(), 1 + plugins.len());
        // What the stream does at once is not drained before it is known.
        let drains = std::mem::replace(&mut self.drains, false);
        let stream = self.event("open", |proxy| match tcp {
            true => proxy.open_connection(&plugins, StreamInfo::default()),
            false => proxy.open_stream(&plugins, StreamInfo::default()),
        });
        self.drains = drains;
        let stream = stream?;
        if self.open.insert(stream, Messages::new(tcp)).is_some() {
            return Err(format!("{stream:?} was given before"));
        }
        self.streams.push(stream);
        if guard.is_some_and(|place| place % 2 == 0) && !self.guards.retired && !tcp {
            self.guarded.insert(stream);
        }
        if self.drains {
            self.drain()?
        }
        Ok(stream)
    }

    /// A request of the victim's client, and all of its outcome.
    pub(crate) fn visit(&mut self) -> Result<(), Wrong> {
        self.drain()?;
        let drains = std::mem::replace(&mut self.drains, true);
        let victim = self.victim;
        let stream = self.proxy.open_stream(&[victim], StreamInfo::default());
        self.open.insert(stream, Messages::new(false));
        self.visit = Some(stream);
        self.event("the victim's request", |proxy| {
            proxy.request(stream, Piece::headers(fields(plan::Map::Request), true));
        })?;
        let seen = std::mem::take(&mut self.seen);
        match &seen[..] {
            [Effect::Upstream { piece: Piece::Headers { headers, .. }, .. }] if headers.get(MARK.0) == Some(MARK.1) => {
            }
            _ => return Err(format!("the victim's request had this outcome: {seen:?}")),
        }
        self.event("the victim's response", |proxy| {
            proxy.response(stream, Piece::headers([(":status", "200")], true));
        })?;
        let seen = std::mem::take(&mut self.seen);
        match &seen[..] {
            [Effect::Downstream { .. }, Effect::StreamEnded { .. }] => {}
            _ => return Err(format!("the victim's response had this outcome: {seen:?}")),
        }
        (self.drains, self.visit) = (drains, None);
        Ok(())
    }

    /// Continues what events have left, and lets that time pass. Returns whether nothing is left then.
    pub(crate) fn settle(&mut self, mut steps: usize) -> Result<(), Wrong> {
        let (mut rounds, begun) = (0, Instant::now());
        while let Some(due) = self.proxy.next_due() {
            if due.is_zero() {
                rounds += 1;
            } else if steps == 0 {
                return Ok(());
            } else {
                steps -= 1;
            }
            if rounds > ROUNDS {
                return Err("what events have left has no end".to_owned());
            }
            // A storm may last as long as there is room for it: 1000 plugins for a minute.
            if begun.elapsed() > SETTLING || steps == 0 && rounds > 200 {
                return Ok(());
            }
            self.event("advance", |proxy| proxy.advance(due))?;
        }
        Ok(())
    }

    /// Everything ends, and nothing is left.
    pub(crate) fn finish(&mut self) -> Result<(), Wrong> {
        self.drains = true;
        self.drain()?;
        self.visit()?;
        for plugin in self.plugins.clone().into_iter().chain(self.guards.all.clone()) {
            self.event("terminate at the end", |proxy| proxy.terminate_plugin(plugin))?;
        }
        let open: Vec<StreamId> = self.open.keys().copied().collect();
        for stream in open {
            self.event("reset at the end", |proxy| proxy.downstream_reset(stream))?;
        }
        self.visit()?;
        let victim = self.victim;
        self.event("terminate the victim", |proxy| proxy.terminate_plugin(victim))?;
        let mut rounds = 0;
        while self.proxy.next_due() == Some(Duration::ZERO) {
            self.event("advance at the end", |proxy| proxy.advance(Duration::ZERO))?;
            rounds += 1;
            if rounds > LAST_ROUNDS {
                return Err("what events have left has no end".to_owned());
            }
        }
        if let Some(due) = self.proxy.next_due() {
            return Err(format!("all plugins have ended, and something is due in {due:?}"));
        }
        let usage = self.proxy.usage();
        if usage != pw_host::Usage::default() {
            return Err(format!("all plugins and streams have ended, and there are left: {usage:?}"));
        }
        if !self.open.is_empty() {
            return Err(format!("{} streams were never said to have ended", self.open.len()));
        }
        self.given = (0, 0);
        (self.streams, self.plugins, self.open) = (Vec::new(), Vec::new(), HashMap::new());
        (self.limits, self.guarded) = (HashMap::new(), HashSet::new());
        self.memory(0, 0)
    }
}
