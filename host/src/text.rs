//! Text that comes from modules, made fit for one line of a log. Pure.

/// Bytes of a name from a module that are shown.
const NAME: usize = 100;

/// The text with each run of white space as one space, and other control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.contains(char::is_control) { escaped(&line) } else { line }
}

/// A name from a module: its beginning if it is long, on one line, control characters escaped.
pub(crate) fn shown(name: &str) -> String {
    cut(&escaped(cut_at(name, NAME)), name.len(), NAME)
}

/// At most so many bytes of a text; an ellipsis stands for the rest.
pub(crate) fn at_most(text: String, bytes: usize) -> String {
    let length = text.len();
    if length <= bytes { text } else { cut(&text, length, bytes.saturating_sub(ELLIPSIS.len())) }
}

const ELLIPSIS: &str = "…";

fn cut(text: &str, length: usize, bytes: usize) -> String {
    let start = cut_at(text, bytes);
    if start.len() < length.min(text.len()) || length > bytes { format!("{start}{ELLIPSIS}") } else { start.to_owned() }
}

fn cut_at(text: &str, bytes: usize) -> &str {
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
    fn names_are_short_and_on_one_line() {
        assert_eq!(shown("proxy_on_tick"), "proxy_on_tick");
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        let long = shown(&"é".repeat(60_000));
        assert_eq!(long, "é".repeat(50) + "…");
        assert!(shown(&"\0".repeat(90_000)).len() <= NAME + ELLIPSIS.len());
        assert_eq!(shown(&"a".repeat(NAME)), "a".repeat(NAME));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(at_most("é".repeat(10), 20), "é".repeat(10));
        assert_eq!(at_most("é".repeat(11), 20), "é".repeat(8) + "…");
        assert_eq!(one_line("a \n b\u{1b}c"), "a b\\u{1b}c");
    }
}
