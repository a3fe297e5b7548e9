//! YAML, and with it JSON, as trees in which everything knows its line and its path. Plain words mean what they mean to
//! Kubernetes, which reads YAML 1.1: `on` and `yes` are true, `0755` is octal.
//!
//! Knows nothing of what a tree says.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::wasm_plugin::node::{Node, Value, located};
use pw_cases::format::{Complaint, Read};

/// How deep a tree may be.
const DEPTH: usize = 100;

/// How many values a file may have, once its aliases are written out.
const VALUES: usize = 100_000;

/// The documents of a text that are not empty.
pub(super) fn documents(source: &str) -> Read<Vec<Node>> {
    let rewritten;
    let events = match events(source) {
        Ok(events) => events,
        // JSON may have escapes of surrogates, which YAML does not know; written again it has none.
        Err(complaint) => match serde_json::from_str::<serde_json::Value>(source) {
            Ok(json) => {
                rewritten = format!("{json:#}");
                self::events(&rewritten)?
            }
            Err(_) => return Err(complaint),
        },
    };
    let mut builder = Builder { events: &events, at: 0, anchors: HashMap::new(), count: 0 };
    let mut documents = Vec::new();
    while let Some((event, _)) = events.get(builder.at) {
        builder.at += 1;
        if matches!(event, Event::DocumentStart(_)) {
            let document = builder.node(String::new(), 0)?;
            documents.extend((!matches!(document.value, Value::Null)).then_some(document));
        }
    }
    Ok(documents)
}

type Events<'a> = Vec<(Event<'a>, Span)>;

fn events(source: &str) -> Read<Events<'_>> {
    let complaint = |line, what: &str| Complaint { line, message: format!("this is not YAML: {what}") };
    let parsed = Parser::new_from_str(source).collect::<Result<_, _>>();
    parsed.map_err(|error| complaint(error.marker().line(), error.info()))
}

/// Makes nodes of events.
struct Builder<'a> {
    events: &'a [(Event<'a>, Span)],
    /// The event that is next.
    at: usize,
    /// By the anchor's number, the event of what it stands at.
    anchors: HashMap<usize, usize>,
    /// Values made so far.
    count: usize,
}

