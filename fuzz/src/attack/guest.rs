//! The hostile guest: one module for each version, compiled once, that does what a program in its memory says. In each callback
//! it makes calls with any arguments at all, as often as the program wants; and it traps, loops, recurses and grows.

use std::fmt::Write;
use std::sync::LazyLock;

use pw_abi::{Callback, Kind, Version};
use pw_cases::script;
use pw_host::{Engine, Metering, Module, Pool};

use crate::relay::{self, MOST_LANES};

/// Pages of its memory, in 64 KiB.
pub(crate) const PAGES: u32 = 272;
/// Where the eight hexadecimal digits of a step's round are, and those of all rounds so far.
pub(crate) const ROUND: u32 = 0x100;
pub(crate) const COUNT: u32 = 0x108;
/// Where calls write their results.
pub(crate) const RESULTS: u32 = 0x200;
/// Where the arguments of the running callback are.
pub(crate) const ARGUMENTS: u32 = 0x280;
const LANES: u32 = 0x300;
/// For each callback the address and number of its steps, its result, and in how many of its calls it does them.
const TABLE: u32 = 0x400;
const CALLS: u32 = 0xC00;
const STEPS: u32 = 0x1000;
const STEP: u32 = 16 + 16 * MOST_LANES as u32;
/// After the program are its values.
pub(crate) const VALUES: u32 = 0x1_0000;
/// Where the allocator returns memory; after that are bytes that are zero at first.
pub(crate) const HEAP: u32 = 0x10_0000;

/// What the guest does in a callback.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) callback: usize,
    pub(crate) steps: Vec<Step>,
    /// What it returns, unless its default.
    pub(crate) result: Option<u32>,
    /// In how many of the callback's calls.
    pub(crate) calls: u32,
}

/// Something that it does, over and over.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) times: u32,
    pub(crate) lanes: Vec<Lane>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Calls the function with this place in the table.
    Call(usize),
    Trap,
    Loop,
    Recurse,
    /// Grows the memory by a page.
    Grow,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    Bits(u64),
    /// What is in memory there.
    At(u32),
    /// The bits, and one more in each round.
    Rising(u64),
}

/// The program as bytes from address 0 on: the answer of the allocator, entries, and values from [`VALUES`] on.
pub(crate) fn image(allocator: u32, entries: &[Entry], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; VALUES as usize];
    let mut put = |at: u32, word: u32| bytes[at as usize..at as usize + 4].copy_from_slice(&word.to_le_bytes());
    put(0, allocator);
    let result = |row: &Callback| u32::from(row.result == Some(Kind::Bool));
    for (row, at) in script::callbacks().zip((TABLE..).step_by(16)) {
        put(at + 8, result(row));
    }
    let mut at = STEPS;
    for entry in entries {
        let row = TABLE + 16 * entry.callback as u32;
        let default = script::callback(entry.callback).map_or(0, result);
        let result = entry.result.unwrap_or(default);
        let room = (VALUES - at) / STEP;
        let steps = &entry.steps[..entry.steps.len().min(room as usize)];
        [at, steps.len() as u32, result, entry.calls].into_iter().zip(0..).for_each(|(word, n)| put(row + 4 * n, word));
        for step in steps {
            let act = match step.act {
                Act::Call(function) => function as u32,
                Act::Trap => 250,
                Act::Loop => 251,
                Act::Recurse => 252,
                Act::Grow => 253,
            };
            let lanes = &step.lanes[..step.lanes.len().min(MOST_LANES)];
            [act, step.times, lanes.len() as u32, 0].into_iter().zip(0..).for_each(|(word, n)| put(at + 4 * n, word));
            for (lane, n) in lanes.iter().zip(1..) {
                let (kind, bits) = match *lane {
                    Lane::Bits(bits) => (0, bits),
                    Lane::At(address) => (1, u64::from(address)),
                    Lane::Rising(bits) => (2, bits),
                };
                put(at + 16 * n, kind);
                put(at + 16 * n + 8, bits as u32);
                put(at + 16 * n + 12, (bits >> 32) as u32);
            }
            at += STEP;
        }
    }
    bytes.extend_from_slice(values);
    bytes
}

/// The callbacks of a version with their numbers; those that a program is for.
pub(crate) fn callbacks(version: Version) -> impl Iterator<Item = (usize, &'static Callback)> {
    let has = move |(_, row): &(usize, &Callback)| row.versions.contains(version);
    script::callbacks()
        .enumerate()
        .filter(has)
        .filter(|(_, row)| !["integration", "memory_management"].contains(&row.section))
}

/// The engine of all hostile guests: what they do costs fuel, and their VMs are in a pool.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let pool = Pool { instances: 1200, memory: 32 << 20, resident: 128 << 10, ..Pool::default() };
        Engine::with_pool(Metering::Fuel, pool).expect("wasmtime runs wherever this is built")
    });
    &ENGINE
}

/// The guest for a version.
pub(crate) fn module(version: Version) -> Module {
    static MODULES: LazyLock<Vec<(Version, Module)>> =
        LazyLock::new(|| Version::FINAL.map(|version| (version, compiled(&text(version)))).to_vec());
    let found = MODULES.iter().find(|(known, _)| *known == version);
    found.map(|(_, module)| module.clone()).expect("only final versions are asked for")
}

