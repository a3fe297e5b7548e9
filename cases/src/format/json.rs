//! Values of a case file as the JSON of the types that they stand for.

use serde_json::{Map, Value as Json};

use crate::format::values::{data, fields};
use crate::language::{Form, Key, Usual};
use crate::node::{Node, Read, Table, Value, meant};

/// The values of these keys as an object; those that are left out and have no usual value are not in it.
pub(super) fn object(table: &Table<'_>, keys: &[Key]) -> Read<Map<String, Json>> {
    let mut object = Map::new();
    for key in keys {
        let value = match (table.find(key.name), key.usual) {
            (Some(node), _) => json(node, &key.form)?,
            (None, Usual::Needed) => table.need(key.name).and_then(|node| json(node, &key.form))?,
            (None, Usual::Said) => continue,
            (None, Usual::Is(usual)) => serde_json::from_str(usual).unwrap_or_default(),
        };
        object.insert(key.name.to_owned(), value);
    }
    Ok(object)
}

/// A value as JSON.
pub(super) fn json(node: &Node, form: &Form) -> Read<Json> {
    Ok(match form {
        Form::Flag => node.flag()?.into(),
        Form::True => match &node.value {
            Value::Boolean(true) => true.into(),
            _ => node.expected("true; leave the key out otherwise")?,
        },
        Form::Number(least, most) => match node.number::<i64>()? {
            number if (*least..=*most).contains(&number) => number.into(),
            number => node.complain(format!("{number} is out of range: expected a {form}"))?,
        },
        Form::Bytes => to_json(&data(node)?),
        Form::Fields => to_json(&fields(node)?),
        Form::Word(words) => match node.text()? {
            text if words.contains(&text) => text.into(),
            text => node.complain(format!("unknown word `{text}`{}", meant(text, words.iter().copied())))?,
        },
        Form::List(form) => Json::Array(node.list()?.iter().map(|node| json(node, form)).collect::<Read<_>>()?),
        Form::Map(form) => Json::Object(
            node.entries()?.iter().map(|(name, node)| Ok((name.clone(), json(node, form)?))).collect::<Read<_>>()?,
        ),
        Form::Table(table) => Json::Object(object(&node.table(&table.names())?, table.keys)?),
        // The other forms are not those of settings and steps.
        _ => node.text()?.into(),
    })
}

fn to_json(value: &impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}
