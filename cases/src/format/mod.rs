//! Reads case files. Which keys there are, and what they mean, is in [`crate::language`].

mod check;
mod expect;
mod plugins;
mod steps;
mod values;

pub use self::plugins::Modules;
pub use crate::node::{Complaint, Error, Node, Read, Table, Value, meant, read};
pub(crate) use values::{address, data, fields, pairs, path, want};

use crate::case::{Accept, Case, Does, GuestDoes, Level};
use crate::clause::{clause, versions};
use crate::format::expect::{expect, outcomes};
use crate::format::plugins::{plugin, plugins};
use crate::format::steps::steps;
use crate::format::values::repetitions;
use crate::language;
use crate::statements::{self, Statement};

/// Reads the text of a case file, and brings it to each of its versions to see that it can be.
pub fn parse(id: &str, file: &str, source: &str, modules: Modules<'_>) -> Result<Case, Error> {
    let parsed = read(source).and_then(|root| {
        repetitions(&root)?;
        case(id, file, source, &root, modules)
    });
    let checked = parsed.and_then(|case| {
        case.versions.iter().try_for_each(|version| case.lower(*version).map(drop))?;
        check::check(&case)?;
        Ok(case)
    });
    checked.map_err(|Complaint { line, message }| Error { file: file.to_owned(), line, message })
}

fn case(id: &str, file: &str, source: &str, root: &Node, modules: Modules<'_>) -> Read<Case> {
    let table = root.table(&language::CASE.names())?;
    let plugins = match table.find("plugin") {
        Some(list) => plugins(list.list()?, modules)?,
        None => vec![plugin(&Node { line: 1, value: Value::Table(Vec::new()) }, modules)?],
    };
    let versions = table.map("abi", versions)?.unwrap_or_else(|| plugins::marked(&plugins));
    let level = level(table.need("level")?)?;
    let question = table.map("question", name)?;
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
    Ok(Case {
        id: id.to_owned(),
        file: file.to_owned(),
        source: source.to_owned(),
        title: table.need("title").and_then(name)?,
        statements: statements.into_iter().map(|one| one.id.as_str()).collect(),
        clauses,
        level,
        versions,
        why: table.map("why", name)?,
        question,
        hazard: table.map("hazard", Node::flag)?.unwrap_or(false),
        every_function: false,
        plugins,
        steps: steps(table.items("step")?)?,
        expect: table.map("expect", expect)?.unwrap_or_default(),
        outcomes: outcomes(&table)?,
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

fn name(node: &Node) -> Read<String> {
    node.text().map(str::to_owned)
}

fn guest(node: &Node, step: &str, caused: Option<&'static str>) -> Read<GuestDoes> {
    let table = node.table(&language::GUEST.names())?;
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
    let optional = table.map("optional", Node::flag)?.unwrap_or(false);
    let caused = table.find("in").is_none();
    Ok(GuestDoes { line: node.line, plugin: table.find("plugin").cloned(), callback, caused, optional, what })
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
    let table = node.table(&language::ACCEPT.names())?;
    Ok(Accept {
        expect: table.need("expect")?.clone(),
        returned: entries(&table, "returned")?,
        answer: table.map("answer", name)?,
    })
}
