//! Requests through a fleet: those of healthy plugins are watched, those of the others only made.
//!
//! The proxy's time is the CPU time of the slices in which requests are made: between them it stands still.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pw_host::{Effect, Fields, Piece, PluginId, Proxy, StreamId, StreamInfo};

use crate::call::Call;
use crate::clock;
use crate::exchange::{CHAIN, End, Exchange, request};
use crate::fields::is_http;
use crate::fleet::{BAD_CALLBACKS, BAD_HOST_MEMORY, Fleet};
use crate::kinds::KINDS;
use crate::tally::Tally;
use crate::work::Work;

/// Requests of healthy plugins in flight.
const WINDOW: usize = 16;
/// Number of requests after which the proxy's time is advanced, and a plugin that misbehaves may get a request.
const BATCH: u64 = 16;
/// Calls of plugins that wait for their answers; older ones get none.
const CALLS: usize = 64;
/// An entry of the work list that has begun is finished: it may call a plugin up to three times.
const LAST_ENTRY: u64 = 2;

/// How often each plugin that misbehaves gets a request, whether it runs or waits to be started again.
const PERIOD: Duration = Duration::from_millis(2);

/// A fleet at work.
pub(super) struct Traffic {
    pub(super) fleet: Fleet,
    pub(super) tally: Tally,
    in_flight: VecDeque<Exchange>,
    /// Streams whose outcome does not count.
    pub(super) others: HashSet<StreamId>,
    /// Those of them that are left open.
    pub(super) left_open: VecDeque<StreamId>,
    /// Calls of plugins that have no answer yet.
    pub(super) calls: VecDeque<Call>,
    /// Calls that are answered late, perhaps after the plugin has given up.
    pub(super) late: VecDeque<Call>,
    /// Whose turn it is among those that misbehave.
    pub(super) turn: usize,
    random: Rng,
    number: u64,
    /// Up to when the proxy's time has passed.
    time: Duration,
    /// When the next request to a plugin that misbehaves is due. What falls due while another one hangs is left out.
    due: Duration,
    /// What the event did; kept for its memory.
    work: Vec<Work>,
}

impl Traffic {
    /// Those that misbehave are started now, as far as they start.
    pub(super) fn new(fleet: Fleet, seed: u64) -> Traffic {
        let mut traffic = Traffic {
            fleet,
            tally: Tally::default(),
            in_flight: VecDeque::new(),
            others: HashSet::new(),
            left_open: VecDeque::new(),
            calls: VecDeque::new(),
            late: VecDeque::new(),
            turn: 0,
            random: Rng::with_seed(seed),
            number: 0,
            time: Duration::ZERO,
            due: Duration::ZERO,
            work: Vec::new(),
        };
        traffic.start_all();
        traffic
    }

    /// Starts a plugin in each place for one that misbehaves: the ways to do so in turn.
    pub(super) fn start_all(&mut self) {
        for place in 0..self.fleet.bad.len() {
            self.fleet.bad[place].kind = place % KINDS.len();
            self.start(place);
        }
    }

    /// Ends all that misbehave, and what clients and servers keep open.
    pub(super) fn clear_out(&mut self) {
        /// Nothing is left sooner.
        const ROUNDS: usize = 100_000;
        let others: Vec<StreamId> = self.others.iter().copied().collect();
        others.into_iter().for_each(|stream| self.event(|proxy| proxy.downstream_reset(stream)));
        let plugins: Vec<PluginId> = self.fleet.plugins().collect();
        plugins.into_iter().for_each(|plugin| self.event(|proxy| proxy.terminate_plugin(plugin)));
        for _ in 0..ROUNDS {
            if self.fleet.proxy.next_due() != Some(Duration::ZERO) {
                break;
            }
            self.event(|proxy| proxy.advance(Duration::ZERO));
        }
        self.left_open.clear();
        self.calls.clear();
        self.late.clear();
        self.fleet.clear();
    }

