//! Formats text from modules for one line of a log. Pure.

/// Maximum number of bytes of a module's name that are shown.
const MAX_NAME_BYTES: usize = 100;

/// The text with each run of white space as one space, and other control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.contains(char::is_control) { escaped(&line) } else { line }
}

/// A name from a module: on one line, truncated if it is long, control characters escaped.
pub(crate) fn shown(name: &str) -> String {
    truncated(&escaped(prefix(name, MAX_NAME_BYTES)), name.len(), MAX_NAME_BYTES)
}

/// A text of at most `bytes` bytes; an ellipsis replaces the rest.
pub(crate) fn at_most(text: String, bytes: usize) -> String {
    let length = text.len();
    if length <= bytes { text } else { truncated(&text, length, bytes.saturating_sub(ELLIPSIS.len())) }
}

const ELLIPSIS: &str = "…";

fn truncated(text: &str, length: usize, bytes: usize) -> String {
    let start = prefix(text, bytes);
    if start.len() < length.min(text.len()) || length > bytes { format!("{start}{ELLIPSIS}") } else { start.to_owned() }
}

fn prefix(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_names_short_and_on_one_line() {
        assert_eq!(shown("proxy_on_tick"), "proxy_on_tick");
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        let long = shown(&"é".repeat(60_000));
        assert_eq!(long, "é".repeat(50) + "…");
        assert!(shown(&"\0".repeat(90_000)).len() <= MAX_NAME_BYTES + ELLIPSIS.len());
        assert_eq!(shown(&"a".repeat(MAX_NAME_BYTES)), "a".repeat(MAX_NAME_BYTES));
    }

    #[test]
    fn truncates_between_characters() {
        assert_eq!(at_most("é".repeat(10), 20), "é".repeat(10));
        assert_eq!(at_most("é".repeat(11), 20), "é".repeat(8) + "…");
        assert_eq!(one_line("a \n b\u{1b}c"), "a b\\u{1b}c");
    }
}
