//! The target `hostcall`: one function, any lanes, any memory, in any callback.
//!
//! The status is one that the row promises, or one that means that the host cannot; a call that failed has written nothing,
//! and one that succeeded only where its row says.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arbitrary::Unstructured;
use pw_abi::{Errno, Function, Kind, Returns, Status, Version};
use pw_cases::script;
use pw_host::{Observer, PluginConfig, PluginId};
use pw_reference::World;

use crate::relay::{self, LANES, MEMORY, MOST_LANES};
use crate::streams;

/// What the host answers where the specification says nothing: a status that HTTP does not have.
const SILENT: [(&str, Status); 1] = [("proxy_send_local_response", Status::BAD_ARGUMENT)];

/// What the guest does.
#[derive(Debug)]
struct Input {
    version: Version,
    function: &'static Function,
    /// All of the guest's memory before the call.
    memory: Vec<u8>,
}

/// A call as the host saw it.
#[derive(Clone, Debug, Default)]
struct Seen {
    function: &'static str,
    lanes: Vec<u64>,
    result: Option<u32>,
    memory: Vec<u8>,
}

/// See above.
pub fn hostcall(bytes: &[u8]) {
    let Some(input) = input(Unstructured::new(bytes)) else { return };
    let seen = run(&input);
    // There is one call, or none if its callback did not come or the plugin ended by it.
    if let Some(seen) = seen
        && let Err(wrong) = judge(&input, &seen)
    {
        panic!("{}({:x?}) for v{}: {wrong}", input.function.name, seen.lanes, input.version);
    }
}

/// Which function and status a run of the bytes comes to.
pub(crate) fn reached(bytes: &[u8]) -> Option<(&'static str, u32)> {
    let seen = run(&input(Unstructured::new(bytes))?)?;
    Some((seen.function, seen.result.unwrap_or(0)))
}

fn input(mut draw: Unstructured<'_>) -> Option<Input> {
    let version = *draw.choose(&Version::FINAL).ok()?;
    let functions = relay::functions(version);
    let function = draw.choose_index(functions.len()).ok()?;
    let callbacks = script::callbacks().count();
    let callback = draw.choose_index(callbacks).ok()?;
    let mut allocator = lane(&mut draw) as u32;
    // Most allocators give room.
    if draw.ratio(3, 4).unwrap_or(false) {
        allocator = 0x8000;
    }
    let lanes: Vec<u64> = (0..MOST_LANES).map(|_| lane(&mut draw)).collect();
    let mut memory = relay::head(callback, function, allocator, &lanes);
    memory.extend(draw.take_rest());
    memory.resize(MEMORY as usize, 0);
    Some(Input { version, function: functions[function], memory })
}

/// A small number, an address after the core values, one at the memory's end, or any bits.
fn lane(draw: &mut Unstructured<'_>) -> u64 {
    let kind = draw.int_in_range(0..=7).unwrap_or(0);
    let number = match kind {
        0..=2 => draw.int_in_range(0..=12).ok(),
        3 | 4 => draw.int_in_range(0..=255).ok().map(|at| (LANES + 8 * MOST_LANES) as u64 + at),
        5 => draw.arbitrary::<u16>().ok().map(u64::from),
        6 => draw.int_in_range(0..=20).ok().map(|back| u64::from(MEMORY) - back),
        _ => draw.arbitrary().ok(),
    };
    number.unwrap_or(0)
}

fn run(input: &Input) -> Option<Seen> {
    let mut world = World::new();
    let watch = Watch::default();
    world.proxy().observe(Box::new(watch.clone()));
    let module = relay::module(input.version).with_data(0, &input.memory);
    let environment = vec![("NAME".to_owned(), "value".to_owned())];
    let config = PluginConfig { configuration: b"configured".to_vec(), environment, ..PluginConfig::default() };
    if world.start(Ok(module), config, false) {
        streams::everything(&mut world);
    }
    watch.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Option<Seen>>>);

