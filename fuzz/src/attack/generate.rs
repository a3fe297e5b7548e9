//! Attacks made from bytes. Sizes are small in general and large in one dimension now and then.

use arbitrary::Unstructured;
use pw_abi::{Function, Kind, Param, Version};
use pw_host::Limits;

use super::guest::{self, ARGUMENTS, Act, COUNT, Entry, HEAP, Lane, PAGES, RESULTS, ROUND, Step, VALUES};
use super::plan::{Action, Attack, Event, GuardAction, Map, Module, ODD, Operation, Plugin, Shape, Values};
use crate::relay;

/// Draws from bytes. After their end each choice is the first one.
pub(crate) struct Draw<'a>(pub(crate) Unstructured<'a>);

impl Draw<'_> {
    fn below(&mut self, most: usize) -> usize {
        self.0.int_in_range(0..=most.max(1) as u64 - 1).unwrap_or(0) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        !self.0.is_empty() && self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// How often something is done: mostly once.
    fn times(&mut self, most: usize) -> usize {
        let times = self.pick(&[1, 1, 1, 1, 1, 1, 2, 3, 10, 100, 1000, 10_000]);
        times.min(most)
    }
}

/// The attack that bytes stand for.
pub(crate) fn attack(bytes: &[u8]) -> Attack {
    let draw = &mut Draw(Unstructured::new(bytes));
    let crowd = draw.chance(3);
    let count = 1 + draw.below(3);
    let plugins = (0..count).map(|_| plugin(draw, crowd)).collect();
    let mut actions: Vec<Action> = (0..count).map(|plugin| Action::Add { plugin, times: 1 }).collect();
    if crowd {
        actions.push(Action::Add { plugin: 0, times: 1000 });
    }
    while !draw.is_over() && actions.len() < 60 {
        actions.push(action(draw, crowd));
    }
    Attack { plugins, actions }
}

fn plugin(draw: &mut Draw<'_>, crowd: bool) -> Plugin {
    let module = if draw.chance(6) { random(draw) } else { None };
    Plugin {
        module: module.unwrap_or_else(|| guest(draw)),
        vm_id: draw.pick(&["", "", "a", "b"]),
        limits: limits(draw, crowd),
        open: draw.chance(40),
        reload: draw.chance(30).then(|| (draw.pick(&[3, 10, 0, u32::MAX]), draw.pick(&[1, 0, 1000]))),
        log_only: draw.chance(15),
    }
}

fn random(draw: &mut Draw<'_>) -> Option<Module> {
    let seed: u64 = draw.0.arbitrary().ok()?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; random.usize(100..2000)];
    random.fill(&mut bytes);
    crate::module::generate(&mut Unstructured::new(&bytes)).ok().map(Module::Random)
}

const KIB: usize = 1 << 10;

fn limits(draw: &mut Draw<'_>, crowd: bool) -> Limits {
    let of = |draw: &mut Draw<'_>, usual: usize| match draw.below(16) {
        0 => 0,
        1 => 1,
        2 | 3 => usual / 16,
        _ => usual,
    };
    Limits {
        memory: 32 << 20,
        table_elements: 2000,
        fuel: if crowd { 200_000 } else { 10_000_000 },
        epochs: 10,
        log_lines: of(draw, 1000),
        log_bytes: of(draw, 256 * KIB),
        held: of(draw, 256 * KIB),
        fields: of(draw, 1024 * KIB),
        shared_data: of(draw, 512 * KIB),
        queue: of(draw, 256 * KIB),
        queues: of(draw, 100),
        metrics: of(draw, 1000),
        calls: of(draw, 100),
        pending: of(draw, 100),
        properties: of(draw, 64 * KIB),
        property_source: 64 * KIB,
        host_memory: of(draw, 4096 * KIB),
        callbacks_per_event: match draw.below(3) {
            0 => draw.pick(&[1, 2, 3, 5]),
            _ => 2000,
        },
    }
}

fn guest(draw: &mut Draw<'_>) -> Module {
    let version = if draw.chance(15) { draw.pick(&Version::FINAL) } else { Version::V0_2_1 };
    let allocator = if draw.chance(5) { draw.pick(&[0, PAGES << 16, u32::MAX, RESULTS]) } else { HEAP };
    let mut values = Image::new();
    let callbacks: Vec<(usize, &pw_abi::Callback)> = guest::callbacks(version).collect();
    let mut entries = Vec::new();
    for _ in 0..1 + draw.below(6) {
        let (callback, row) = if draw.chance(50) { often(draw, &callbacks) } else { draw.pick(&callbacks) };
        let steps = (0..1 + draw.below(5)).map(|_| step(draw, version, &mut values)).collect();
        let result = match row.result {
            // Plugins that do not start do nothing.
            Some(_) if row.section == "configuration" || row.section == "context_lifecycle" && draw.chance(50) => None,
            Some(_) => draw.chance(60).then(|| draw.pick(&[1, 0, 0, 1, 4, u32::MAX])),
            None => None,
        };
        entries.push(Entry { callback, steps, result, calls: draw.pick(&[u32::MAX, u32::MAX, 1, 2, 10]) });
    }
    match draw.below(10) {
        0 | 1 => storm(version, &mut entries, &mut values),
        2 => gate(version, &mut entries),
        _ => {}
    }
    Module::Guest { version, allocator, entries, values: Values(values.bytes) }
}

