//! Messages and time: what comes in, how it moves through the chain, what comes out, and which ticks are due.

use pw_abi::Version;
use pw_cases::scenario::{Failure, Scenario, Step};
use pw_cases::transcript::Part as Came;

use super::fields::Map;
use super::finding::{Out, Wanted};
use super::instance::{Instance, exports};
use super::state::{Model, Next};
use super::stream::{Direction, Flat, Part, Piece, Stage, Stream, Way, piece_of};

/// Whether an instance lets a piece pass without its callback.
fn skips<'a>(instances: &'a [Instance], scenario: &'a Scenario) -> impl Fn(usize, &'static str) -> bool + 'a {
    move |instance, name| {
        let found = &instances[instance];
        found.ended || !exports(&scenario.plugins[found.plugin], name)
    }
}

impl Model {
    /// What the world sends.
    pub(super) fn enters(&mut self, step: &Step) {
        let Some(number) = step.stream() else {
            if matches!(step, Step::Shutdown) {
                self.streams.values_mut().for_each(|stream| stream.unfollowed = true);
            }
            return;
        };
        match step {
            Step::RequestHeaders { .. } | Step::Connect { .. } => {
                let http = matches!(step, Step::RequestHeaders { .. });
                let (chain, undecided) = self.chain_of_a_stream();
                let mut stream = Stream::new(http, chain.clone());
                stream.undecided = undecided;
                let odd = |instance: &usize| {
                    let found = &self.instances[*instance];
                    let mut limits = self.scenario.plugins[found.plugin].settings.limits.keys();
                    found.ended && !found.passes || limits.any(|name| name != "held")
                };
                stream.unfollowed = chain.iter().any(odd);
                let limit = |instance: &usize| {
                    let settings = &self.scenario.plugins[self.instances[*instance].plugin].settings;
                    settings.limits.get("held").map(|limit| *limit as usize)
                };
                stream.limits = chain.iter().map(limit).collect();
                self.streams.insert(number, stream);
            }
            Step::ClientReset { .. } | Step::UpstreamReset { .. } => {
                let Some(stream) = self.streams.get_mut(&number) else { return };
                let runs =
                    stream.http && !stream.unfollowed && !stream.over && !stream.answered && stream.local.is_none();
                let by_client = matches!(step, Step::ClientReset { .. });
                stream.leaves_upstream = by_client && runs && stream.request.seen.headers.is_some();
                stream.unfollowed = true;
                return;
            }
            _ => {}
        }
        let skips = skips(&self.instances, &self.scenario);
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let Some((direction, piece)) = piece_of_step(step) else { return };
        // The upstream has nothing to answer before the request has reached it.
        let contacted = stream.request.out.headers.is_some();
        if stream.over || stream.answered || direction == Direction::Response && !contacted {
            return;
        }
        stream.enter(direction, piece, &skips);
    }

    /// A callback that is about a piece of a message.
    pub(super) fn piece(&mut self, name: &'static str, args: &[u32]) {
        let Some((direction, part)) = piece_of(name) else { return };
        let Some((number, place)) = self.here() else { return };
        let version = self.version;
        while self.next_piece(number, place, direction) != Some(part) && self.do_pending() {}
        let next = self.next_piece(number, place, direction);
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let limit = stream.limits[place];
        let stage = stream.stage(direction, place);
        let exceeds = next == Some(Part::Body) && limit.is_some_and(|limit| stage.holds_beyond(limit));
        let held = if next == Some(part) { stage.incoming.pop_front().map(|piece| stage.hold(piece)) } else { None };
        let plugin = self.frame.as_ref().map(|frame| self.instances[frame.instance].plugin);
        let unfollowed = stream.unfollowed;
        // It may be another plugin's turn.
        let has_it = |stage: &Stage| stage.incoming.front().is_some_and(|piece| piece.part() == part);
        let mut places = if held.is_none() { 0..stream.chain.len() } else { 0..0 };
        let turn = places.find(|place| has_it(stream.stage(direction, *place)));
        let turn = turn.map(|place| self.instances[stream.chain[place]].plugin);
        let opens = plugin.is_some_and(|plugin| self.scenario.plugins[plugin].settings.failure == Failure::Open);
        if let Some(frame) = &mut self.frame {
            frame.piece = Some((number, place, direction));
            // Only what a crash can undo.
            let mut held = |direction| stream.stage(direction, place).held();
            frame.before = opens.then(|| [held(Direction::Request), held(Direction::Response)]);
        }
        let wrong = match held {
            _ if unfollowed => None,
            Some(_) if exceeds => Some(("more is held than may be".to_owned(), Wanted::Never(name))),
            None => {
                let wanted = if turn.is_some() { Wanted::Due(name) } else { Wanted::Never(name) };
                Some(("nothing of that kind was on its way".to_owned(), wanted))
            }
            Some((size, _)) if args.len() > 1 && args[1] != size => {
                Some((format!("its size is {size}, but the argument is {}", args[1]), Wanted::Argument(name, 1, size)))
            }
            Some((_, end)) if args.len() > 2 && version > Version::V0_1_0 && (args[2] != 0) != end => {
                let what = format!("the end of the stream is {end}, but the argument is {}", args[2] != 0);
                Some((what, Wanted::Argument(name, 2, end.into())))
            }
            _ => None,
        };
        if let Some((wrong, wanted)) = wrong {
            let plugin = if matches!(wanted, Wanted::Due(_)) { turn } else { plugin };
            self.found(name, &format!("{name}: {wrong}"), plugin, Some(wanted));
        }
    }

