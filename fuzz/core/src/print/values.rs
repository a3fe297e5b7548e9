//! Values as case files write them.

use pw_abi::{Function, Kind, Param};
use pw_cases::data::{Data, Fields};
use pw_cases::language::{bytes, fields};
use pw_cases::script::{Lane, PLUGIN_CONTEXT, STREAM_CONTEXT};
use pw_cases::transcript::Returned;

pub(super) fn returned(value: &Returned) -> String {
    match value {
        Returned::Number(number) => (*number as i64).to_string(),
        Returned::Bytes(data) => bytes(data),
        Returned::Untouched | Returned::Odd { .. } => "\"untouched\"".to_owned(),
    }
}

/// The name under which a register's number is kept.
pub(super) fn saved(register: u32) -> String {
    match register {
        0..5 => format!("arg{register}"),
        PLUGIN_CONTEXT => "plugin_context".to_owned(),
        STREAM_CONTEXT => "stream_context".to_owned(),
        _ => format!("saved{register}"),
    }
}

/// The arguments of a call; places that the probe gives are left out.
pub(super) fn args(function: &Function, lanes: &[Lane]) -> Vec<String> {
    let mut lanes = lanes.iter();
    let mut args = Vec::new();
    for param in function.params {
        let own: Vec<&Lane> = lanes.by_ref().take(param.lanes.len()).collect();
        if param.out || param.kind == Kind::Address {
            let given = param.lanes.iter().zip(&own).filter(|(_, lane)| !is_slot(lane));
            args.extend(given.map(|(name, lane)| format!("{name} = {}", number(lane, param))));
            continue;
        }
        let value = match own.as_slice() {
            [Lane::Iovecs(pieces), _] => {
                format!("[{}]", pieces.iter().map(bytes).collect::<Vec<_>>().join(", "))
            }
            [Lane::Address(data), _] if param.kind == Kind::Pairs => pairs(data),
            [Lane::Address(data), _] => bytes(data),
            [address, size] => format!("{{ address = {}, size = {} }}", number(address, param), number(size, param)),
            [lane] => number(lane, param),
            _ => continue,
        };
        args.push(format!("{} = {value}", param.name));
    }
    args
}

/// A list of fields, where the bytes are just how it is serialised.
fn pairs(data: &Data) -> String {
    let decoded = pw_abi::pairs::decode(&data.0).unwrap_or_default();
    let same = pw_abi::pairs::encode(decoded.iter().copied()) == data.0;
    let map: Fields = decoded.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    if same { fields(&map) } else { bytes(data) }
}

fn number(lane: &Lane, param: &Param) -> String {
    match (lane, param.kind) {
        (Lane::Register(register), _) => format!("{{ saved = \"{}\" }}", saved(*register)),
        (Lane::Bits(bits), Kind::Enum(table)) if !param.out => {
            table.name_of(*bits as u32).map_or_else(|| bits.to_string(), |name| format!("\"{name}\""))
        }
        (Lane::Bits(bits), Kind::U64 | Kind::I64) if !param.out => (*bits as i64).to_string(),
        (Lane::Bits(bits), _) => bits.to_string(),
        _ => "0".to_owned(),
    }
}

/// Whether a core value is a place for which the probe finds room.
pub(super) fn is_slot(lane: &Lane) -> bool {
    matches!(lane, Lane::Slot(_))
}