/// The callbacks that streams make.
fn often<'a>(draw: &mut Draw<'_>, callbacks: &[(usize, &'a pw_abi::Callback)]) -> (usize, &'a pw_abi::Callback) {
    const OFTEN: [&str; 6] = [
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_downstream_data",
        "proxy_on_queue_ready",
    ];
    let name = draw.pick(&OFTEN);
    *callbacks.iter().find(|(_, row)| row.name == name).unwrap_or(&callbacks[0])
}

/// A queue that feeds itself: the plugin registers it when it starts, puts an item into it with each request, and two for each.
fn storm(version: Version, entries: &mut Vec<Entry>, values: &mut Image) {
    let (name, size) = values.text(b"k");
    let item = [Lane::Bits(name.into()), Lane::Bits(1)];
    let number = |name: &str| pw_cases::script::callback_number(name);
    let function = |name: &str| relay::functions(version).iter().position(|row| row.name == name);
    let (Some(register), Some(enqueue)) =
        (function("proxy_register_shared_queue"), function("proxy_enqueue_shared_queue"))
    else {
        return;
    };
    // Where no other call writes.
    let id = RESULTS + 0x40;
    let registers = [Lane::Bits(name.into()), Lane::Bits(size as u64), Lane::Bits(id.into())].to_vec();
    let rows = [
        ("proxy_on_configure", register, 1, registers),
        ("proxy_on_request_headers", enqueue, 1, [&[Lane::At(id)][..], &item].concat()),
        ("proxy_on_queue_ready", enqueue, 2, [&[Lane::At(ARGUMENTS + 4)][..], &item].concat()),
    ];
    for (callback, function, times, lanes) in rows {
        let Some(callback) = number(callback) else { continue };
        let step = Step { act: Act::Call(function), times, lanes };
        entries.retain(|entry| entry.callback != callback);
        entries.push(Entry { callback, steps: vec![step], result: None, calls: u32::MAX });
    }
}

/// Holds what begins, and continues it all when its foreign function is called.
fn gate(version: Version, entries: &mut Vec<Entry>) {
    let function = |name: &str| relay::functions(version).iter().position(|row| row.name == name);
    let (Some(select), Some(go)) = (function("proxy_set_effective_context"), function("proxy_continue_stream")) else {
        return;
    };
    let step = |function, number| Step { act: Act::Call(function), times: 1, lanes: vec![Lane::Bits(number)] };
    // The contexts of the first streams, and what of each can be held.
    let steps = (2..40).flat_map(|context| [step(select, context), step(go, 0), step(go, 1), step(go, 2), step(go, 3)]);
    let mut entry = |callback: &str, steps, result| {
        let Some(callback) = pw_cases::script::callback_number(callback) else { return };
        entries.retain(|entry| entry.callback != callback);
        entries.push(Entry { callback, steps, result, calls: u32::MAX });
    };
    for begins in ["proxy_on_request_headers", "proxy_on_response_headers", "proxy_on_new_connection"] {
        entry(begins, Vec::new(), Some(1));
    }
    entry("proxy_on_foreign_function", steps.collect(), None);
}

fn step(draw: &mut Draw<'_>, version: Version, values: &mut Image) -> Step {
    if draw.chance(4) {
        let act = draw.pick(&[Act::Trap, Act::Trap, Act::Loop, Act::Recurse, Act::Grow]);
        return Step { act, times: draw.times(10_000) as u32, lanes: Vec::new() };
    }
    let rows = relay::functions(version);
    // Those that change something are worth more than those that look.
    let number = if draw.chance(50) {
        draw.below(rows.len())
    } else {
        let name = draw.pick(&CHANGING);
        rows.iter().position(|row| row.name == name).unwrap_or(0)
    };
    let lanes = rows[number].params.iter().flat_map(|param| lanes(draw, rows[number], param, values)).collect();
    Step { act: Act::Call(number), times: draw.times(10_000) as u32, lanes }
}

const CHANGING: [&str; 24] = [
    "proxy_set_tick_period_milliseconds",
    "proxy_set_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_set_buffer_bytes",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_send_local_response",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_define_metric",
    "proxy_record_metric",
    "proxy_set_property",
    "proxy_done",
    "proxy_set_effective_context",
    "proxy_log",
];

const NAMES: [&str; 15] = [
    "x-a",
    "x-b",
    ":path",
    ":status",
    ":method",
    "content-length",
    "transfer-encoding",
    "x a",
    "a\r\nb",
    "",
    "k",
    "upstream",
    "te",
    "connection",
    "host",
];
const PATHS: [&str; 6] = [
    "own",
    "connection\0subject_peer_certificate",
    "plugin_name",
    "request\0headers\0x-a",
    "source\0address",
    "no\0such",
];

fn lanes(draw: &mut Draw<'_>, row: &Function, param: &Param, values: &mut Image) -> Vec<Lane> {
    let count = param.lanes.len();
    if param.out || draw.chance(2) {
        let at = if draw.chance(3) { u32::MAX - 2 } else { RESULTS };
        return (0..count as u32).map(|n| Lane::Bits((at.wrapping_add(8 * n)).into())).collect();
    }
    let bytes = |(at, size): (u32, usize)| vec![Lane::Bits(at.into()), Lane::Bits(size as u64)];
    match param.kind {
        Kind::Bytes if count == 2 => match draw.below(12) {
            // Another one in each round, or in each call.
            0 | 1 => bytes((if draw.chance(50) { ROUND } else { COUNT }, 8)),
            2 => bytes((HEAP, draw.pick(&[1, 1000, 100_000, 1_000_000, 16_000_000]))),
            3 => bytes((HEAP, 0)),
            4 if row.section == "http_calls" || row.section == "grpc_calls" => bytes(values.text(b"upstream")),
            5 => bytes((u32::MAX - 4, draw.below(16))),
            6 => vec![Lane::Bits(HEAP.into()), Lane::Rising(0)],
            _ => bytes(values.text(draw.pick(&NAMES).as_bytes())),
        },
        Kind::Path if count == 2 => match draw.below(5) {
            0 => bytes((HEAP, draw.pick(&[1, 100, 10_000, 1_000_000, 16_000_000]))),
            _ => bytes(values.text(draw.pick(&PATHS).as_bytes())),
        },
        Kind::Pairs if count == 2 => match draw.below(8) {
            0 => bytes((HEAP, draw.pick(&[4, 100, 1_000_000]))),
            1 => bytes(values.many(draw.pick(&[10, 100, 1000, 30_000, 100_000]))),
            2 => bytes(values.pairs(&[draw.pick(&ODD), draw.pick(&ODD)])),
            3 => bytes(values.pairs(&[(":status", "200"), ("x-a", "1")])),
            _ => bytes(values.pairs(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "example.test"),
                (":path", "/"),
                ("x-a", "1"),
            ])),
        },
        Kind::Enum(table) if draw.chance(90) => {
            let value = draw.below(table.values.len());
            vec![Lane::Bits(table.values[value].value.into())]
        }
        _ => (0..count)
            .map(|_| match draw.below(8) {
                0 => Lane::At(ARGUMENTS + 4 * draw.below(4) as u32),
                1 => Lane::At(RESULTS),
                2 => Lane::Rising(draw.pick(&[0, 1, u64::MAX])),
                3 => Lane::Bits(draw.pick(&[u64::MAX, 1 << 31, 1000, 65_536, 16_000_000])),
                _ => Lane::Bits(draw.below(8) as u64),
            })
            .collect(),
    }
}

