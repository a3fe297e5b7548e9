//! Hostile plugins, clients, servers and an operator: one step of each in turn.

use pw_host::{Fields, Piece, PluginId, StreamId, StreamInfo};

use crate::clients::{CLIENTS, Client};
use crate::clock;
use crate::fleet::Bad;
use crate::kinds::KINDS;
use crate::operator::{self, ACTIONS};
use crate::servers::SERVERS;
use crate::tally::{KindTally, Tally};
use crate::traffic::Traffic;

/// Of how many requests to plugins that misbehave one is followed by a client's step, and one by the operator's.
const CLIENT: usize = 8;
const OPERATOR: usize = 6;
/// Streams that are left open, and calls whose answers are late; then the oldest has its turn.
const OPEN: usize = 24;
const LATE: usize = 24;
/// Calls that are answered after a request.
const ANSWERS: usize = 4;
/// Requests, and callbacks, that show what a plugin does.
const ENOUGH_REQUESTS: u64 = 8;
/// Bytes of a piece of a body.
static PIECE: [u8; 16 << 10] = [b'.'; 16 << 10];

/// The names of plugins that misbehave, clients and actions that had no turn, or too few for what they do.
pub(super) fn missing(tally: &Tally) -> Vec<&'static str> {
    let clients = CLIENTS.iter().map(|client| client.name).filter(|name| tally.clients.of(name) == 0);
    let actions = ACTIONS.iter().map(|action| action.name).filter(|name| tally.actions.of(name) == 0);
    let is_seen =
        |kind: &KindTally| kind.refused > 0 || kind.requests >= ENOUGH_REQUESTS && kind.callbacks >= ENOUGH_REQUESTS;
    let kinds = KINDS.iter().zip(&tally.kinds).filter(|(_, kind)| !is_seen(kind)).map(|(kind, _)| kind.name);
    clients.chain(actions).chain(kinds).collect()
}

impl Traffic {
    /// A request to a plugin that misbehaves, and what others do at that time.
    pub(super) fn misbehave(&mut self) {
        let begun = clock::now();
        self.turn += 1;
        let place = self.turn % self.fleet.bad.len();
        self.ask(place);
        self.serve();
        if self.turn.is_multiple_of(CLIENT) {
            self.send(place);
        }
        if self.turn.is_multiple_of(OPERATOR) {
            operator::operate(self);
        }
        self.tally.aside_time += clock::now() - begun;
    }

    /// Starts the plugin of a place.
    pub(super) fn start(&mut self, place: usize) {
        let kind = self.fleet.bad[place].kind;
        self.fleet.bad[place].plugin =
            self.launch(place, kind, |proxy, module, config| proxy.add_plugin(module, config));
    }

    /// Starts a plugin in whatever way; none if it does not start, as some do not.
    pub(super) fn launch(
        &mut self,
        place: usize,
        kind: usize,
        start: impl FnOnce(
            &mut pw_host::Proxy,
            &pw_host::Module,
            pw_host::PluginConfig,
        ) -> Result<PluginId, pw_host::StartError>,
    ) -> Option<PluginId> {
        let begun = std::time::Instant::now();
        let plugin = self.fleet.launch(place, kind, start);
        self.count(begun.elapsed());
        self.drain();
        self.tally.kinds[kind].refused += u64::from(plugin.is_none());
        plugin
    }

    /// A client sends a request through a plugin that misbehaves, or through two, and gives up, some time.
    fn ask(&mut self, place: usize) {
        let begun = clock::now();
        let Bad { plugin, kind, .. } = self.fleet.bad[place];
        self.tally.kinds[kind].requests += 1;
        let Some(plugin) = plugin else { return self.start(place) };
        let next = self.fleet.bad[(place + 1) % self.fleet.bad.len()].plugin;
        let both = [Some(plugin), next.filter(|_| self.turn.is_multiple_of(4))];
        let plugins: Vec<PluginId> = both.into_iter().flatten().collect();
        let stream = self.open_other(&plugins, false);
        let headers = Fields::from([(":method", "POST"), (":path", "/"), (":authority", "example.test")]);
        let body = KINDS[kind].body;
        self.request(stream, Piece::headers(headers, body == 0));
        for at in (0..body).step_by(PIECE.len()) {
            self.request(stream, Piece::body(&PIECE[..], at + PIECE.len() >= body));
        }
        self.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
        self.leave(stream);
        let took = clock::now() - begun;
        self.tally.kinds[kind].time += took;
        if KINDS[kind].burns {
            self.tally.burnt.add_span(took);
            self.tally.burnt_time += took;
        }
    }

    /// The client gives a stream up at once, or leaves it open for a while.
    fn leave(&mut self, stream: StreamId) {
        if !self.turn.is_multiple_of(3) {
            return self.event(|proxy| proxy.downstream_reset(stream));
        }
        self.left_open.push_back(stream);
        if self.left_open.len() > OPEN
            && let Some(oldest) = self.left_open.pop_front()
        {
            self.event(|proxy| proxy.downstream_reset(oldest));
        }
    }

    /// Servers answer some calls of plugins.
    fn serve(&mut self) {
        for _ in 0..ANSWERS {
            let Some(call) = self.calls.pop_front() else { break };
            let server = self.tally.servers.total() as usize % SERVERS.len();
            self.tally.servers.add(SERVERS[server].name);
            SERVERS[server].answer(self, call);
        }
        while self.late.len() > LATE {
            let Some(call) = self.late.pop_front() else { break };
            SERVERS[1].answer(self, call);
        }
    }

    /// The next client has its turn with the plugin of a place, and with healthy plugins.
    fn send(&mut self, place: usize) {
        let number = self.tally.clients.total() as usize % CLIENTS.len();
        self.tally.clients.add(CLIENTS[number].name);
        let client = &CLIENTS[number];
        if let Some(plugin) = self.fleet.bad[place].plugin {
            let stream = self.open_other(&[plugin], client.tcp);
            (client.act)(self, stream);
            self.leave(stream);
        }
        if client.legal {
            self.send_to_healthy(client);
        }
    }

    fn send_to_healthy(&mut self, client: &Client) {
        let chain = self.chain();
        let plugins = chain.map(|index| self.fleet.healthy[index].plugin);
        if !client.tcp {
            chain.iter().for_each(|index| self.fleet.healthy[*index].requests += 1);
        }
        let stream = self.open_other(&plugins, client.tcp);
        (client.act)(self, stream);
        self.event(|proxy| proxy.downstream_reset(stream));
    }

    /// Opens a stream whose outcome does not count.
    pub(super) fn open_other(&mut self, plugins: &[PluginId], tcp: bool) -> StreamId {
        let open = match tcp {
            false => pw_host::Proxy::open_stream,
            true => pw_host::Proxy::open_connection,
        };
        // What comes out when it is opened is drained after its id is known.
        let begun = std::time::Instant::now();
        let stream = open(&mut self.fleet.proxy, plugins, StreamInfo::default());
        self.others.insert(stream);
        self.count(begun.elapsed());
        self.drain();
        stream
    }
}