    /// The callback about a piece has returned: the message is paused, or continues.
    pub(super) fn decided(&mut self, number: u32, place: usize, direction: Direction, pauses: bool) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if stream.is_replaced(direction) {
            return;
        }
        let stage = stream.stage(direction, place);
        if pauses && !std::mem::take(&mut stage.resume) {
            stage.paused = true;
        } else {
            let skips = skips(&self.instances, &self.scenario);
            stream.release(direction, place, &skips);
        }
    }

    /// An instance has crashed, and its streams continue as if it had never been in them: what it holds goes on before anything else
    /// happens to them.
    pub(super) fn passes(&mut self, instance: usize) {
        let mut next = Vec::new();
        for (number, stream) in self.streams.iter_mut().filter(|(_, stream)| stream.chain.contains(&instance)) {
            // What a local response leaves of the other messages is not followed.
            stream.unfollowed |= stream.answered || stream.local.is_some();
            let places = (0..stream.chain.len()).filter(|place| stream.chain[*place] == instance).collect::<Vec<_>>();
            // Requests first, and of each message what has come furthest.
            next.extend(places.iter().rev().map(|place| (*number, Next::PassOn(*place, Direction::Request))));
            next.extend(places.iter().map(|place| (*number, Next::PassOn(*place, Direction::Response))));
        }
        next.into_iter().rev().for_each(|next| self.pending.push_front(next));
    }

    /// The piece that a plugin gets next; none while the message is paused at headers or trailers.
    fn next_piece(&mut self, number: u32, place: usize, direction: Direction) -> Option<Part> {
        let stage = self.streams.get_mut(&number)?.stage(direction, place);
        let waits = stage.paused && stage.part != Some(Part::Body);
        stage.incoming.front().filter(|_| !waits).map(Piece::part)
    }

    /// Does all that is pending for streams.
    pub(super) fn do_all_pending(&mut self) {
        while self.do_pending() {}
    }

    /// Does the first thing that is pending for a stream; false if there is none.
    pub(super) fn do_pending(&mut self) -> bool {
        let Some((number, next)) = self.pending.pop_front() else { return false };
        let skips = skips(&self.instances, &self.scenario);
        let Some(stream) = self.streams.get_mut(&number) else { return true };
        match next {
            Next::Resume(place, direction) if stream.stage(direction, place).paused => {
                stream.release(direction, place, &skips);
            }
            Next::Resume(..) => {}
            Next::PassOn(place, direction) => stream.release(direction, place, &skips),
            Next::LocalResponse => stream.respond(&skips),
        }
        true
    }

    /// Something came out at an end of a chain.
    pub(super) fn came_out(&mut self, number: u32, direction: Direction, part: &Came) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let piece = match part {
            Came::Opened => Piece::Headers(Map::default(), false),
            Came::Headers { headers, end_of_stream } => Piece::Headers(Map::of(headers), *end_of_stream),
            Came::Body { body, end_of_stream } => Piece::Body(body.0.clone(), *end_of_stream),
            Came::Trailers { trailers } => Piece::Trailers(Map::of(trailers)),
            Came::Reset => {
                stream.leaves_upstream &= direction != Direction::Request;
                return;
            }
        };
        stream.way(direction).seen.add(piece);
    }

    /// The host answers in place of messages of which more has come than may be held.
    pub(super) fn rejects(&mut self) {
        self.streams.values_mut().for_each(|stream| stream.unfollowed |= stream.is_full());
    }

    /// Checks that each message came out as it should.
    pub(super) fn check_messages(&mut self) {
        self.rejects();
        let left = self.streams.iter().find(|(_, stream)| stream.leaves_upstream).map(|(number, _)| *number);
        if let Some(number) = left {
            let wanted = (number == 0).then(|| Wanted::Line("upstream = \"reset\"\n".to_owned()));
            let message = format!("the upstream of stream {number} is not reset, whose client has gone");
            return self.found("the upstream's end", &message, None, wanted);
        }
        if let Some((instance, name)) = self.streams.values().find_map(Stream::passed) {
            let plugin = Some(self.instances[instance].plugin);
            return self.found(name, &format!("{name} was due, and has not come"), plugin, Some(Wanted::Due(name)));
        }
        let differs = |way: &Way| way.out != way.seen;
        let wrong = self.streams.iter().filter(|(_, stream)| !stream.unfollowed).find_map(|(number, stream)| {
            let request = differs(&stream.request).then_some(("the upstream", &stream.request));
            let (name, way) = request.or(differs(&stream.response).then_some(("the client", &stream.response)))?;
            let message = format!("{name} of stream {number} got {} instead of {}", text(&way.seen), text(&way.out));
            Some((name, message, wanted(*number, request.is_some(), way)))
        });
        if let Some((about, message, wanted)) = wrong {
            self.found(about, &message, None, Some(wanted));
        }
    }

    /// Checks that a tick is due.
    pub(super) fn ticks(&mut self, instance: usize) {
        let until = self.time.1;
        let found = &mut self.instances[instance];
        let plugin = found.plugin;
        match found.tick {
            Some(_) if found.restarted => {}
            Some((period, due)) if due <= until => {
                found.tick = Some((period, due + period));
                self.time.0 = self.time.0.max(due);
            }
            _ => self.came("proxy_on_tick", "a tick comes that is not due", plugin),
        }
    }

    /// Checks that the ticks that were due have come.
    pub(super) fn check_ticks(&mut self) {
        let until = self.time.1;
        let is_late =
            |found: &&Instance| !found.ended && !found.restarted && found.tick.is_some_and(|(_, due)| due <= until);
        let late = self.instances.iter().find(is_late);
        if let Some(plugin) = late.map(|found| found.plugin) {
            let wanted = Some(Wanted::Due("proxy_on_tick"));
            self.found("proxy_on_tick", "a tick that was due has not come", Some(plugin), wanted);
        }
    }
}

