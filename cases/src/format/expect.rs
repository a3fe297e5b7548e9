//! Reads what is expected of a window or of the run.

use pw_abi::{Kind, LogLevel};

use crate::case::{AnyOf, Arguments, CallMade, Expect, GrpcMade, LogLine, Message, RETURNED, Wire};
use crate::format::values::{named, strings, want};
use crate::language;
use crate::node::{Node, Read, Table, Value, meant};
use crate::script;
use crate::want::Want;

/// Reads an `expect` table.
pub(super) fn expect(node: &Node) -> Read<Expect> {
    let table = node.table(&language::EXPECT.names())?;
    Ok(Expect {
        start: table.map("start", |node| any_of(node, started))?,
        fault: table.map("fault", |node| any_of(node, Node::flag))?,
        callbacks: table.map("callbacks", callbacks)?,
        order: table.map("order", |node| node.some().and_then(|_| Ok((node.line, places(node)?))))?,
        never: table.map("never", |node| node.some().and_then(|_| Ok((node.line, names(node)?))))?,
        log: table.map("log", |node| Ok((node.line, node.some()?.iter().map(log_line).collect::<Read<_>>()?)))?,
        never_log: table
            .map("never_log", |node| Ok((node.line, node.some()?.iter().map(log_line).collect::<Read<_>>()?)))?,
        upstream: table.map("upstream", |node| any_of(node, wire))?,
        client: table.map("client", |node| any_of(node, wire))?,
        calls: table.map("calls", |node| lists(node, call_made))?,
        grpc: table.map("grpc", |node| lists(node, grpc_made))?,
        arguments: table
            .map("arguments", |node| Ok((node.line, node.some()?.iter().map(arguments).collect::<Read<_>>()?)))?,
        would: table.map("would", changes)?,
        rolled_back: table.map("rolled_back", |node| Ok((node.line, node.flag()?)))?,
        metrics: table.map("metrics", |node| {
            let metric = |(name, node): &(String, Node)| Ok((name.clone(), want(node, Kind::U64)?));
            Ok((node.line, node.entries()?.iter().map(metric).collect::<Read<_>>()?))
        })?,
    })
}

/// What is expected in outcomes, by their names.
pub(super) fn outcomes(table: &Table<'_>) -> Read<Vec<(String, Expect)>> {
    let outcome = |(name, node): &(String, Node)| Ok((name.clone(), expect(node)?));
    table.find("outcome").map_or(Ok(Vec::new()), |node| node.entries()?.iter().map(outcome).collect())
}

/// One value or a list of alternatives.
fn any_of<T>(node: &Node, read: impl Fn(&Node) -> Read<T>) -> Read<AnyOf<T>> {
    let of = match &node.value {
        Value::List(_) => {
            let item = |(index, item)| Ok((read(item)?, label(item, index)));
            node.some()?.iter().enumerate().map(item).collect::<Read<_>>()?
        }
        _ => vec![(read(node)?, String::new())],
    };
    Ok(AnyOf { line: node.line, of })
}

/// What to call an alternative: its `answer`, or what it is.
fn label(node: &Node, index: usize) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Table(entries) => entries
            .iter()
            .find(|(key, _)| key == "answer")
            .and_then(|(_, node)| node.text().ok())
            .map_or_else(|| format!("alternative {}", index + 1), str::to_owned),
        _ => format!("alternative {}", index + 1),
    }
}

fn started(node: &Node) -> Read<bool> {
    match node.text()? {
        "started" => Ok(true),
        "refused" => Ok(false),
        _ => node.expected("`started` or `refused`"),
    }
}

/// A list of texts, or a list of such lists.
fn changes(node: &Node) -> Read<AnyOf<Vec<String>>> {
    match node.list()?.first() {
        Some(Node { value: Value::List(_), .. }) => any_of(node, strings),
        _ => Ok(AnyOf { line: node.line, of: vec![(strings(node)?, String::new())] }),
    }
}

/// A list of names, or a list of such lists.
fn callbacks(node: &Node) -> Read<AnyOf<Vec<String>>> {
    match node.list()?.first() {
        Some(Node { value: Value::List(_), .. }) => {
            let item = |item: &Node| names(item).map(|names| (names.clone(), names.join(", ")));
            Ok(AnyOf { line: node.line, of: node.list()?.iter().map(item).collect::<Read<_>>()? })
        }
        _ => Ok(AnyOf { line: node.line, of: vec![(names(node)?, String::new())] }),
    }
}

/// Callbacks, perhaps with a plugin's name and a slash in front.
fn names(node: &Node) -> Read<Vec<String>> {
    callbacks_and_ends(node, "")
}

/// Callbacks, and the ends of callbacks.
fn places(node: &Node) -> Read<Vec<String>> {
    callbacks_and_ends(node, RETURNED)
}

fn callbacks_and_ends(node: &Node, end: &str) -> Read<Vec<String>> {
    let names = strings(node)?;
    for (name, node) in names.iter().zip(node.list()?) {
        let callback = name.rsplit('/').next().unwrap_or_default();
        let callback = callback.strip_suffix(end).unwrap_or(callback);
        if script::callback_number(callback).is_none() {
            let known = script::callbacks().map(|row| row.name);
            return node.complain(format!("unknown callback `{callback}`{}", meant(callback, known)));
        }
    }
    Ok(names)
}

