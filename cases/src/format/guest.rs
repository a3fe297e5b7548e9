//! Reads what the probe does in a callback.

use crate::case::{Accept, Does, GuestDoes};
use crate::language;
use crate::node::{Node, Read, Table, Value};

/// What it does in the callback that the block names, or that the step causes.
pub(super) fn guest(node: &Node, step: &str, caused: Option<&'static str>) -> Read<GuestDoes> {
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
        (Some(_), Some(_), _) => {
            return table.need("returns")?.complain(
                "`returns` ends the callback: put it into a `[[step.guest]]` of its own, or write `returned` for what the call returns",
            );
        }
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
        answer: table.map("answer", |node| node.text().map(str::to_owned))?,
    })
}
