//! The values to try: few, so that different calls use the same ones, and unusual ones at the edges.

use pw_cases::data::{Data, Fields};
use pw_cases::script::{HEAP_END, MEMORY_END};

use super::draw::Draw;

/// Names of fields: the same ones in messages and in calls, in upper case too.
const NAMES: [&str; 8] = ["x-a", "x-b", "X-A", "x-c", ":path", "x-empty", "X-b", ":method"];
const VALUES: [&str; 7] = ["1", "two", "", "three and more", "1", "\u{e9}", "/a,b"];
/// What HTTP cannot carry.
const BROKEN: [&str; 4] = ["a\r\nb", "a\0b", "\n", "\u{1}"];
const BODIES: [&str; 6] = ["abc", "0123456789", "", "x", "one two three", "\0\u{1}\u{2}"];
/// Keys of shared data, names of queues and metrics.
const KEYS: [&str; 4] = ["k", "key", "", "other"];
const UPSTREAMS: [&str; 6] = ["upstream", "auth", "callout", "dead", "", "nowhere"];
const PATHS: [&str; 14] = [
    "own",
    "own\0part",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "request\0size",
    "request\0protocol",
    "response\0size",
    "connection\0id",
    "source\0address",
    "no\0such",
    "",
    "request",
    "upstream\0port",
];
/// Addresses and sizes that are out of bounds, or just within them.
const OUT_OF_BOUNDS: [(u32, u32); 9] = [
    (MEMORY_END - 4, 16),
    (MEMORY_END, 1),
    (0xFFFF_FFF0, 32),
    (0xFFFF_FFFF, 0xFFFF_FFFF),
    (16, 0xFFFF_FFF8),
    (MEMORY_END + 1, 4),
    (MEMORY_END, 0),
    (0, 3),
    (MEMORY_END - 1, 1),
];
/// Addresses to which a hostile call asks the host to write.
const ADDRESSES: [u32; 8] =
    [MEMORY_END, MEMORY_END - 2, 0xFFFF_FFFF, MEMORY_END - 4, 0, MEMORY_END - 8, MEMORY_END - 1, 0xFFFF_FFFC];
/// Addresses that an allocator may always return.
const ALLOCATIONS: [u32; 6] = [0, MEMORY_END, 0xFFFF_FFF0, MEMORY_END - 1, HEAP_END + 0x1000, 0x10];

const WORDS: [u32; 10] = [0, 1, 2, 3, 4, 5, 7, 99, 0x7FFF_FFFF, u32::MAX];
const SIZES: [u32; 11] = [0, 1, 2, 3, 4, 10, 13, 100, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
/// Without all ones, which the probe cannot distinguish from an area that was not written.
const LONG: [u64; 8] = [0, 1, 5, 100, 0x1_0000_0007, u32::MAX as u64, u64::MAX - 1, 1 << 63];
const DELTAS: [i64; 8] = [1, 0, -1, 5, -5, 0x1_0000_0001, i64::MIN, i64::MAX];

pub(super) fn field_name(draw: &mut Draw<'_>) -> Data {
    if draw.chance(2) { Data::from(*draw.pick(&["", "a\nb", "a b", ":evil"])) } else { Data::from(*draw.pick(&NAMES)) }
}

pub(super) fn field_value(draw: &mut Draw<'_>) -> Data {
    if draw.chance(2) { Data::from(*draw.pick(&BROKEN)) } else { Data::from(*draw.pick(&VALUES)) }
}

/// Fields of a message of a step: in lower case, as in HTTP/2, and valid.
pub(super) fn fields(draw: &mut Draw<'_>, pseudo: &[(&str, &str)]) -> Fields {
    let more = (0..draw.below(4))
        .map(|_| (Data(draw.pick(&["x-a", "x-b", "x-empty", "x-c"]).as_bytes().to_vec()), *draw.pick(&VALUES)))
        .collect::<Vec<_>>();
    let pseudo = pseudo.iter().map(|(name, value)| (Data::from(*name), Data::from(*value)));
    pseudo.chain(more.into_iter().map(|(name, value)| (name, Data::from(value)))).collect()
}

/// A serialised map, mostly.
pub(super) fn pairs(draw: &mut Draw<'_>, pseudo: &[(&str, &str)]) -> Data {
    let mut fields: Fields = pseudo.iter().map(|(name, value)| (Data::from(*name), Data::from(*value))).collect();
    if draw.chance(8) {
        fields.pop();
    }
    for _ in 0..draw.below(4) {
        fields.push((field_name(draw), field_value(draw)));
    }
    let pairs = fields.iter().map(|(name, value)| (name.0.as_slice(), value.0.as_slice()));
    let mut bytes = pw_abi::pairs::encode(pairs);
    if !bytes.is_empty() && draw.chance(5) {
        let place = draw.below(bytes.len());
        match draw.below(3) {
            0 => bytes.truncate(place),
            1 => bytes.push(0),
            _ => bytes[place] = *draw.pick(&[0xFF, 1, 0x80]),
        }
    }
    Data(bytes)
}

pub(super) fn body(draw: &mut Draw<'_>) -> Data {
    Data::from(*draw.pick(&BODIES))
}

pub(super) fn key(draw: &mut Draw<'_>) -> Data {
    Data::from(*draw.pick(&KEYS))
}

pub(super) fn upstream(draw: &mut Draw<'_>) -> Data {
    if draw.chance(60) { Data::from("upstream") } else { Data::from(*draw.pick(&UPSTREAMS)) }
}

pub(super) fn path(draw: &mut Draw<'_>) -> Data {
    if draw.chance(40) { Data::from("own") } else { Data::from(*draw.pick(&PATHS)) }
}

pub(super) fn out_of_bounds(draw: &mut Draw<'_>) -> (u32, u32) {
    *draw.pick(&OUT_OF_BOUNDS)
}

pub(super) fn address(draw: &mut Draw<'_>) -> u32 {
    *draw.pick(&ADDRESSES)
}

pub(super) fn allocation(draw: &mut Draw<'_>) -> u32 {
    *draw.pick(&ALLOCATIONS)
}

pub(super) fn word(draw: &mut Draw<'_>) -> u64 {
    (*draw.pick(&WORDS)).into()
}

pub(super) fn size(draw: &mut Draw<'_>) -> u64 {
    (*draw.pick(&SIZES)).into()
}

pub(super) fn long(draw: &mut Draw<'_>) -> u64 {
    *draw.pick(&LONG)
}

pub(super) fn delta(draw: &mut Draw<'_>) -> u64 {
    *draw.pick(&DELTAS) as u64
}