fn piece_of_step(step: &Step) -> Option<(Direction, Piece)> {
    use Direction::{Request, Response};
    Some(match step {
        Step::RequestHeaders { headers, end_of_stream, .. } => {
            (Request, Piece::Headers(Map::of(headers), *end_of_stream))
        }
        Step::RequestBody { body, end_of_stream, .. } => (Request, Piece::Body(body.0.clone(), *end_of_stream)),
        Step::RequestTrailers { trailers, .. } => (Request, Piece::Trailers(Map::of(trailers))),
        Step::ResponseHeaders { headers, end_of_stream, .. } => {
            (Response, Piece::Headers(Map::of(headers), *end_of_stream))
        }
        Step::ResponseBody { body, end_of_stream, .. } => (Response, Piece::Body(body.0.clone(), *end_of_stream)),
        Step::ResponseTrailers { trailers, .. } => (Response, Piece::Trailers(Map::of(trailers))),
        Step::Connect { .. } => (Request, Piece::Headers(Map::default(), false)),
        Step::ClientData { data, end_of_stream, .. } => (Request, Piece::Body(data.0.clone(), *end_of_stream)),
        Step::UpstreamData { data, end_of_stream, .. } => (Response, Piece::Body(data.0.clone(), *end_of_stream)),
        _ => return None,
    })
}

fn wanted(stream: u32, upstream: bool, way: &Way) -> Wanted {
    let fields = |map: &Option<Map>| map.iter().flat_map(|map| map.0.clone()).collect::<Vec<_>>();
    let absent = |due: &[(Vec<u8>, Vec<u8>)], seen: &Option<Map>| {
        let absent = fields(seen).into_iter().map(|(name, _)| name);
        let absent = absent.filter(|name| due.iter().all(|(known, _)| known != name));
        absent.map(pw_cases::data::Data::from).collect()
    };
    let data = |fields: &[(Vec<u8>, Vec<u8>)]| {
        fields.iter().map(|(name, value)| (name.as_slice().into(), value.as_slice().into())).collect()
    };
    let (due, due_trailers) = (fields(&way.out.headers), fields(&way.out.trailers));
    Wanted::Out(Out {
        stream,
        upstream,
        fields: data(&due),
        absent: absent(&due, &way.seen.headers),
        body: way.out.body.as_slice().into(),
        trailers: way.out.trailers.as_ref().map(|_| data(&due_trailers)),
        absent_trailers: absent(&due_trailers, &way.seen.trailers),
        end: way.out.end,
    })
}

fn text(flat: &Flat) -> String {
    let map = |map: &Option<Map>| {
        map.as_ref().map_or("nothing".to_owned(), |map| pw_cases::transcript::pairs_text(&map.serialised()))
    };
    let body = pw_cases::data::Data::from(flat.body.as_slice());
    format!("headers {} body {body} trailers {} end {}", map(&flat.headers), map(&flat.trailers), flat.end)
}
