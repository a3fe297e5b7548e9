//! A tree in which everything knows its line and its path, and errors that name them.
//!
//! Knows nothing of YAML, nor of what a tree says.

use std::ops::RangeInclusive;

use pw_cases::format::{Complaint, Read, meant};

/// A value, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    /// `spec.vmConfig.env[1].value`; empty for a document.
    pub(super) path: String,
    pub(super) value: Value,
}

/// Numbers are of double precision, as in a protobuf `Struct`.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Node {
    /// A complaint about this value.
    pub(super) fn complain<T>(&self, what: impl AsRef<str>) -> Read<T> {
        Err(Complaint { line: self.line, message: located(&self.path, what.as_ref()) })
    }

    /// A complaint that names what was expected and what is there.
    pub(super) fn expected<T>(&self, expected: &str) -> Read<T> {
        let found = match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Boolean(flag) => format!("{flag}"),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "an object".to_owned(),
        };
        self.complain(format!("expected {expected}, found {found}"))
    }

    /// As text of some length, in bytes.
    pub(super) fn text(&self, sizes: RangeInclusive<usize>) -> Read<&str> {
        match &self.value {
            Value::Text(text) if sizes.contains(&text.len()) => Ok(text),
            Value::Text(text) if text.is_empty() => self.complain("is empty: leave it out, or fill it"),
            Value::Text(text) => self.complain(format!("has {} bytes, and may have {}", text.len(), sizes.end())),
            Value::Boolean(_) | Value::Number(_) => self.expected("a text, so quote it"),
            _ => self.expected("a text"),
        }
    }

    /// As a whole number in a range.
    pub(super) fn number<N: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Read<N> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        match self.value {
            Value::Number(number) if number.fract() == 0.0 && range.contains(&(number as i64)) => {
                N::try_from(number as i64).or_else(|_| self.expected(&expected))
            }
            _ => self.expected(&expected),
        }
    }

    /// As one of some names.
    pub(super) fn one_of<T: Copy>(&self, names: &[(&str, T)]) -> Read<T> {
        let text = self.text(0..=usize::MAX)?;
        match names.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                self.complain(format!("unknown value `{text}`{}", meant(text, names.iter().map(|(name, _)| *name))))
            }
        }
    }

    /// As a list of at most `most` items.
    pub(super) fn list(&self, most: usize) -> Read<&[Node]> {
        match &self.value {
            Value::List(items) if items.len() <= most => Ok(items),
            Value::List(items) => self.complain(format!("has {} items, and may have {most}", items.len())),
            _ => self.expected("a list"),
        }
    }

    /// As an object with fields of any name.
    pub(super) fn entries(&self) -> Read<&[(String, Node)]> {
        if let Value::Table(entries) = &self.value { Ok(entries) } else { self.expected("an object") }
    }

    /// As an object whose fields are all among these. What is null is not there.
    pub(super) fn object(&self, names: &[&str]) -> Read<Object<'_>> {
        let entries = self.entries()?;
        match entries.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, node)) => node.complain(format!("unknown field{}", meant(name, names.iter().copied()))),
            None => Ok(Object { node: self, entries }),
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(flag) => (*flag).into(),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < i64::MAX as f64 => (*number as i64).into(),
            Value::Number(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Table(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(name, _)| name);
                entries.into_iter().map(|(name, node)| (name.clone(), node.json())).collect()
            }
        }
    }
}

/// An object.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    node: &'a Node,
    entries: &'a [(String, Node)],
}

impl<'a> Object<'a> {
    /// The value of a field.
    pub(super) fn find(&self, name: &str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(known, _)| known == name).map(|(_, node)| node);
        found.filter(|node| !matches!(node.value, Value::Null))
    }

    /// The value of a field that must be there.
    pub(super) fn need(&self, name: &str) -> Read<&'a Node> {
        match self.find(name) {
            Some(node) => Ok(node),
            None => self.node.complain(format!("`{name}` is missing")),
        }
    }

    /// The value of a field, read in some way.
    pub(super) fn map<T>(&self, name: &str, read: impl FnOnce(&'a Node) -> Read<T>) -> Read<Option<T>> {
        self.find(name).map(read).transpose()
    }

    /// The items of the list at a field; none if it is not there.
    pub(super) fn items(&self, name: &str, most: usize) -> Read<&'a [Node]> {
        self.find(name).map_or(Ok(&[]), |node| node.list(most))
    }
}

/// A message that says what of; the path is empty for a document.
pub(super) fn located(path: &str, what: &str) -> String {
    if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") }
}