impl Observer for Watch {
    fn callback(&mut self, _: PluginId, _: &'static str, _: &[u32]) {}

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, _: PluginId, function: &'static Function, lanes: &[u64], result: Option<u32>, memory: &[u8]) {
        let seen = Seen { function: function.name, lanes: lanes.to_vec(), result, memory: memory.to_vec() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

fn judge(input: &Input, seen: &Seen) -> Result<(), String> {
    let row = input.function;
    let status = seen.result.unwrap_or(0);
    let promised = row.promises(input.version).any(|promise| promise.value == status);
    let cannot = match row.returns {
        Returns::Status => status == Status::INTERNAL_FAILURE.0,
        Returns::Errno => status == Errno::NOTSUP.0,
        Returns::Nothing => true,
    };
    let silent = SILENT.contains(&(row.name, Status(status)));
    if !promised && !cannot && !silent {
        let name = row.status_name(status).unwrap_or("unknown");
        return Err(format!("status {status} ({name}) is not promised"));
    }
    let may = if row.succeeded(status) { writable(row, &seen.lanes, &seen.memory) } else { Some(Vec::new()) };
    let Some(may) = may else { return Ok(()) };
    let changed = (0..seen.memory.len()).filter(|at| seen.memory[*at] != input.memory[*at]);
    match changed.map(|at| at as u64).find(|at| !may.iter().any(|range| range.contains(at))) {
        Some(at) => Err(format!("status {status}, and the byte at {at:#x} is another than before")),
        None => Ok(()),
    }
}

/// Where a call that succeeded may write; none where it is not known, as what it wrote overlaps.
fn writable(row: &Function, lanes: &[u64], memory: &[u8]) -> Option<Vec<Range<u64>>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut lanes = lanes.iter().map(|lane| lane & 0xFFFF_FFFF);
    let mut add = |range: Range<u64>| {
        let apart = range.is_empty() || ranges.iter().all(|known| known.end <= range.start || range.end <= known.start);
        ranges.push(range);
        apart
    };
    let mut apart = true;
    for param in row.params {
        let at: Vec<u64> = lanes.by_ref().take(param.lanes.len()).collect();
        match (param.out, param.kind, at.as_slice()) {
            (true, Kind::Bytes | Kind::Pairs, [pointer, size]) => {
                apart &= add(*pointer..pointer + 4) && add(*size..size + 4);
                let (from, count) = (word(memory, *pointer)?, word(memory, *size)?);
                apart &= add(from..from + count);
            }
            (true, Kind::U64, [place]) => apart &= add(*place..place + 8),
            (true, _, [place]) => apart &= add(*place..place + 4),
            (false, Kind::Address, [place]) => match row.name {
                "random_get" => apart &= add(*place..place + lanes.next()?),
                "environ_get" => apart &= add(*place..place + 0x20),
                _ => {}
            },
            _ => {}
        }
    }
    apart.then_some(ranges)
}

fn word(memory: &[u8], at: u64) -> Option<u64> {
    let bytes = memory.get(usize::try_from(at).ok()?..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of `proxy_get_property` that has put three bytes at 0x8000.
    fn example() -> (Input, Seen) {
        let function = pw_abi::host_function(Version::V0_2_1, "proxy_get_property").expect("it is in the table");
        let input = Input { version: Version::V0_2_1, function, memory: vec![0; MEMORY as usize] };
        let mut memory = input.memory.clone();
        memory[0x100..0x104].copy_from_slice(&0x8000_u32.to_le_bytes());
        memory[0x104] = 3;
        memory[0x8000..0x8003].copy_from_slice(b"abc");
        let lanes = vec![0x200, 4, 0x100, 0x104];
        (input, Seen { function: function.name, lanes, result: Some(0), memory })
    }

    #[test]
    fn what_is_written_elsewhere_is_found() {
        let (input, mut seen) = example();
        assert_eq!(judge(&input, &seen), Ok(()));
        seen.memory[0x8003] = 1;
        assert_eq!(judge(&input, &seen), Err("status 0, and the byte at 0x8003 is another than before".to_owned()));
    }

    #[test]
    fn a_failure_that_has_written_is_found() {
        let (input, mut seen) = example();
        seen.result = Some(Status::NOT_FOUND.0);
        assert_eq!(judge(&input, &seen), Err("status 1, and the byte at 0x101 is another than before".to_owned()));
        seen.memory = input.memory.clone();
        assert_eq!(judge(&input, &seen), Ok(()));
    }

    #[test]
    fn a_status_that_nobody_promised_is_found() {
        let (input, mut seen) = example();
        seen.result = Some(Status::EMPTY.0);
        assert_eq!(judge(&input, &seen), Err("status 7 (EMPTY) is not promised".to_owned()));
    }

    #[test]
    fn most_functions_are_reached_and_succeed_somewhere() {
        let seeded = crate::seeds::hostcall();
        let succeeded = seeded.iter().filter(|(name, _)| name.ends_with("-0")).count();
        assert!(succeeded > 20, "{succeeded}");
    }
}