/// Values in the order in which they are needed.
struct Image {
    bytes: Vec<u8>,
}

impl Image {
    fn new() -> Image {
        Image { bytes: Vec::new() }
    }

    fn text(&mut self, text: &[u8]) -> (u32, usize) {
        let room = (HEAP - VALUES) as usize;
        let at = self.bytes.len();
        if at + text.len() > room {
            // There is no room: zeros then.
            return (HEAP, text.len());
        }
        self.bytes.extend_from_slice(text);
        (VALUES + at as u32, text.len())
    }

    fn pairs(&mut self, pairs: &[(&str, &str)]) -> (u32, usize) {
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.text(&pw_abi::pairs::encode(pairs))
    }

    /// A map of fields with short names, as many as fit.
    fn many(&mut self, count: usize) -> (u32, usize) {
        let room = (HEAP - VALUES) as usize - self.bytes.len();
        let names: Vec<String> = (0..count.min(room / 20)).map(|number| format!("{number:x}")).collect();
        let head = [(":status", "200"), (":method", "GET"), (":path", "/")];
        let head = head.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let pairs = head.chain(names.iter().map(|name| (name.as_bytes(), &b""[..])));
        let bytes = pw_abi::pairs::encode(pairs.collect::<Vec<_>>());
        self.text(&bytes)
    }
}

