//! Reads the steps of a case.

use std::collections::HashMap;

use crate::case::CaseStep;
use crate::format::expect::{expect, outcomes};
use crate::format::guest::guest;
use crate::format::json;
use crate::language::{self, Kind};
use crate::node::{Node, Read, Table, Value};
use crate::scenario::Step;

/// Reads all steps; one with `repeat` becomes several.
pub(super) fn steps(nodes: &[Node]) -> Read<Vec<CaseStep>> {
    let last = Last::of(nodes);
    let mut steps = Vec::new();
    let mut keys = language::STEP.names();
    keys.extend(language::STEPS.iter().flat_map(|kind| kind.details.iter().chain([&kind.key])).map(|key| key.name));
    for (index, node) in nodes.iter().enumerate() {
        let table = node.table(&keys)?;
        let repeat =
            table.map("repeat", |node| json::json(node, &language::STEP.keys[1].form).and_then(|_| node.number()));
        let repeat: usize = repeat?.unwrap_or(1);
        for copy in 0..repeat {
            let continues = |stream| copy + 1 < repeat || last.continues(&table, stream, index);
            steps.push(step(node, &table, (index, copy), &continues)?);
        }
    }
    Ok(steps)
}

fn step(
    node: &Node,
    table: &Table<'_>,
    (index, copy): (usize, usize),
    continues: &dyn Fn(u32) -> bool,
) -> Read<CaseStep> {
    let kinds = || language::STEPS.iter().filter(|kind| table.find(kind.key.name).is_some());
    let mut said = table.find("start").map(|_| "start").into_iter().chain(kinds().map(|kind| kind.key.name));
    let name = match (said.next(), said.next()) {
        (Some(name), None) => name,
        (None, _) => {
            let names: Vec<&str> =
                ["start"].into_iter().chain(language::STEPS.iter().map(|kind| kind.key.name)).collect();
            return node.complain(format!("a step has one of {}", names.join(", ")));
        }
        (Some(one), Some(other)) => return node.complain(format!("a step is either `{one}` or `{other}`")),
    };
    let kind = kinds().next();
    let details = kind.map_or(&[][..], |kind| kind.details);
    let own = |key: &str| key == name || details.iter().chain(language::STEP.keys).any(|known| known.name == key);
    if let Some((key, node)) = node.entries()?.iter().find(|(key, _)| !own(key)) {
        let names: Vec<&str> = details.iter().map(|detail| detail.name).collect();
        let there = if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) };
        return node.complain(format!("a step with `{name}` has no `{key}`{there}"));
    }
    let step = match kind {
        Some(kind) => Some(nth(world(table, kind, continues)?, copy)),
        None if index + copy > 0 => return table.need("start")?.complain("`start` comes first"),
        None => None,
    };
    let guest = table.items("guest")?.iter().map(|node| guest(node, name, kind.and_then(|kind| kind.callback)));
    let expect = table.map("expect", expect)?.unwrap_or_default();
    let outcomes = outcomes(table)?;
    Ok(CaseStep { line: node.line, step, guest: guest.collect::<Read<_>>()?, expect, outcomes })
}

/// A repeated step that opens a stream opens another one each time.
fn nth(mut step: Step, copy: usize) -> Step {
    if let Step::RequestHeaders { stream, .. } | Step::Connect { stream } = &mut step {
        *stream = stream.saturating_add(u32::try_from(copy).unwrap_or(u32::MAX));
    }
    step
}

/// A step of the world, by way of the JSON that adapters get.
fn world(table: &Table<'_>, kind: &Kind, continues: &dyn Fn(u32) -> bool) -> Read<Step> {
    let value = table.need(kind.key.name)?;
    let mut object = json::object(table, kind.details)?;
    let own = json::json(value, &kind.key.form)?;
    if let Some(field) = kind.field {
        object.insert(field.to_owned(), own);
    }
    if kind.details.iter().any(|key| key.name == "end_of_stream") {
        let stream = table.map("stream", Node::number)?.unwrap_or(0);
        object.entry("end_of_stream").or_insert_with(|| (!continues(stream)).into());
    }
    object.insert("do".to_owned(), kind.key.name.into());
    serde_json::from_value(object.into()).or_else(|error| value.complain(error.to_string()))
}

/// The last of the steps that send a body or trailers of a request or of a response, by stream.
struct Last {
    request: HashMap<u32, usize>,
    response: HashMap<u32, usize>,
}

impl Last {
    fn of(steps: &[Node]) -> Last {
        let mut last = Last { request: HashMap::new(), response: HashMap::new() };
        for (index, step) in steps.iter().enumerate() {
            let Value::Table(entries) = &step.value else { continue };
            let number =
                entries.iter().find(|(key, _)| key == "stream").and_then(|(_, node)| node.number::<u32>().ok());
            for (key, _) in entries {
                let side = match key.as_str() {
                    "request_body" | "request_trailers" => &mut last.request,
                    "response_body" | "response_trailers" => &mut last.response,
                    _ => continue,
                };
                side.insert(number.unwrap_or(0), index);
            }
        }
        last
    }

    /// Whether a later step continues the message that a step is part of.
    fn continues(&self, step: &Table<'_>, stream: u32, index: usize) -> bool {
        let is_response = ["response_headers", "response_body"].iter().any(|key| step.find(key).is_some());
        let side = if is_response { &self.response } else { &self.request };
        side.get(&stream).is_some_and(|last| *last > index)
    }
}
