//! Numbers, lanes and answers of a call: from what a case says of them to bits.

use pw_abi::{Function, Kind, Param};

use crate::case::Accept;
use crate::format::{self, Node, Read, Value, meant};
use crate::script::{Form, Lane, Out};
use crate::want::Want;

/// How many bytes a place has for the host to write to where no size says it.
pub(crate) const ROOM: u32 = 512;

/// An answer that is acceptable.
#[derive(Clone, Debug)]
pub struct Acceptable {
    /// The status; none if the call does not return.
    pub status: Option<u32>,
    /// The returned values.
    pub returned: Vec<(String, Want)>,
    /// What to call it in the record.
    pub answer: String,
}

/// Puts down the lanes of what a parameter returns: room for it, or the address that is given for a lane.
pub fn out_lanes(param: &'static Param, own: &[Option<u32>], lanes: &mut Vec<Lane>, outs: &mut Vec<Out>) {
    let mut slot = lanes.iter().filter(|lane| matches!(lane, Lane::Slot(_))).count() as u32;
    let mut places = Vec::new();
    for (name, own) in param.lanes.iter().zip(own) {
        match own {
            Some(address) => lanes.push(Lane::Bits((*address).into())),
            None => {
                let size = match param.kind {
                    Kind::Address => 0x1_0000 + ROOM,
                    Kind::U64 | Kind::I64 => 8,
                    _ => 4,
                };
                lanes.push(Lane::Slot(size));
                places.push((*name, slot));
                slot += 1;
            }
        }
    }
    let out = |name, form| Out { name, form, save: None };
    match (param.kind, places.as_slice()) {
        (Kind::Address, _) => {}
        (Kind::Bytes | Kind::Pairs, [(_, pointer), (_, size)]) => {
            outs.push(out(param.name, Form::Bytes(*pointer, *size)))
        }
        (Kind::Bytes | Kind::Pairs, places) => {
            outs.extend(places.iter().map(|(name, place)| out(name, Form::Word(*place))))
        }
        (Kind::U64 | Kind::I64, [(_, place)]) => outs.push(out(param.name, Form::Double(*place))),
        (_, [(_, place)]) => outs.push(out(param.name, Form::Word(*place))),
        _ => {}
    }
}

/// What the host writes at the last of the addresses that it was given: as much as the size says, or all the room.
pub fn region(row: &'static Function, lanes: &[Lane]) -> Option<Out> {
    let writes = row.params.iter().find(|param| param.kind == Kind::Writes)?;
    let sized = row.params.iter().any(|param| param.kind == Kind::Size);
    let size = match lanes.last() {
        Some(Lane::Bits(size)) if sized => (*size).min(0x1_0000) as u32,
        _ => ROOM,
    };
    let slots = lanes.iter().filter(|lane| matches!(lane, Lane::Slot(_))).count() as u32;
    Some(Out { name: writes.name, form: Form::Region(slots.checked_sub(1)?, size), save: None })
}

pub(super) fn number(node: &Node, kind: Kind) -> Read<u64> {
    let Kind::Enum(table) = kind else {
        let bits = match &node.value {
            Value::Integer(_) | Value::Boolean(_) => return in_lane(node, kind),
            _ => node.expected("a number, or { saved = \"name\" }")?,
        };
        return Ok(bits);
    };
    match &node.value {
        Value::Text(name) => match table.value(name) {
            Some(value) => Ok(value.into()),
            None => {
                let names = table.values.iter().map(|value| value.name);
                node.complain(format!("unknown {} `{name}`{}", table.name, meant(name, names)))
            }
        },
        _ => in_lane(node, kind),
    }
}

fn in_lane(node: &Node, kind: Kind) -> Read<u64> {
    match (&node.value, kind.lane()) {
        (Value::Boolean(flag), _) => Ok((*flag).into()),
        (Value::Integer(number), pw_abi::Lane::I64) => Ok(*number as u64),
        (Value::Integer(number), pw_abi::Lane::I32)
            if i64::from(i32::MIN) <= *number && *number <= i64::from(u32::MAX) =>
        {
            Ok((*number as u32).into())
        }
        _ => node.complain("the number does not fit into the parameter's 32 bits"),
    }
}

pub(super) fn result_bits(node: &Node, row: &pw_abi::Callback) -> Read<u32> {
    match (row.result, &node.value) {
        (None, _) => node.complain(format!("{} returns nothing", row.name)),
        (Some(kind @ Kind::Enum(_)), _) => number(node, kind).map(|bits| bits as u32),
        (Some(_), Value::Boolean(flag)) => Ok((*flag).into()),
        (Some(kind), _) => number(node, kind).map(|bits| bits as u32),
    }
}

pub(super) fn acceptable(accept: &Accept, row: &'static Function, outs: &[Out]) -> Read<Acceptable> {
    let (status, name) = status(&accept.expect, row)?;
    let succeeds = status.is_some_and(|status| row.succeeded(status));
    let long_form = accept.answer.is_some();
    let returned = accept
        .returned
        .iter()
        .map(|(name, node)| {
            let Some(out) = outs.iter().find(|out| out.name == name) else {
                let names = outs.iter().map(|out| out.name);
                return node.complain(format!("{} returns no `{name}` here{}", row.name, meant(name, names)));
            };
            let kind = row.params.iter().find(|param| param.name == out.name).map_or(Kind::U32, |param| param.kind);
            Ok((name.clone(), format::want(node, kind)?))
        })
        .collect::<Read<Vec<_>>>()?;
    // What a failing call returns is judged only where the case says something that can hold of it.
    let judged = succeeds || long_form || returned.iter().all(|(_, want)| *want == Want::Untouched);
    Ok(Acceptable {
        status,
        returned: if judged { returned } else { Vec::new() },
        answer: accept.answer.clone().unwrap_or(name),
    })
}

/// A status by name or number; `TRAP` is none.
fn status(node: &Node, row: &Function) -> Read<(Option<u32>, String)> {
    let table = match row.returns {
        pw_abi::Returns::Errno => pw_abi::Errno::TABLE,
        _ => pw_abi::Status::TABLE,
    };
    match &node.value {
        Value::Text(name) if name == "TRAP" => Ok((None, name.clone())),
        Value::Text(name) if row.returns == pw_abi::Returns::Nothing && name == "OK" => Ok((Some(0), name.clone())),
        Value::Text(name) => match table.value(name) {
            Some(value) => Ok((Some(value), name.clone())),
            None => {
                let names = table.values.iter().map(|value| value.name).chain(["TRAP"]);
                node.complain(format!("unknown status `{name}`{}", meant(name, names)))
            }
        },
        Value::Table(_) => node.expected("a status such as `\"OK\"`, or a list of them; values go into `returned`"),
        _ => {
            let value: u32 = node.number()?;
            Ok((Some(value), row.status_name(value).map_or_else(|| value.to_string(), str::to_owned)))
        }
    }
}