/// A module from its text.
pub(crate) fn compiled(text: &str) -> Module {
    let wasm = wat::parse_str(text).expect("the text is a module, and every build tests it");
    Module::new(engine(), &wasm).expect("it imports and exports what the table has")
}

fn text(version: Version) -> String {
    let mut text = relay::thunks(version, PAGES, LANES as usize);
    let numbers = [
        ("$ROUND", ROUND),
        ("$COUNT", COUNT),
        ("$LANES", LANES),
        ("$TABLE", TABLE),
        ("$CALLS", CALLS),
        ("$STEP", STEP),
    ];
    text += &numbers.iter().fold(ACT.to_owned(), |text, (name, number)| text.replace(name, &number.to_string()));
    let _ = writeln!(text, "(func (export \"{}\"))", version.marker());
    text += "(func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.load (i32.const 0)))";
    for (number, row) in callbacks(version) {
        let params: String = row.params(version).map(|param| format!(" {}", param.kind.lane().name())).collect();
        let result = row.result.map_or(String::new(), |kind| format!(" (result {})", kind.lane().name()));
        let saved: String = (0..row.params(version).count() as u32)
            .map(|place| format!("(i32.store (i32.const {}) (local.get {place}))", ARGUMENTS + 4 * place))
            .collect();
        let call = format!("(call $act (i32.const {number}))");
        let body = if row.result.is_some() { call } else { format!("(drop {call})") };
        let _ = writeln!(text, "(func (export \"{}\") (param{params}){result} {saved} {body})", row.name);
    }
    text + ")\n"
}

const ACT: &str = "
(func $hex (param $at i32) (param $number i32) (local $place i32) (local $digit i32)
    (local.set $place (i32.const 8))
    (loop $next
        (local.set $place (i32.sub (local.get $place) (i32.const 1)))
        (local.set $digit (i32.and (local.get $number) (i32.const 15)))
        (i32.store8 (i32.add (local.get $at) (local.get $place))
            (i32.add (local.get $digit) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
        (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
        (br_if $next (local.get $place))))
(global $count (mut i32) (i32.const 0))
(func $recurse (drop (call $act (i32.const 0))) (call $recurse))
(func $do (param $step i32) (param $round i32) (local $function i32) (local $lane i32) (local $at i32) (local $kind i32) (local $bits i64)
    (local.set $function (i32.load (local.get $step)))
    (if (i32.eq (local.get $function) (i32.const 250)) (then unreachable))
    (if (i32.eq (local.get $function) (i32.const 251)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $function) (i32.const 252)) (then (call $recurse)))
    (if (i32.eq (local.get $function) (i32.const 253)) (then (drop (memory.grow (i32.const 1))) (return)))
    (call $hex (i32.const $ROUND) (local.get $round))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (call $hex (i32.const $COUNT) (global.get $count))
    (local.set $lane (i32.load offset=8 (local.get $step)))
    (block $called (loop $next
        (br_if $called (i32.eqz (local.get $lane)))
        (local.set $at (i32.add (local.get $step) (i32.mul (local.get $lane) (i32.const 16))))
        (local.set $lane (i32.sub (local.get $lane) (i32.const 1)))
        (local.set $kind (i32.load (local.get $at)))
        (local.set $bits (i64.load offset=8 (local.get $at)))
        (if (i32.eq (local.get $kind) (i32.const 1))
            (then (local.set $bits (i64.load32_u (i32.wrap_i64 (local.get $bits))))))
        (if (i32.eq (local.get $kind) (i32.const 2))
            (then (local.set $bits (i64.add (local.get $bits) (i64.extend_i32_u (local.get $round))))))
        (i64.store (i32.add (i32.const $LANES) (i32.mul (local.get $lane) (i32.const 8))) (local.get $bits))
        (br $next)))
    (drop (call_indirect (type $thunk) (local.get $function))))
(func $act (param $here i32) (result i32) (local $row i32) (local $calls i32) (local $step i32) (local $left i32) (local $round i32)
    (local.set $row (i32.add (i32.const $TABLE) (i32.mul (local.get $here) (i32.const 16))))
    (local.set $calls (i32.add (i32.const $CALLS) (i32.mul (local.get $here) (i32.const 4))))
    (i32.store (local.get $calls) (i32.add (i32.load (local.get $calls)) (i32.const 1)))
    (local.set $step (i32.load (local.get $row)))
    (local.set $left (i32.load offset=4 (local.get $row)))
    (if (i32.le_u (i32.load (local.get $calls)) (i32.load offset=12 (local.get $row))) (then
        (block $done (loop $steps
            (br_if $done (i32.eqz (local.get $left)))
            (local.set $round (i32.const 0))
            (block $enough (loop $rounds
                (br_if $enough (i32.ge_u (local.get $round) (i32.load offset=4 (local.get $step))))
                (call $do (local.get $step) (local.get $round))
                (local.set $round (i32.add (local.get $round) (i32.const 1)))
                (br $rounds)))
            (local.set $step (i32.add (local.get $step) (i32.const $STEP)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $steps)))))
    (i32.load offset=8 (local.get $row)))
";