impl Builder<'_> {
    fn node(&mut self, path: String, depth: usize) -> Read<Node> {
        let Some((event, span)) = self.events.get(self.at) else {
            return Err(Complaint { line: 1, message: "this is not YAML: it ends within a value".to_owned() });
        };
        let line = span.start.line();
        let complain = |what: &str| Err(Complaint { line, message: located(&path, what) });
        self.count += 1;
        if depth > DEPTH || self.count > VALUES {
            return complain("too much: a resource has some hundred values, and is some levels deep");
        }
        let anchor = match event {
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                *anchor
            }
            _ => 0,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, self.at);
        }
        self.at += 1;
        let value = match event {
            Event::Alias(anchor) => {
                let Some(there) = self.anchors.get(anchor).copied() else { return complain("an alias of nothing") };
                let here = std::mem::replace(&mut self.at, there);
                let value = self.node(path.clone(), depth + 1)?.value;
                self.at = here;
                value
            }
            Event::Scalar(text, style, _, tag) => match scalar(text, *style, tag.as_ref()) {
                Ok(value) => value,
                Err(what) => return complain(&what),
            },
            Event::SequenceStart(..) => self.list(&path, depth)?,
            Event::MappingStart(..) => self.table(&path, depth)?,
            _ => Value::Null,
        };
        Ok(Node { line, path, value })
    }

    fn list(&mut self, path: &str, depth: usize) -> Read<Value> {
        let mut items = Vec::new();
        while !self.ends(&Event::SequenceEnd) {
            items.push(self.node(format!("{path}[{}]", items.len()), depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn table(&mut self, path: &str, depth: usize) -> Read<Value> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while !self.ends(&Event::MappingEnd) {
            let (line, name) = self.key(path, depth)?;
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let complain = |what: &str| Err(Complaint { line, message: located(&below, what) });
            if entries.iter().any(|(known, _)| *known == name) {
                return complain("is there twice");
            }
            if name == "<<" {
                return complain("merge keys are not read here: write the fields out");
            }
            let node = self.node(below, depth + 1)?;
            entries.push((name, Node { line, ..node }));
        }
        Ok(Value::Table(entries))
    }

    /// A key and its line. One that is a word for a truth value would be that to Kubernetes.
    fn key(&mut self, path: &str, depth: usize) -> Read<(usize, String)> {
        let written = match self.events.get(self.at) {
            Some((Event::Scalar(text, ..), _)) => text.to_string(),
            _ => String::new(),
        };
        let node = self.node(path.to_owned(), depth + 1)?;
        match node.value {
            Value::Text(text) => Ok((node.line, text)),
            Value::Number(_) => Ok((node.line, written)),
            _ => node.complain(format!("the key `{written}` is not a text: quote it")),
        }
    }

    /// Whether that event is next, or none; it is passed then.
    fn ends(&mut self, end: &Event<'_>) -> bool {
        let ends = self.events.get(self.at).is_none_or(|(event, _)| event == end);
        self.at += usize::from(ends);
        ends
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>) -> Result<Value, String> {
    let is_text = match tag {
        None => style != ScalarStyle::Plain,
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
        Some(tag) => return Err(format!("the tag {tag} is not read here: leave it out")),
    };
    if is_text {
        return Ok(Value::Text(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Boolean(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Boolean(false),
        _ if [".inf", "+.inf", "-.inf", ".nan"].contains(&text.to_ascii_lowercase().as_str()) => {
            return Err(format!("`{text}` is not a JSON number, and a resource is kept as JSON"));
        }
        _ => number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    })
}

/// Decimal, `0x`, `0o`, `0b`, octal with a zero in front; with underscores anywhere but in front.
fn number(text: &str) -> Option<f64> {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)).then_some(())?;
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let whole = radix.iter().find_map(|(prefix, radix)| {
        let digits = digits.strip_prefix(prefix).filter(|digits| digits.starts_with(|c: char| c.is_digit(*radix)))?;
        u64::from_str_radix(digits, *radix).ok()
    });
    let decimal = || {
        let form = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
        digits.parse().ok().filter(|number: &f64| form && number.is_finite())
    };
    whole.map(|whole| whole as f64).or_else(decimal).map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let said = documents(source).map(|documents| {
            documents.iter().map(|document| document.json().to_string()).collect::<Vec<_>>().join("\n")
        });
        let said = said.unwrap_or_else(|complaint| format!("{}: {}", complaint.line, complaint.message));
        assert_eq!(said, expected, "{source}");
    }

    #[test]
    fn words_and_numbers_mean_what_they_mean_to_kubernetes() {
        let rows = [
            ("[on, 'on', yes, No, y, true, ~, null, ]", r#"[true,"on",true,false,true,true,null,null]"#),
            ("[1, -2, +3, 0x1f, 0o17, 017, 08, 0b11, 1_000]", "[1,-2,3,31,15,15,8,3,1000]"),
            ("[1.5, 1e3, .5, 1., 1e400, 1.2.3, 1-2, 0x]", r#"[1.5,1000,0.5,1,"1e400","1.2.3","1-2","0x"]"#),
            ("[9007199254740993, 1e21]", "[9007199254740992,1e+21]"),
            ("[!!str 5, 5s, 10:30]", r#"["5","5s","10:30"]"#),
            ("a: .inf", "1: a: `.inf` is not a JSON number, and a resource is kept as JSON"),
            ("a: !x 1", "1: a: the tag !x is not read here: leave it out"),
        ];
        rows.iter().for_each(|(source, expected)| check(source, expected));
    }

    #[test]
    fn documents_aliases_and_keys() {
        let rows = [
            ("---\n---\nb: 1\na: &x [1]\nc: *x\n---\n2\n...\n", "{\"a\":[1],\"b\":1,\"c\":[1]}\n2"),
            ("{\"a\": \"\\ud83d\\ude00\",\n\"b\": 1}", r#"{"a":"😀","b":1}"#),
            ("a: 1\nb:\n  c: 2\n  c: 3", "4: b.c: is there twice"),
            ("a:\n  <<: 3", "2: a.<<: merge keys are not read here: write the fields out"),
            ("a:\n  on: 3", "2: a: the key `on` is not a text: quote it"),
            ("a:\n  1: 3", r#"{"a":{"1":3}}"#),
            ("a: b: c", "1: this is not YAML: mapping values are not allowed in this context"),
        ];
        rows.iter().for_each(|(source, expected)| check(source, expected));
    }

    #[test]
    fn a_tree_is_bounded() {
        let most = "too much: a resource has some hundred values, and is some levels deep";
        let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
        for source in
            [format!("a0: &a0 1\n{bomb}"), "[".repeat(DEPTH + 2) + &"]".repeat(DEPTH + 2), "&a [*a]".to_owned()]
        {
            let complaint = documents(&source).err().map(|complaint| complaint.message);
            assert!(complaint.is_some_and(|complaint| complaint.contains(most)), "{source}");
        }
    }
}