    /// `requests` requests through healthy plugins, and those to the others that fall due meanwhile.
    pub(super) fn slice(&mut self, requests: u64) {
        let begun = clock::now();
        (self.time, self.due) = (begun, begun);
        for count in 0..requests {
            self.open();
            if self.in_flight.len() > WINDOW {
                self.answer();
            }
            if count.is_multiple_of(BATCH) {
                self.advance();
                if self.due <= self.time && !self.fleet.bad.is_empty() {
                    self.due = self.time + PERIOD / self.fleet.bad.len() as u32;
                    self.misbehave();
                }
            }
        }
        while !self.in_flight.is_empty() {
            self.answer();
        }
        self.advance();
        self.tally.time += clock::now() - begun;
        self.weigh_all();
    }

    /// Counts from here on; what must not happen at any time stays.
    pub(super) fn clear(&mut self) {
        self.tally = std::mem::take(&mut self.tally).cleared();
    }

    /// Plugins whose own count of requests is not what they got.
    pub(super) fn miscounts(&mut self) -> u64 {
        let counts: HashMap<&[u8], u64> = self.fleet.proxy.metrics().into_iter().collect();
        let healthy = self.fleet.healthy.iter();
        healthy.filter(|one| counts.get(one.field.as_bytes()) != Some(&one.requests)).count() as u64
    }

