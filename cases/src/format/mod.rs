//! Reads case files. What a key means is in the manual, `catalog/readme.toml`, which is itself a case.

mod expect;
mod plugins;
mod values;

pub use self::plugins::Modules;
pub use crate::node::{Complaint, Error, Node, Read, Table, Value, meant, read};
pub(crate) use values::{address, data, pairs, path, want};

use std::collections::HashMap;

use pw_abi::Version;

use crate::case::{Accept, Case, CaseStep, Does, GuestDoes, Level};
use crate::clause::{clause, versions};
use crate::format::expect::{expect, plugins_exist};
use crate::format::plugins::{plugin, plugins};
use crate::format::values::{fields, repetitions};
use crate::scenario::Step;
use crate::statements::{self, Statement};

/// Reads the text of a case file, and brings it to each of its versions to see that it can be.
pub fn parse(id: &str, file: &str, source: &str, modules: Modules<'_>) -> Result<Case, Error> {
    let parsed = read(source).and_then(|root| {
        repetitions(&root)?;
        case(id, file, source, &root, modules)
    });
    let checked = parsed.and_then(|case| {
        case.versions.iter().try_for_each(|version| case.lower(*version).map(drop))?;
        plugins_exist(&case)?;
        Ok(case)
    });
    checked.map_err(|Complaint { line, message }| Error { file: file.to_owned(), line, message })
}

fn case(id: &str, file: &str, source: &str, root: &Node, modules: Modules<'_>) -> Read<Case> {
    let table = root.table(&[
        "title",
        "statement",
        "clause",
        "level",
        "abi",
        "why",
        "question",
        "hazard",
        "plugin",
        "step",
        "expect",
    ])?;
    let versions = table.map("abi", versions)?.unwrap_or(Version::FINAL.to_vec());
    let level = level(table.need("level")?)?;
    let question = table.map("question", |node| node.text().map(str::to_owned))?;
    match (level, &question) {
        (Level::Unspecified, None) => return root.complain("a case of level unspecified needs a `question`"),
        (Level::Required | Level::Recommended | Level::Extension, Some(_)) => {
            return table.need("question")?.complain("only a case of level unspecified has a `question`");
        }
        _ => {}
    }
    let statements = table.items("statement")?.iter();
    let statements: Vec<&Statement> = statements.map(|node| statements::cited(node, &versions)).collect::<Read<_>>()?;
    let mut clauses: Vec<String> = Vec::new();
    for one in &statements {
        if !clauses.contains(&one.clause) {
            clauses.push(one.clause.clone());
        }
    }
    for node in table.items("clause")? {
        clauses.push(clause(node, &versions)?);
    }
    if clauses.is_empty() {
        return root.complain(
            "a case checks something: name it in `statement`, or its place in `clause` if no statement says it",
        );
    }
    let steps = table.items("step")?;
    let plugins = match table.find("plugin") {
        Some(list) => plugins(list.list()?, modules)?,
        None => vec![plugin(&Node { line: 1, value: Value::Table(Vec::new()) }, modules)?],
    };
    let last = Last::of(steps);
    Ok(Case {
        id: id.to_owned(),
        file: file.to_owned(),
        source: source.to_owned(),
        title: table.need("title")?.text()?.to_owned(),
        statements: statements.into_iter().map(|one| one.id.as_str()).collect(),
        clauses,
        level,
        versions,
        why: table.map("why", |node| node.text().map(str::to_owned))?,
        question,
        hazard: table.map("hazard", Node::flag)?.unwrap_or(false),
        every_function: false,
        plugins,
        steps: steps.iter().enumerate().map(|(index, node)| step(node, index, &last)).collect::<Read<_>>()?,
        expect: table.map("expect", expect)?.unwrap_or_default(),
    })
}

fn level(node: &Node) -> Read<Level> {
    let text = node.text()?;
    match Level::ALL.iter().find(|(name, _)| *name == text) {
        Some((_, level)) => Ok(*level),
        None => {
            node.complain(format!("unknown level `{text}`{}", meant(text, Level::ALL.iter().map(|(name, _)| *name))))
        }
    }
}

