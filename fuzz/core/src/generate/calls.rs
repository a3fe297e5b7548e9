//! A call of a function of the table: for each parameter a value that fits it, one that was returned earlier, or an
//! encoding that is hostile.

use pw_abi::{EnumTable, Function, Kind, Param};
use pw_cases::data::Data;
use pw_cases::lower::{out_lanes, region};
use pw_cases::script::{Act, HEAP_END, Lane, Out, PLUGIN_CONTEXT, REGISTERS, STREAM_CONTEXT};

use super::draw::Draw;
use super::values;

/// Returned numbers that later calls need: the parameter that returns the number, and the parameters that accept it.
const KEPT: [(&str, &[&str]); 4] = [
    ("queue_id", &["queue_id"]),
    ("metric_id", &["metric_id"]),
    ("cas", &["cas"]),
    ("call_id", &["call_or_stream_id", "stream_id"]),
];
const REQUEST: [(&str, &str); 3] = [(":method", "GET"), (":path", "/"), (":authority", "callout")];

/// Makes calls, and remembers which registers hold what.
#[derive(Default)]
pub(super) struct Caller {
    /// The index in [`KEPT`] of what each register holds, for registers from [`FREE`] on.
    kept: Vec<usize>,
    /// The scenario already writes into an area of 64 KiB; one is enough, as each is copied into the guest.
    large: bool,
}

impl Caller {
    /// A call in a callback.
    pub(super) fn call(&mut self, draw: &mut Draw<'_>, function: &'static Function, callback: &str) -> Act {
        let mut lanes = Vec::with_capacity(function.params.iter().map(|param| param.lanes.len()).sum());
        let mut outs = Vec::new();
        let hostile = draw.chance(12);
        for param in function.params {
            if param.out || param.kind == Kind::Address {
                let own = self.places(draw, param, hostile);
                out_lanes(param, &own, &mut lanes, &mut outs);
            } else {
                self.value(draw, function, param, (callback, hostile), &mut lanes);
            }
        }
        if function.params.iter().any(|param| param.kind == Kind::Writes) {
            outs.extend(region(function, &lanes));
        }
        self.keep(draw, &mut outs);
        Act::Call { function, lanes, outs }
    }

    /// Where to write what a parameter returns.
    fn places(&mut self, draw: &mut Draw<'_>, param: &Param, hostile: bool) -> Vec<Option<u32>> {
        let mut place = |_: &&str| {
            if hostile && draw.chance(50) {
                return Some(values::address(draw));
            }
            let own = param.kind != Kind::Address || draw.chance(3) && !std::mem::replace(&mut self.large, true);
            (!own).then_some(HEAP_END - 0x1_1000)
        };
        param.lanes.iter().map(&mut place).collect()
    }

    fn value(
        &mut self,
        draw: &mut Draw<'_>,
        function: &Function,
        param: &Param,
        (callback, hostile): (&str, bool),
        lanes: &mut Vec<Lane>,
    ) {
        if hostile && param.lanes.len() == 2 && draw.chance(50) {
            let (address, size) = values::out_of_bounds(draw);
            lanes.extend([Lane::Bits(address.into()), Lane::Bits(size.into())]);
            return;
        }
        if param.kind == Kind::Iovecs {
            let pieces: Vec<Data> = (0..draw.below(4)).map(|_| values::body(draw)).collect();
            let count = pieces.len() as u64;
            lanes.extend([Lane::Iovecs(pieces), Lane::Bits(count)]);
            return;
        }
        if let Some(data) = bytes(draw, function, param) {
            let size = data.0.len() as u64;
            lanes.extend([Lane::Address(data), Lane::Bits(size)]);
            return;
        }
        lanes.push(match param.kind {
            Kind::Enum(table) => Lane::Bits(enumerated(draw, table, callback)),
            Kind::U64 => Lane::Bits(values::long(draw)),
            Kind::I64 => Lane::Bits(values::delta(draw)),
            Kind::Bool => Lane::Bits(draw.below(3) as u64),
            Kind::Size => Lane::Bits(values::size(draw)),
            _ => self.number(draw, param.name),
        });
    }

    fn number(&mut self, draw: &mut Draw<'_>, name: &str) -> Lane {
        let some = |draw: &mut Draw<'_>, numbers: &[u32]| Lane::Bits((*draw.pick(numbers)).into());
        match name {
            "context_id" if draw.chance(80) => Lane::Register(*draw.pick(&[STREAM_CONTEXT, PLUGIN_CONTEXT, 0])),
            "tick_period" => some(draw, &[10, 30, 0, 100, 1000, u32::MAX]),
            "timeout" => some(draw, &[1000, 0, 5, 100, u32::MAX]),
            "status_code" => some(draw, &[403, 200, 503, 0, 99, 600, 101, 204]),
            "grpc_status" => some(draw, &[u32::MAX, 0, 16]),
            _ => match KEPT.iter().position(|(_, users)| users.contains(&name)) {
                Some(kind) if draw.chance(75) => self.register(draw, kind).unwrap_or(Lane::Bits(values::word(draw))),
                _ => Lane::Bits(values::word(draw)),
            },
        }
    }

