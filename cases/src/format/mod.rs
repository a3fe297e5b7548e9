//! Reads case files. Which keys there are, and what they mean, is in [`crate::language`].

mod check;
mod expect;
mod guest;
mod json;
mod plugins;
mod steps;
mod values;

pub use self::plugins::{KIT, Modules};
pub use crate::node::{Complaint, Error, Node, Read, Table, Value, meant, read};
pub(crate) use values::{address, data, pairs, path, want};

use std::collections::BTreeMap;

use crate::case::{Case, Level};
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
        check::names_are_saved(&root)?;
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
    let is_of_the_kit = plugins::any_of_the_kit(&table)?;
    let mut versions = table.map("abi", versions)?.unwrap_or_else(|| plugins::marked(&plugins));
    if is_of_the_kit {
        // A module of the kit is what it is, and may have none of the versions that the case is about.
        let marked = plugins::marked(&plugins);
        versions.retain(|version| marked.contains(version));
    }
    let level = if is_of_the_kit { Level::Kit } else { level(table.need("level")?)? };
    let question = table.map("question", name)?;
    match (level, &question) {
        (Level::Unspecified, None) => return root.complain("a case of level unspecified needs a `question`"),
        (Level::Required | Level::Recommended | Level::Extension | Level::Kit, Some(_)) => {
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
    if is_of_the_kit {
        if let Some(key) = ["level", "statement", "clause"].iter().find(|key| table.find(key).is_some()) {
            return table.need(key)?.complain(format!("a case of the SDK kit has no `{key}`: it judges a plugin"));
        }
    } else if clauses.is_empty() {
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
        http1: table.map("http1", Node::flag)?.unwrap_or(false),
        choices: table.map("choices", |node| choices(node, level))?.unwrap_or_default(),
        every_function: false,
        plugins,
        steps: steps(table.items("step")?)?,
        expect: table.map("expect", expect)?.unwrap_or_default(),
        outcomes: outcomes(&table)?,
    })
}

/// Answers to open questions. A host that gives others is right, too: what a case finds that sets them is no fault of a host.
fn choices(node: &Node, level: Level) -> Read<BTreeMap<String, bool>> {
    if ![Level::Kit, Level::Extension].contains(&level) {
        return node.complain("only cases of level extension and of the SDK kit say how a host answers open questions");
    }
    node.entries()?.iter().map(|(name, node)| Ok((name.clone(), node.flag()?))).collect()
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
