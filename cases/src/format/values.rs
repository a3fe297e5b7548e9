//! The forms of values: bytes, fields, addresses, and what is wanted of a value.

use pw_abi::{EnumTable, Kind};

use crate::data::{Data, Fields};
use crate::language::WANTS;
use crate::node::{Node, Read, Value, meant};
use crate::script::MEMORY_END;
use crate::want::Want;

/// `"text"`, `{ hex = "00ff" }` or `{ repeat = "ab", times = 1000 }`.
pub(crate) fn data(node: &Node) -> Read<Data> {
    if let Value::Text(text) = &node.value {
        return Ok(text.as_str().into());
    }
    let table = match &node.value {
        Value::Table(_) => node.table(&["hex", "repeat", "times"])?,
        _ => return node.expected("bytes: a text, { hex = … } or { repeat = …, times = … }"),
    };
    if let Some(hex) = table.find("hex") {
        let digits = hex.text()?.replace(' ', "");
        return Data::from_hex(&digits).map_or_else(|| hex.complain("not pairs of hex digits"), Ok);
    }
    repeated(node)?;
    let times: usize = table.need("times")?.number()?;
    Ok(Data(table.need("repeat")?.text()?.as_bytes().repeat(times)))
}

/// Bytes of a value that is written as `{ repeat = "ab", times = 1000 }`.
const REPEATED: usize = 16 << 20;
/// Bytes of all such values of a case.
const ALL_REPEATED: usize = 128 << 20;

/// Fails if what the file says in few words is too much, before it is made.
pub(super) fn repetitions(root: &Node) -> Read<()> {
    fn add(node: &Node, total: &mut usize) -> Read<()> {
        match &node.value {
            Value::List(items) => items.iter().try_for_each(|item| add(item, total)),
            Value::Table(entries) => {
                *total = total.saturating_add(repeated(node)?);
                if *total > ALL_REPEATED {
                    return node.complain(format!(
                        "the values of this case that are written with `repeat` have more than {ALL_REPEATED} bytes \
                         together: repeat less"
                    ));
                }
                entries.iter().try_for_each(|(_, value)| add(value, total))
            }
            _ => Ok(()),
        }
    }
    add(root, &mut 0)?;
    let Value::Table(entries) = &root.value else { return Ok(()) };
    let steps = entries.iter().find(|(key, _)| key == "step").map_or(Ok(&[][..]), |(_, steps)| steps.list())?;
    let mut total: usize = 0;
    for step in steps {
        let Value::Table(entries) = &step.value else { continue };
        let Some((_, times)) = entries.iter().find(|(key, _)| key == "repeat") else { continue };
        total = total.saturating_add(times.number::<usize>()?.saturating_mul(size(step)));
        if total > ALL_REPEATED {
            return times.complain(format!(
                "the steps of this case that have `repeat` take more than {ALL_REPEATED} bytes together: repeat less"
            ));
        }
    }
    Ok(())
}

/// About how many bytes a value takes.
fn size(node: &Node) -> usize {
    const NODE: usize = 64;
    let parts = match &node.value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Table(entries) => entries.iter().map(|(key, node)| key.len() + size(node)).sum(),
        Value::Integer(_) | Value::Boolean(_) => 0,
    };
    NODE + parts + repeated(node).unwrap_or(0)
}

/// The bytes of a value that is written with `repeat`; none of any other.
fn repeated(node: &Node) -> Read<usize> {
    let Value::Table(entries) = &node.value else { return Ok(0) };
    let find = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, node)| node);
    let (Some(repeat), Some(times)) = (find("repeat"), find("times")) else { return Ok(0) };
    let (Value::Text(text), Value::Integer(count)) = (&repeat.value, &times.value) else { return Ok(0) };
    let bytes = usize::try_from(*count).unwrap_or(0).checked_mul(text.len());
    match bytes.filter(|bytes| *bytes <= REPEATED) {
        Some(bytes) => Ok(bytes),
        None => node.complain(format!(
            "{} bytes {count} times are more than {REPEATED} bytes, which is the limit of a value: repeat less",
            text.len()
        )),
    }
}

/// `[[name, value], …]`.
pub(crate) fn fields(node: &Node) -> Read<Fields> {
    let pair = |node: &Node| match &node.value {
        Value::List(pair) if pair.len() == 2 => Ok((data(&pair[0])?, data(&pair[1])?)),
        _ => node.complain("a field is a list of two: [name, value]"),
    };
    match &node.value {
        Value::List(fields) => fields.iter().map(pair).collect(),
        _ => node.expected("fields: [[name, value], …]"),
    }
}