    /// A register that holds a number of that kind.
    fn register(&mut self, draw: &mut Draw<'_>, kind: usize) -> Option<Lane> {
        let count = self.kept.iter().filter(|kept| **kept == kind).count();
        let nth = if count > 0 { draw.below(count) } else { return None };
        let place = self.kept.iter().enumerate().filter(|(_, kept)| **kept == kind).nth(nth)?.0;
        Some(Lane::Register(FREE + place as u32))
    }

    /// Keeps what a call returns and others need, in a new register or in one that holds a number of the same kind.
    fn keep(&mut self, draw: &mut Draw<'_>, outs: &mut [Out]) {
        for out in outs {
            let name = if out.name == "stream_id" { "call_id" } else { out.name };
            let Some(kind) = KEPT.iter().position(|(returned, _)| *returned == name) else { continue };
            if !matches!(out.form, pw_cases::script::Form::Word(_)) {
                continue;
            }
            let full = FREE as usize + self.kept.len() >= REGISTERS as usize;
            let again = if full || draw.chance(20) { self.register(draw, kind) } else { None };
            out.save = match again {
                Some(Lane::Register(register)) => Some(register),
                _ if full => None,
                _ => {
                    self.kept.push(kind);
                    Some(FREE + self.kept.len() as u32 - 1)
                }
            };
        }
    }
}

/// The first register that nothing else uses.
pub(super) const FREE: u32 = STREAM_CONTEXT + 1;

/// The bytes for a parameter of a pointer and a size.
fn bytes(draw: &mut Draw<'_>, function: &Function, param: &Param) -> Option<Data> {
    Some(match (param.kind, param.name) {
        (Kind::Pairs, _) if function.name == "proxy_http_call" && param.name == "serialized_headers" => {
            values::pairs(draw, &REQUEST)
        }
        (Kind::Pairs, _) => values::pairs(draw, &[]),
        (Kind::Path, _) => values::path(draw),
        (Kind::Bytes, "upstream_name") => values::upstream(draw),
        (Kind::Bytes, "key") if function.section == "http_fields" => values::field_name(draw),
        (Kind::Bytes, "value") if function.section == "http_fields" => values::field_value(draw),
        (Kind::Bytes, "vm_id") => Data::from(*draw.pick(&["", "vm", "vm2", "no"])),
        (Kind::Bytes, "name") if function.section == "foreign_function_interface" => {
            Data::from(*draw.pick(&["echo", "none", "", "uncompress"]))
        }
        (Kind::Bytes, "service_name") => Data::from("a.B"),
        (Kind::Bytes, "key" | "name") => values::key(draw),
        (Kind::Bytes, _) => values::body(draw),
        _ => return None,
    })
}

/// A value of an enum: mostly one that is valid in the callback.
fn enumerated(draw: &mut Draw<'_>, table: &'static EnumTable, callback: &str) -> u64 {
    let fits: &[u32] = match (table.name, callback) {
        ("proxy_map_type_t", "proxy_on_request_headers") => &[0],
        ("proxy_map_type_t", "proxy_on_request_body" | "proxy_on_request_trailers") => &[1],
        ("proxy_map_type_t", "proxy_on_response_headers") => &[2],
        ("proxy_map_type_t", "proxy_on_response_body" | "proxy_on_response_trailers") => &[3],
        ("proxy_map_type_t", "proxy_on_grpc_receive_initial_metadata") => &[4],
        ("proxy_map_type_t", "proxy_on_grpc_receive_trailing_metadata") => &[5],
        ("proxy_map_type_t", "proxy_on_http_call_response") => &[6, 7],
        ("proxy_buffer_type_t", "proxy_on_request_body" | "proxy_on_request_trailers") => &[0],
        ("proxy_buffer_type_t", "proxy_on_response_body" | "proxy_on_response_trailers") => &[1],
        ("proxy_buffer_type_t", "proxy_on_downstream_data") => &[2],
        ("proxy_buffer_type_t", "proxy_on_upstream_data") => &[3],
        ("proxy_buffer_type_t", "proxy_on_http_call_response") => &[4],
        ("proxy_buffer_type_t", "proxy_on_grpc_receive") => &[5],
        ("proxy_buffer_type_t", "proxy_on_vm_start") => &[6],
        ("proxy_buffer_type_t", "proxy_on_configure") => &[7],
        ("proxy_buffer_type_t", "proxy_on_foreign_function") => &[8],
        _ => &[],
    };
    if !fits.is_empty() && draw.chance(75) {
        return (*draw.pick(fits)).into();
    }
    if draw.chance(6) {
        return (*draw.pick(&[table.values.len() as u32, 99, u32::MAX, 6])).into();
    }
    draw.pick(table.values).value.into()
}