/// The keys that say what a step does.
const STEPS: [&str; 28] = [
    "start",
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "connect",
    "client_data",
    "upstream_data",
    "client_reset",
    "upstream_reset",
    "call_response",
    "call_reset",
    "grpc_initial_metadata",
    "grpc_message",
    "grpc_close",
    "grpc_reset",
    "foreign_call",
    "reconfigure",
    "replace",
    "canary",
    "promote",
    "roll_back",
    "remove",
    "read_metrics",
    "advance",
    "shutdown",
];
const DETAILS: [&str; 14] = [
    "plugin",
    "by",
    "share",
    "faults",
    "stream",
    "call",
    "end_of_stream",
    "body",
    "trailers",
    "message",
    "metadata",
    "arguments",
    "guest",
    "expect",
];

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
}

fn step(node: &Node, index: usize, last: &Last) -> Read<CaseStep> {
    let keys: Vec<&str> = STEPS.iter().chain(&DETAILS).copied().collect();
    let table = node.table(&keys)?;
    let mut kinds = STEPS.iter().filter(|key| table.find(key).is_some());
    let (kind, value) = match (kinds.next(), kinds.next()) {
        (Some(kind), None) => (*kind, table.need(kind)?),
        (None, _) => return node.complain(format!("a step has one of {}", STEPS.join(", "))),
        (Some(one), Some(other)) => return node.complain(format!("a step is either `{one}` or `{other}`")),
    };
    let step = if kind == "start" {
        if index > 0 {
            return value.complain("`start` comes first");
        }
        None
    } else {
        Some(world(&table, kind, value, index, last)?)
    };
    let caused = step.as_ref().and_then(Step::callback);
    let guest = table.items("guest")?.iter().map(|node| guest(node, kind, caused)).collect::<Read<_>>()?;
    Ok(CaseStep { line: node.line, step, guest, expect: table.map("expect", expect)?.unwrap_or_default() })
}

fn world(table: &Table<'_>, kind: &str, value: &Node, index: usize, last: &Last) -> Read<Step> {
    let stream = table.map("stream", Node::number)?.unwrap_or(0);
    let call = table.map("call", Node::number)?.unwrap_or(0);
    let goes_on = |side: &HashMap<u32, usize>| side.get(&stream).is_some_and(|last| *last > index);
    let end = |side| Ok(table.map("end_of_stream", Node::flag)?.unwrap_or_else(|| !goes_on(side)));
    let flag = |key| Ok(table.map(key, Node::flag)?.unwrap_or(false));
    let (request, response) = (&last.request, &last.response);
    Ok(match kind {
        "request_headers" => Step::RequestHeaders { stream, headers: fields(value)?, end_of_stream: end(request)? },
        "request_body" => Step::RequestBody { stream, body: data(value)?, end_of_stream: end(request)? },
        "request_trailers" => Step::RequestTrailers { stream, trailers: fields(value)? },
        "response_headers" => Step::ResponseHeaders { stream, headers: fields(value)?, end_of_stream: end(response)? },
        "response_body" => Step::ResponseBody { stream, body: data(value)?, end_of_stream: end(response)? },
        "response_trailers" => Step::ResponseTrailers { stream, trailers: fields(value)? },
        "connect" => Step::Connect { stream },
        "client_data" => Step::ClientData { stream, data: data(value)?, end_of_stream: flag("end_of_stream")? },
        "upstream_data" => Step::UpstreamData { stream, data: data(value)?, end_of_stream: flag("end_of_stream")? },
        "client_reset" => Step::ClientReset { stream },
        "upstream_reset" => Step::UpstreamReset { stream },
        "call_response" => Step::CallResponse {
            call,
            headers: fields(value)?,
            body: table.map("body", data)?.unwrap_or_default(),
            trailers: table.map("trailers", fields)?.unwrap_or_default(),
        },
        "call_reset" => Step::CallReset { call },
        "grpc_initial_metadata" => Step::GrpcInitialMetadata { call, metadata: fields(value)? },
        "grpc_message" => Step::GrpcMessage { call, message: data(value)? },
        "grpc_close" => Step::GrpcClose {
            call,
            status: value.number()?,
            message: table.map("message", |node| node.text().map(str::to_owned))?.unwrap_or_default(),
            metadata: table.map("metadata", fields)?.unwrap_or_default(),
        },
        "grpc_reset" => Step::GrpcReset { call },
        "foreign_call" => Step::ForeignCall {
            function: value.number()?,
            arguments: table.map("arguments", data)?.unwrap_or_default(),
        },
        "reconfigure" => Step::Reconfigure {
            plugin: table.map("plugin", name)?.unwrap_or("plugin".to_owned()),
            configuration: data(value)?,
        },
        "replace" => Step::Replace { plugin: name(value)?, by: name(table.need("by")?)? },
        "canary" => Step::Canary {
            plugin: name(value)?,
            by: name(table.need("by")?)?,
            share: per_cent(table.need("share")?)?,
            faults: table.map("faults", per_cent)?.unwrap_or(0),
        },
        "promote" => Step::Promote { plugin: name(value)? },
        "roll_back" => Step::RollBack { plugin: name(value)? },
        "remove" => Step::Remove { plugin: name(value)? },
        "read_metrics" => Step::ReadMetrics,
        "advance" => Step::Advance { milliseconds: milliseconds(value)? },
        _ => Step::Shutdown,
    })
}