fn action(draw: &mut Draw<'_>, crowd: bool) -> Action {
    // Whatever is many is more so by what comes to it over and over.
    let most = if crowd { 10 } else { 10_000 };
    let number = |draw: &mut Draw<'_>| draw.below(64);
    match draw.below(32) {
        0 => Action::Add { plugin: number(draw), times: draw.times(100) },
        1 => Action::Replace { target: number(draw), plugin: number(draw) },
        2 => Action::Canary {
            target: number(draw),
            plugin: number(draw),
            share: draw.pick(&[50, 100, 0, 1, 255]),
            faults: draw.pick(&[10, 0, 100, 255]),
        },
        3 | 4 => {
            let how = draw.pick(&[
                Operation::Promote,
                Operation::RollBack,
                Operation::Retire,
                Operation::Remove,
                Operation::Terminate,
            ]);
            Action::Operate { target: number(draw), how }
        }
        5 | 6 => Action::Guard(match draw.below(8) {
            0 | 1 => GuardAction::Canary { share: draw.pick(&[50, 100, 10]), log_only: draw.chance(20) },
            2 => GuardAction::Replace,
            3 => GuardAction::Promote,
            4 => GuardAction::RollBack,
            5 => GuardAction::Retire(number(draw)),
            6 => GuardAction::Remove(number(draw)),
            _ => GuardAction::Terminate(number(draw)),
        }),
        7 | 8 => Action::Open {
            chain: chain(draw, crowd),
            guard: draw.chance(30).then(|| number(draw)),
            tcp: draw.chance(25),
            times: draw.times(most.min(1000)),
        },
        9..=13 => Action::Piece {
            stream: number(draw),
            request: draw.chance(60),
            piece: match draw.below(6) {
                0 => Shape::Headers(map(draw)),
                1 => Shape::Trailers(map(draw)),
                _ => Shape::Body(draw.pick(&[0, 1, 1, 1, 1000, 100_000, 16_000_000])),
            },
            end: draw.chance(20),
            times: draw.times(most),
        },
        14..=19 => Action::Exchange {
            chain: chain(draw, crowd),
            guard: draw.chance(30).then(|| number(draw)),
            body: draw.pick(&[0, 1, 10, 1000, 100_000]),
        },
        20 => Action::Reset { stream: number(draw), by_client: draw.chance(50) },
        21 | 22 => Action::Advance { nanoseconds: draw.pick(&[0, 1_000_000, 10_000_000, 1_000_000_000, u64::MAX, 1]) },
        23 => Action::Settle,
        24 if draw.chance(50) => Action::Fail { call: number(draw) },
        25 => Action::Answer {
            call: number(draw),
            headers: map(draw),
            body: draw.pick(&[0, 10, 100_000, 16_000_000]),
            trailers: map(draw),
        },
        26 => Action::Grpc {
            call: number(draw),
            event: match draw.below(5) {
                0 => Event::InitialMetadata(map(draw)),
                1 => Event::TrailingMetadata(map(draw)),
                2 => Event::Closed(draw.pick(&[0, 1, 13, 99, u32::MAX])),
                _ => Event::Message(draw.pick(&[0, 1, 1000, 1_000_000])),
            },
            times: draw.times(most.min(1000)),
        },
        27 | 28 => Action::Flood {
            chain: chain(draw, crowd),
            pieces: draw.pick(&[100, 10_000, 3, 1_000]).min(most),
            size: draw.pick(&[1, 0]),
            continues: draw.chance(50),
            how: draw.pick(&[Operation::Terminate, Operation::Remove, Operation::Retire]),
        },
        29 | 30 => Action::Foreign {
            target: number(draw),
            size: draw.pick(&[0, 10, 1_000_000, 16_000_000]),
            times: draw.times(most.min(1000)),
        },
        _ => Action::Drain(draw.chance(50)),
    }
}

fn chain(draw: &mut Draw<'_>, crowd: bool) -> Vec<usize> {
    if crowd && draw.chance(30) {
        return (0..1000).collect();
    }
    (0..draw.below(4)).map(|_| draw.below(64)).collect()
}

fn map(draw: &mut Draw<'_>) -> Map {
    match draw.below(8) {
        0 => Map::Empty,
        1 | 2 => Map::Request,
        3 => Map::Response(draw.pick(&[200, 200, 100, 204, 304, 101, 999])),
        4 => Map::Many(draw.pick(&[1, 100, 10_000, 100_000])),
        5 => Map::Large(draw.pick(&[1000, 100_000, 16_000_000])),
        _ => Map::Odd(draw.below(ODD.len())),
    }
}
