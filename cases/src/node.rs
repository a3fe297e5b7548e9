//! TOML as a tree in which everything knows its line, and the errors that name it.

use std::fmt;

use strsim::osa_distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The file, as it was named.
    pub file: String,
    /// Counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and the way out.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Error {}

/// A complaint about a line; the file is added at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and the way out.
    pub message: String,
}

/// The result of reading a part of a file.
pub type Read<T> = Result<T, Complaint>;

/// A value and the line on which it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// A value of TOML, without floats and dates, of which case files have none.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "TOML's own terms")]
pub enum Value {
    Integer(i64),
    Text(String),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// Reads a file's text.
pub fn read(source: &str) -> Read<Node> {
    let lines = Lines::new(source);
    let table = DeTable::parse(source).map_err(|error| Complaint {
        line: error.span().map_or(1, |span| lines.at(span.start)),
        message: error.message().to_owned(),
    })?;
    let line = 1;
    Ok(Node { line, value: Value::Table(lines.table(table.get_ref())?) })
}

/// Where each line ends.
struct Lines(Vec<usize>);

impl Lines {
    fn new(source: &str) -> Lines {
        Lines(source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of an offset, counted from 1.
    fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }

    fn table(&self, table: &DeTable<'_>) -> Read<Vec<(String, Node)>> {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let mut node = self.node(value)?;
            node.line = self.at(key.span().start);
            Ok((AsRef::<str>::as_ref(key.get_ref()).to_owned(), node))
        };
        table.iter().map(|(key, value)| entry((&Spanned::new(key.span(), key.get_ref().to_string()), value))).collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Read<Node> {
        let line = self.at(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Value::Integer)
                .map_err(|_| Complaint { line, message: format!("the number {} is too large", number.as_str()) })?,
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.node(item)).collect::<Read<_>>()?),
            DeValue::Table(table) => Value::Table(self.table(table)?),
            DeValue::Float(_) | DeValue::Datetime(_) => {
                return Err(Complaint { line, message: "case files have neither fractions nor dates".to_owned() });
            }
        };
        Ok(Node { line, value })
    }
}

impl Node {
    /// A complaint about this value.
    pub fn complain<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Complaint { line: self.line, message: message.into() })
    }

    /// A complaint that names what was expected and what is there.
    pub fn expected<T>(&self, expected: &str) -> Read<T> {
        let found = match &self.value {
            Value::Integer(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text {text:?}"),
            Value::Boolean(flag) => format!("{flag}"),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        };
        self.complain(format!("expected {expected}, found {found}"))
    }

    /// As text.
    pub fn text(&self) -> Read<&str> {
        if let Value::Text(text) = &self.value { Ok(text) } else { self.expected("a text") }
    }

    /// As a truth value.
    pub fn flag(&self) -> Read<bool> {
        if let Value::Boolean(flag) = &self.value { Ok(*flag) } else { self.expected("true or false") }
    }

    /// As a number of that type.
    pub fn number<N: TryFrom<i64>>(&self) -> Read<N> {
        match &self.value {
            Value::Integer(number) => {
                N::try_from(*number).or_else(|_| self.complain(format!("{number} is out of range")))
            }
            _ => self.expected("a number"),
        }
    }

    /// As a list.
    pub fn list(&self) -> Read<&[Node]> {
        if let Value::List(items) = &self.value { Ok(items) } else { self.expected("a list") }
    }

    /// As a list of at least one.
    pub fn some(&self) -> Read<&[Node]> {
        match self.list()? {
            [] => self.complain("the list is empty, so that it says nothing: leave it out, or fill it"),
            items => Ok(items),
        }
    }

    /// As a table whose keys are all among `keys`.
    pub fn table(&self, keys: &[&str]) -> Read<Table<'_>> {
        let Value::Table(entries) = &self.value else { return self.expected("a table") };
        match entries.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
            Some((key, node)) => node.complain(format!("unknown key `{key}`{}", meant(key, keys.iter().copied()))),
            None => Ok(Table { line: self.line, entries }),
        }
    }

    /// As a table with keys of any name.
    pub fn entries(&self) -> Read<&[(String, Node)]> {
        if let Value::Table(entries) = &self.value { Ok(entries) } else { self.expected("a table") }
    }
}

/// A table.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    line: usize,
    entries: &'a [(String, Node)],
}

impl<'a> Table<'a> {
    /// The value of a key.
    pub fn find(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &str) -> Read<&'a Node> {
        self.find(key).ok_or_else(|| Complaint { line: self.line, message: format!("`{key}` is missing") })
    }

    /// The value of a key, read in some way.
    pub fn map<T>(&self, key: &str, read: impl FnOnce(&'a Node) -> Read<T>) -> Read<Option<T>> {
        self.find(key).map(read).transpose()
    }

    /// The items of the list at a key; none if it is not there.
    pub fn items(&self, key: &str) -> Read<&'a [Node]> {
        self.find(key).map_or(Ok(&[]), Node::list)
    }
}

/// `, did you mean …?` if one of the names is close to `written`, else the names that there are if they are few.
pub fn meant<'a>(written: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = names.clone().map(|name| (osa_distance(written, name), name)).min();
    // A beginning is as good as a slip.
    let begun = names.clone().find(|name| written.len() > 2 && name.starts_with(written)).map(|name| (0, name));
    let near = begun.or(near);
    match near {
        Some((distance, name)) if distance <= 2 + written.len() / 5 => format!(", did you mean `{name}`?"),
        _ => {
            let names: Vec<&str> = names.collect();
            if names.is_empty() || names.len() > 24 {
                String::new()
            } else {
                format!("; there are {}", names.join(", "))
            }
        }
    }
}