/// Milliseconds by which a step advances the time at most: an hour.
const ADVANCE: u64 = 3_600_000;

fn milliseconds(node: &Node) -> Read<u64> {
    match node.number::<u64>()? {
        milliseconds @ 0..=ADVANCE => Ok(milliseconds),
        milliseconds => node
            .complain(format!("`advance` by {milliseconds} milliseconds: {ADVANCE}, which is an hour, is the limit")),
    }
}

fn name(node: &Node) -> Read<String> {
    node.text().map(str::to_owned)
}

fn per_cent(node: &Node) -> Read<u8> {
    match node.number::<u8>()? {
        share @ 0..=100 => Ok(share),
        _ => node.expected("a number from 0 to 100"),
    }
}

fn guest(node: &Node, step: &str, caused: Option<&'static str>) -> Read<GuestDoes> {
    let table =
        node.table(&["plugin", "in", "call", "args", "expect", "returned", "accept", "save", "returns", "trap"])?;
    let callback = match (table.find("in"), caused) {
        (Some(callback), _) => callback.clone(),
        (None, Some(caused)) => Node { line: node.line, value: Value::Text(caused.to_owned()) },
        (None, None) => {
            return node.complain(format!("`{step}` causes no callback: name one by `in`"));
        }
    };
    let what = match (table.find("call"), table.find("returns"), table.find("trap")) {
        (Some(function), None, None) => Does::Call {
            function: function.clone(),
            args: entries(&table, "args")?,
            accept: accept(node, &table)?,
            save: entries(&table, "save")?,
        },
        (None, Some(value), None) => Does::Returns(value.clone()),
        (None, None, Some(Node { value: Value::Boolean(true), .. })) => Does::Trap,
        _ => return node.complain("what the guest does is one of `call`, `returns` and `trap`"),
    };
    Ok(GuestDoes { line: node.line, plugin: table.find("plugin").cloned(), callback, what })
}

fn entries(table: &Table<'_>, key: &str) -> Read<Vec<(String, Node)>> {
    table.find(key).map_or(Ok(Vec::new()), |node| node.entries().map(<[_]>::to_vec))
}

/// The long form as it is; the short form as one answer per status; neither as success.
fn accept(node: &Node, table: &Table<'_>) -> Read<Vec<Accept>> {
    if let Some(list) = table.find("accept") {
        if table.find("expect").or(table.find("returned")).is_some() {
            return list.complain("`accept` stands in place of `expect` and `returned`");
        }
        return list.some()?.iter().map(acceptable).collect();
    }
    let returned = entries(table, "returned")?;
    let one = |expect: &Node| Accept { expect: expect.clone(), returned: returned.clone(), answer: None };
    Ok(match table.find("expect") {
        None => vec![one(&Node { line: node.line, value: Value::Integer(0) })],
        Some(list @ Node { value: Value::List(_), .. }) => list.some()?.iter().map(one).collect(),
        Some(status) => vec![one(status)],
    })
}

fn acceptable(node: &Node) -> Read<Accept> {
    let table = node.table(&["expect", "returned", "answer"])?;
    Ok(Accept {
        expect: table.need("expect")?.clone(),
        returned: entries(&table, "returned")?,
        answer: table.map("answer", |node| node.text().map(str::to_owned))?,
    })
}
