//! Steps and settings as case files write them: what is read back is the same.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value as Json;

use crate::data::{Data, Fields};
use crate::language::form::{Form, Key, Usual};
use crate::language::steps;
use crate::scenario::Step;

/// The lines of a step.
pub fn step(step: &Step) -> String {
    let kind = steps::of(step);
    let json = json(step);
    let value = kind.field.map_or("true".to_owned(), |field| value(&json[field], &kind.key.form));
    format!("{} = {value}\n{}", kind.key.name, entries(&json, kind.details))
}

/// A line for each of these keys of a value that is not the usual one.
pub fn entries(value: &impl Serialize, keys: &[Key]) -> String {
    let json = json(value);
    let mut lines = String::new();
    for key in keys {
        let Some(found) = json.get(key.name) else { continue };
        let usual = matches!(key.usual, Usual::Is(usual) if serde_json::from_str::<Json>(usual).is_ok_and(|usual| usual == *found));
        if !usual {
            let _ = writeln!(lines, "{} = {}", key.name, self::value(found, &key.form));
        }
    }
    lines
}

fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

fn value(json: &Json, form: &Form) -> String {
    match (form, json) {
        (Form::Bytes, _) => serde_json::from_value(json.clone()).map_or_else(|_| json.to_string(), |data| bytes(&data)),
        (Form::Fields, _) => serde_json::from_value(json.clone()).map_or_else(|_| json.to_string(), |all| fields(&all)),
        (Form::List(form), Json::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| value(item, form)).collect();
            format!("[{}]", items.join(", "))
        }
        (Form::Map(form), Json::Object(pairs)) => {
            inline(pairs.iter().map(|(name, found)| (text(name), value(found, form))))
        }
        (Form::Table(table), Json::Object(_)) => {
            let pairs = table.keys.iter().filter_map(|key| Some((key.name, json.get(key.name)?, key.form)));
            inline(pairs.map(|(name, found, form)| (name.to_owned(), value(found, &form))))
        }
        (_, Json::String(found)) => text(found),
        _ => json.to_string(),
    }
}

fn inline(pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A text in quotes. What cannot be seen is escaped.
pub fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// Text if it can be seen, else hex.
pub fn bytes(data: &Data) -> String {
    match data.as_str().filter(|text| !text.chars().any(char::is_control)) {
        Some(seen) => text(seen),
        None => format!("{{ hex = \"{}\" }}", data.to_hex()),
    }
}

/// `[[name, value], …]`.
pub fn fields(fields: &Fields) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("[{}, {}]", bytes(name), bytes(value))).collect();
    format!("[{}]", pairs.join(", "))
}