fn log_line(node: &Node) -> Read<LogLine> {
    let table = node.table(&language::LOG_LINE.names())?;
    let text = |key| table.map(key, |node| node.text().map(str::to_owned));
    table.map("level", |node| named(node, LogLevel::TABLE))?;
    Ok(LogLine {
        plugin: text("plugin")?,
        level: text("level")?,
        message: table.map("message", |node| want(node, Kind::Bytes))?,
    })
}

fn wire(node: &Node) -> Read<Wire> {
    match &node.value {
        Value::Text(text) if text == "nothing" => Ok(Wire::Nothing),
        Value::Text(text) if text == "reset" => Ok(Wire::Reset),
        Value::Text(text) if text == "closed" => Ok(Wire::Closed),
        Value::Table(_) => message(&node.table(&language::MESSAGE.names())?).map(Wire::Message),
        _ => node.expected("`nothing`, `reset`, `closed` or a table"),
    }
}

fn message(table: &Table<'_>) -> Read<Message> {
    Ok(Message {
        status: table.map("status", status)?,
        headers: table.map("headers", wanted_fields)?.unwrap_or_default(),
        absent: table.map("absent", strings)?.unwrap_or_default(),
        body: table.map("body", |node| want(node, Kind::Bytes))?,
        trailers: table.map("trailers", wanted_fields)?.unwrap_or_default(),
        absent_trailers: table.map("absent_trailers", strings)?.unwrap_or_default(),
        end_of_stream: table.map("end_of_stream", Node::flag)?,
    })
}

/// A status, or several.
fn status(node: &Node) -> Read<Want> {
    match &node.value {
        Value::List(items) => Ok(Want::OneOf(items.iter().map(|item| want(item, Kind::U32)).collect::<Read<_>>()?)),
        _ => want(node, Kind::U32),
    }
}

/// For each name all of its values, in order.
fn wanted_fields(node: &Node) -> Read<Vec<(String, Vec<Want>)>> {
    let mut fields: Vec<(String, Vec<Want>)> = Vec::new();
    for node in node.list()? {
        let [name, value] = node.list()? else { return node.complain("a field is a list of two: [name, value]") };
        let (name, value) = (name.text()?, want(value, Kind::Bytes)?);
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => fields.push((name.to_owned(), vec![value])),
        }
    }
    Ok(fields)
}

/// A list of calls, or a list of such lists.
fn lists<T>(node: &Node, item: fn(&Node) -> Read<T>) -> Read<AnyOf<Vec<T>>> {
    let read = |node: &Node| node.list()?.iter().map(item).collect::<Read<Vec<_>>>();
    match node.list()?.first() {
        Some(Node { value: Value::List(_), .. }) => any_of(node, read),
        _ => Ok(AnyOf { line: node.line, of: vec![(read(node)?, String::new())] }),
    }
}

fn call_made(node: &Node) -> Read<CallMade> {
    let table = node.table(&language::CALL.names())?;
    let upstream = table.map("upstream", |node| node.text().map(str::to_owned))?;
    Ok(CallMade { upstream, message: message(&table)? })
}

fn grpc_made(node: &Node) -> Read<GrpcMade> {
    let table = node.table(&language::GRPC.names())?;
    let text = |key| table.map(key, |node| node.text().map(str::to_owned));
    Ok(GrpcMade {
        upstream: text("upstream")?,
        service: text("service")?,
        method: text("method")?,
        metadata: table.map("metadata", wanted_fields)?.unwrap_or_default(),
        messages: table.map("messages", |node| node.list()?.iter().map(|node| want(node, Kind::Bytes)).collect())?,
        end_of_stream: table.map("end_of_stream", Node::flag)?,
        reset: table.map("reset", Node::flag)?,
    })
}

/// A callback and what of its arguments matters, by their names.
fn arguments(node: &Node) -> Read<Arguments> {
    let name = match node.entries()?.iter().find(|(key, _)| key == "callback") {
        Some((_, name)) => name,
        None => return node.complain("`callback` is missing"),
    };
    let callback = name.text()?.to_owned();
    let bare = callback.rsplit('/').next().unwrap_or_default();
    let Some(row) = script::callbacks().find(|row| row.name == bare) else {
        return name
            .complain(format!("unknown callback `{bare}`{}", meant(bare, script::callbacks().map(|row| row.name))));
    };
    let names = row.params.iter().map(|param| param.name);
    let mut wants = Vec::new();
    for (key, node) in node.entries()?.iter().filter(|(key, _)| key != "callback") {
        let Some((place, param)) = row.params.iter().enumerate().find(|(_, param)| param.name == key) else {
            return node.complain(format!("{bare} has no parameter `{key}`{}", meant(key, names)));
        };
        wants.push((place, want(node, param.kind)?));
    }
    Ok(Arguments { callback, wants })
}