    /// A number below another one.
    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.random.usize(0..below)
    }

    /// Some healthy plugins in a row, by their places.
    pub(super) fn chain(&mut self) -> [usize; CHAIN] {
        let count = self.fleet.healthy.len();
        let first = self.random.usize(0..count);
        std::array::from_fn(|place| (first + place) % count)
    }

    /// Something happens to the proxy: what it makes plugins do is counted, and what comes out of it is drained.
    pub(super) fn event<T>(&mut self, event: impl FnOnce(&mut Proxy) -> T) -> T {
        let begun = Instant::now();
        let outcome = event(&mut self.fleet.proxy);
        let took = begun.elapsed();
        self.count(took);
        self.drain();
        outcome
    }

    pub(super) fn request(&mut self, stream: StreamId, piece: Piece) {
        self.event(|proxy| proxy.request(stream, piece));
    }

    pub(super) fn response(&mut self, stream: StreamId, piece: Piece) {
        self.event(|proxy| proxy.response(stream, piece));
    }

    /// Counts what an event that took so long made plugins do.
    pub(super) fn count(&mut self, took: Duration) {
        let Traffic { fleet, tally, work, .. } = self;
        fleet.watch.take(work);
        let events = &mut tally.events;
        events.longest = events.longest.max(took);
        events.callbacks.add(work.iter().map(|work| work.callbacks).sum());
        events.parked += u64::from(fleet.proxy.next_due() == Some(Duration::ZERO));
        for work in &*work {
            tally.events.by_one.add(work.callbacks);
            let Some(kind) = fleet.kind(work.plugin) else { continue };
            tally.kinds[kind].callbacks += work.callbacks;
            tally.kinds[kind].calls += work.calls;
            let events = &mut tally.events;
            events.used_up += u64::from(work.callbacks >= BAD_CALLBACKS as u64);
            events.excesses += u64::from(work.callbacks > BAD_CALLBACKS as u64 + LAST_ENTRY);
            // What is not drained yet is charged, too.
            if let Some(charged) = fleet.proxy.charged(work.plugin) {
                tally.weigh(Some(kind), charged, BAD_HOST_MEMORY);
            }
        }
    }

    /// What each plugin is charged with.
    fn weigh_all(&mut self) {
        let Traffic { fleet, tally, .. } = self;
        let limit = pw_host::Limits::default().host_memory;
        for healthy in &fleet.healthy {
            tally.weigh(None, fleet.proxy.charged(healthy.plugin).unwrap_or(0), limit);
        }
        for plugin in fleet.plugins() {
            if let (Some(kind), Some(charged)) = (fleet.kind(plugin), fleet.proxy.charged(plugin)) {
                tally.weigh(Some(kind), charged, BAD_HOST_MEMORY);
            }
        }
    }

    /// A client sends a request through some healthy plugins.
    fn open(&mut self) {
        let begun = Instant::now();
        self.number += 1;
        let chain = self.chain();
        let plugins = chain.map(|index| self.fleet.healthy[index].plugin);
        chain.iter().for_each(|index| self.fleet.healthy[*index].requests += 1);
        let stream = self.event(|proxy| proxy.open_stream(&plugins, StreamInfo::default()));
        let request = request(self.number);
        let fields = chain.map(|index| self.fleet.healthy[index].field.as_str());
        self.in_flight.push_back(Exchange::new(stream, begun, self.number, &request, fields));
        for piece in request {
            self.request(stream, piece);
        }
    }

    /// The upstream answers the oldest request, which ends then.
    fn answer(&mut self) {
        let Some(oldest) = self.in_flight.front_mut() else { return };
        let stream = oldest.stream;
        for piece in std::mem::take(&mut oldest.answer) {
            self.response(stream, piece);
        }
        if let Some(exchange) = self.in_flight.pop_front() {
            self.tally.requests += 1;
            self.tally.latency.add_span(exchange.begun.elapsed());
            match exchange.end() {
                End::Whole => {}
                End::Altered => self.tally.altered += 1,
                End::Lost => self.tally.lost += 1,
            }
        }
    }

    /// Time passes. What that takes is set aside: most of it is what plugins that misbehave have asked for.
    fn advance(&mut self) {
        /// How often time is advanced without passing.
        const ROUNDS: u64 = 4;
        let now = clock::now();
        let passed = now - self.time;
        self.time = now;
        self.event(|proxy| proxy.advance(passed));
        // What events have left is done before the next one; plugins that never come to an end do not hold the others.
        let mut rounds = 0;
        while rounds < ROUNDS && self.fleet.proxy.next_due() == Some(Duration::ZERO) {
            rounds += 1;
            self.event(|proxy| proxy.advance(Duration::ZERO));
        }
        self.tally.events.rounds.add(rounds);
        self.tally.aside_time += clock::now() - now;
    }

    pub(super) fn drain(&mut self) {
        while let Some(effect) = self.fleet.proxy.next_effect() {
            match effect {
                Effect::Upstream { stream, piece } => {
                    self.watch(stream, &piece, |exchange| exchange.upstream_gets(&piece))
                }
                Effect::Downstream { stream, piece } => {
                    self.watch(stream, &piece, |exchange| exchange.client_gets(&piece));
                }
                Effect::ResetUpstream { stream } | Effect::ResetDownstream { stream } => {
                    if let Some(exchange) = self.exchange(stream) {
                        exchange.cut();
                    }
                }
                Effect::StreamEnded { stream } => match self.exchange(stream) {
                    Some(exchange) => exchange.ended = true,
                    // One of a plugin that keeps contexts ends late.
                    None => _ = self.others.remove(&stream),
                },
                Effect::HttpCall { call, headers, trailers, .. } => {
                    self.check(&headers);
                    self.check(&trailers);
                    self.call(Call::Http(call));
                }
                Effect::GrpcCall { call, metadata, service, method, .. } => {
                    self.check(&metadata);
                    let names = Fields::from([("x", service), ("x", method)]);
                    self.check(&names);
                    self.call(Call::Grpc(call));
                }
                Effect::Fault { plugin, .. } => self.fault(plugin),
                Effect::Restarted { plugin } => {
                    if let Some(kind) = self.fleet.kind(plugin) {
                        self.tally.kinds[kind].reloads += 1;
                    }
                }
                _ => {}
            }
        }
    }

    fn fault(&mut self, plugin: PluginId) {
        match self.fleet.kind(plugin) {
            Some(kind) => self.tally.kinds[kind].faults += 1,
            None => self.tally.healthy_faults += 1,
        }
    }

    /// A plugin makes a call, which some server may answer.
    fn call(&mut self, call: Call) {
        if self.calls.len() == CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// An answer comes when many other calls have been made.
    pub(super) fn answer_late(&mut self, call: Call) {
        self.late.push_back(call);
    }

    fn exchange(&mut self, stream: StreamId) -> Option<&mut Exchange> {
        self.in_flight.iter_mut().find(|exchange| exchange.stream == stream)
    }

    /// Something came out of a stream; out of one that is over nothing should.
    fn watch(&mut self, stream: StreamId, piece: &Piece, watch: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = self.exchange(stream) {
            return watch(exchange);
        }
        if !self.others.contains(&stream) {
            self.tally.altered += 1;
        } else if let Piece::Headers { headers: fields, .. } | Piece::Trailers { trailers: fields } = piece {
            self.check(fields);
        }
    }

    /// What leaves the host has to be HTTP.
    fn check(&mut self, fields: &Fields) {
        self.tally.smuggled += u64::from(!is_http(fields));
    }
}
