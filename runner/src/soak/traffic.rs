//! Requests through a fleet: those of healthy plugins are watched, those of the others only made.
//!
//! The proxy's time is the CPU time of the slices in which requests are made: between them it stands still.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pw_host::{Effect, Fields, Piece, StreamId, StreamInfo};

use crate::soak::clock;
use crate::soak::exchange::{CHAIN, End, Exchange, request};
use crate::soak::fleet::{Bad, Fleet};
use crate::soak::kinds::KINDS;
use crate::soak::tally::Tally;

/// Requests of healthy plugins in flight.
const WINDOW: usize = 16;
/// After so many requests the proxy is told what time it is, and a plugin that misbehaves may get one.
const BATCH: u64 = 8;

/// How often each plugin that misbehaves gets a request, whether it runs or waits to be started again.
const PERIOD: Duration = Duration::from_millis(2);

/// A fleet at work.
pub(super) struct Traffic {
    pub(super) fleet: Fleet,
    pub(super) tally: Tally,
    in_flight: VecDeque<Exchange>,
    /// Whose turn it is among those that misbehave.
    turn: usize,
    /// A request to one of them, while it is made.
    bad: Option<StreamId>,
    random: Rng,
    number: u64,
    /// Up to when the proxy's time has passed.
    time: Duration,
    /// When the next request to a plugin that misbehaves is due. What falls due while another one hangs is left out.
    due: Duration,
}

impl Traffic {
    pub(super) fn new(fleet: Fleet, seed: u64) -> Traffic {
        Traffic {
            fleet,
            tally: Tally::default(),
            in_flight: VecDeque::new(),
            turn: 0,
            bad: None,
            random: Rng::with_seed(seed),
            number: 0,
            time: Duration::ZERO,
            due: Duration::ZERO,
        }
    }

    /// So many requests through healthy plugins, and those to the others that fall due meanwhile.
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
    }

    /// Counts from here on; what must not happen at any time stays.
    pub(super) fn clear(&mut self) {
        let Tally { lost, altered, healthy_faults, .. } = self.tally;
        self.tally = Tally { lost, altered, healthy_faults, ..Tally::default() };
    }

    /// Plugins whose own count of requests is not what they got.
    pub(super) fn miscounts(&mut self) -> u64 {
        let counts: HashMap<&[u8], u64> = self.fleet.proxy.metrics().into_iter().collect();
        let healthy = self.fleet.healthy.iter();
        healthy.filter(|one| counts.get(one.field.as_bytes()) != Some(&one.requests)).count() as u64
    }

    /// A client sends a request through some healthy plugins.
    fn open(&mut self) {
        let begun = Instant::now();
        self.number += 1;
        let count = self.fleet.healthy.len();
        let first = self.random.usize(0..count);
        let chain: [usize; CHAIN] = std::array::from_fn(|place| (first + place) % count);
        let plugins = chain.map(|index| self.fleet.healthy[index].plugin);
        chain.iter().for_each(|index| self.fleet.healthy[*index].requests += 1);
        let stream = self.fleet.proxy.open_stream(&plugins, StreamInfo::default());
        let request = request(self.number);
        let fields = chain.map(|index| self.fleet.healthy[index].field.as_str());
        self.in_flight.push_back(Exchange::new(stream, begun, self.number, &request, fields));
        for piece in request {
            self.fleet.proxy.request(stream, piece);
        }
        self.drain();
    }

    /// The upstream answers the oldest request, which ends then.
    fn answer(&mut self) {
        let Some(oldest) = self.in_flight.front_mut() else { return };
        let stream = oldest.stream;
        for piece in std::mem::take(&mut oldest.answer) {
            self.fleet.proxy.response(stream, piece);
        }
        self.drain();
        if let Some(exchange) = self.in_flight.pop_front() {
            self.tally.requests += 1;
            self.tally.latency.add(exchange.begun.elapsed());
            match exchange.end() {
                End::Whole => {}
                End::Altered => self.tally.altered += 1,
                End::Lost => self.tally.lost += 1,
            }
        }
    }

    /// A client sends a request through a plugin that misbehaves, and gives up if nothing comes of it.
    fn misbehave(&mut self) {
        let Bad { plugin, kind } = self.fleet.bad[self.turn % self.fleet.bad.len()];
        self.turn += 1;
        self.tally.kinds[kind].requests += 1;
        let stream = self.fleet.proxy.open_stream(&[plugin], StreamInfo::default());
        self.bad = Some(stream);
        let headers = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
        let before = self.tally.kinds[kind].faults;
        let begun = clock::now();
        self.fleet.proxy.request(stream, Piece::headers(headers, true));
        let took = clock::now() - begun;
        self.drain();
        if KINDS[kind].hangs && self.tally.kinds[kind].faults > before {
            self.tally.hung.add(took);
            self.tally.hung_time += took;
        }
        self.fleet.proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
        self.fleet.proxy.downstream_reset(stream);
        self.drain();
        self.bad = None;
        self.tally.kinds[kind].time += clock::now() - begun;
    }

    fn advance(&mut self) {
        /// How often time goes on without passing.
        const ROUNDS: usize = 16;
        let now = clock::now();
        self.fleet.proxy.advance(now - self.time);
        self.time = now;
        self.drain();
        // What events have left is done before the next one; plugins that never come to an end do not hold the others.
        for _ in 0..ROUNDS {
            if self.fleet.proxy.next_due() != Some(Duration::ZERO) {
                break;
            }
            self.fleet.proxy.advance(Duration::ZERO);
            self.drain();
        }
    }

    /// Calls of plugins are never answered.
    fn drain(&mut self) {
        while let Some(effect) = self.fleet.proxy.next_effect() {
            match effect {
                Effect::Upstream { stream, piece } => self.watch(stream, |exchange| exchange.upstream_gets(&piece)),
                Effect::Downstream { stream, piece } => self.watch(stream, |exchange| exchange.client_gets(&piece)),
                Effect::ResetUpstream { stream } | Effect::ResetDownstream { stream } => {
                    self.watch(stream, Exchange::cut);
                }
                Effect::StreamEnded { stream } => {
                    // One of a plugin that keeps contexts ends late.
                    if let Some(exchange) = self.exchange(stream) {
                        exchange.ended = true;
                    }
                }
                Effect::Fault { plugin, .. } => match self.fleet.kind(plugin) {
                    Some(kind) => self.tally.kinds[kind].faults += 1,
                    None => self.tally.healthy_faults += 1,
                },
                Effect::Restarted { plugin } => {
                    if let Some(kind) = self.fleet.kind(plugin) {
                        self.tally.kinds[kind].reloads += 1;
                    }
                }
                _ => {}
            }
        }
    }

    fn exchange(&mut self, stream: StreamId) -> Option<&mut Exchange> {
        self.in_flight.iter_mut().find(|exchange| exchange.stream == stream)
    }

    /// Something came out of a stream; out of one that is over nothing should.
    fn watch(&mut self, stream: StreamId, watch: impl FnOnce(&mut Exchange)) {
        let bad = self.bad == Some(stream);
        match self.exchange(stream) {
            Some(exchange) => watch(exchange),
            None if bad => {}
            None => self.tally.altered += 1,
        }
    }
}