/// Fields, serialised, or bytes to be taken as they are.
pub(crate) fn pairs(node: &Node) -> Read<Data> {
    let Value::List(_) = &node.value else { return data(node) };
    let fields = fields(node)?;
    let pairs = fields.iter().map(|(name, value)| (name.0.as_slice(), value.0.as_slice()));
    Ok(Data(pw_abi::pairs::encode(pairs)))
}

/// Bytes, or the parts of a path.
pub(crate) fn path(node: &Node) -> Read<Data> {
    let Value::List(parts) = &node.value else { return data(node) };
    let parts = parts.iter().map(|part| Ok(data(part)?.0)).collect::<Read<Vec<_>>>()?;
    Ok(Data(parts.join(&0)))
}

pub(crate) fn strings(node: &Node) -> Read<Vec<String>> {
    node.list()?.iter().map(|node| node.text().map(str::to_owned)).collect()
}

/// A number, or `"end"`, `"end-4"`, `"end+1"`: from the first address after the probe's memory.
pub(crate) fn address(node: &Node) -> Read<u32> {
    let Value::Text(text) = &node.value else { return bits(node).map(|bits| bits as u32) };
    let offset = text.strip_prefix("end").and_then(|rest| if rest.is_empty() { Some(0) } else { rest.parse().ok() });
    match offset.and_then(|offset: i64| u32::try_from(i64::from(MEMORY_END) + offset).ok()) {
        Some(address) => Ok(address),
        None => node.complain(format!("`{text}` is not an address: write a number, `end`, `end-4` or `end+1`")),
    }
}

/// A number of a lane; negative ones are as in two's complement.
pub(crate) fn bits(node: &Node) -> Read<u64> {
    match &node.value {
        Value::Integer(number) => Ok(*number as u64),
        Value::Boolean(flag) => Ok((*flag).into()),
        _ => node.expected("a number"),
    }
}

/// A number, or a name of the enum.
pub(crate) fn named(node: &Node, table: &EnumTable) -> Read<u64> {
    let Value::Text(name) = &node.value else { return bits(node) };
    match table.value(name) {
        Some(value) => Ok(value.into()),
        None => {
            let names = table.values.iter().map(|value| value.name);
            node.complain(format!("unknown {} `{name}`{}", table.name, meant(name, names)))
        }
    }
}

/// What is wanted of a returned value of that kind.
pub(crate) fn want(node: &Node, kind: Kind) -> Read<Want> {
    match &node.value {
        Value::Text(text) if text == "untouched" => Ok(Want::Untouched),
        Value::Table(entries) if !entries.iter().any(|(key, _)| ["hex", "repeat", "times"].contains(&key.as_str())) => {
            let wants = entries.iter().map(|(key, value)| constraint(key, value, kind)).collect::<Read<Vec<_>>>()?;
            match <[Want; 1]>::try_from(wants) {
                Ok([want]) => Ok(want),
                Err(wants) if wants.is_empty() => node.complain("nothing is wanted"),
                Err(wants) => Ok(Want::All(wants)),
            }
        }
        _ => match kind {
            Kind::Pairs if matches!(node.value, Value::List(_)) => fields(node).map(Want::Pairs),
            Kind::Bytes | Kind::Path | Kind::Pairs | Kind::Writes => data(node).map(Want::Bytes),
            Kind::Enum(table) => named(node, table).map(Want::Number),
            Kind::U64 | Kind::I64 => bits(node).map(Want::Number),
            _ => bits(node).map(|bits| Want::Number(bits & 0xFFFF_FFFF)),
        },
    }
}

fn constraint(key: &str, value: &Node, kind: Kind) -> Read<Want> {
    Ok(match key {
        "contains" => Want::Contains(data(value)?),
        "prefix" => Want::Prefix(data(value)?),
        "suffix" => Want::Suffix(data(value)?),
        "size" => Want::Size(Box::new(want(value, Kind::U64)?)),
        "one_of" => Want::OneOf(value.list()?.iter().map(|node| want(node, kind)).collect::<Read<_>>()?),
        "at_least" => Want::AtLeast(bits(value)?),
        "at_most" => Want::AtMost(bits(value)?),
        "not" => Want::Not(Box::new(want(value, kind)?)),
        "includes" => Want::Includes(fields(value)?),
        "same_as" => Want::SameAs(value.text()?.to_owned()),
        "differs_from" => Want::DiffersFrom(value.text()?.to_owned()),
        _ => return value.complain(format!("unknown key `{key}`{}", meant(key, WANTS.names().into_iter()))),
    })
}
