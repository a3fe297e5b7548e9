//! Lines of Envoy's log: their format, and how to read them. Knows what a line says, not which plugin it is about.

/// The format that Envoy is configured to write: a mark, the thread, the level, the component, the message, a mark. Without the last one,
/// white space at the end of a message would not be escaped.
pub const FORMAT: &str = "@pw %t %l %n %v @wp";

/// One line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The number of the thread that wrote it.
    pub thread: u32,
    /// Its level.
    pub level: Level,
    /// The component that wrote it, such as `wasm`.
    pub component: String,
    /// The message, unescaped.
    pub message: Vec<u8>,
}

/// The level of a line, by Envoy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `trace`
    Trace,
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `warning`
    Warn,
    /// `error`
    Error,
    /// `critical`
    Critical,
}

impl Level {
    /// The name in transcripts.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }

    fn parse(name: &str) -> Option<Level> {
        Some(match name {
            "trace" => Level::Trace,
            "debug" => Level::Debug,
            "info" => Level::Info,
            "warning" | "warn" => Level::Warn,
            "error" | "err" => Level::Error,
            "critical" => Level::Critical,
            _ => return None,
        })
    }
}

impl LogLine {
    /// Reads a line in [`FORMAT`]; `None` for anything else that is written to standard error.
    pub fn parse(line: &[u8]) -> Option<LogLine> {
        let mut parts = line.strip_prefix(b"@pw ")?.strip_suffix(b" @wp")?.splitn(4, |byte| *byte == b' ');
        let mut word = || std::str::from_utf8(parts.next()?).ok();
        let (thread, level, component) = (word()?, word()?, word()?);
        Some(LogLine {
            thread: thread.parse().ok()?,
            level: Level::parse(level)?,
            component: component.into(),
            message: unescape(parts.next()?),
        })
    }

    /// The message as text, on one line.
    pub fn text(&self) -> String {
        one_line(&String::from_utf8_lossy(&self.message))
    }
}

/// The name of the signal that Envoy has caught, if the line says so.
pub fn caught(line: &LogLine) -> Option<&'static str> {
    if line.component != "backtrace" || line.level != Level::Critical {
        return None;
    }
    let words = line.message.strip_prefix(b"Caught ")?;
    let names: [(&[u8], &str); 5] = [
        (b"Segmentation fault", "SIGSEGV"),
        (b"Aborted", "SIGABRT"),
        (b"Bus error", "SIGBUS"),
        (b"Floating point exception", "SIGFPE"),
        (b"Illegal instruction", "SIGILL"),
    ];
    names.into_iter().find(|(start, _)| words.starts_with(start)).map(|(_, name)| name)
}

/// Text on one line. A backtrace is left out; other lines are joined.
pub fn one_line(text: &str) -> String {
    let text = text.split("\nProxy-Wasm plugin in-VM backtrace:").next().unwrap_or_default();
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Decodes the escapes of C, octal ones with three digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        bytes.extend_from_slice(&rest[..at]);
        let (byte, length) = match &rest[at + 1..] {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 3)
            }
            [other, ..] => (*other, 1),
            [] => (b'\\', 0),
        };
        bytes.push(byte);
        rest = &rest[at + 1 + length..];
    }
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_lines() {
        let line = LogLine::parse(b"@pw 14918 warning wasm wasm log p one vm a: a\\nb  @wp").expect("is in the format");
        assert_eq!((line.thread, line.level, line.component.as_str()), (14918, Level::Warn, "wasm"));
        assert_eq!(line.message, b"wasm log p one vm a: a\nb ");
        for other in ["", "external/abseil: nothing", "@pw 1 info", "@pw x info wasm m @wp", "@pw 1 loud wasm m @wp"] {
            assert_eq!(LogLine::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn decodes_escapes() {
        let rows: [(&str, &[u8]); 6] = [
            ("plain", b"plain"),
            (r#"w\\o\"r\000ld\377\'"#, b"w\\o\"r\0ld\xff'"),
            (r"\t \n \r\n", b"\t \n \r\n"),
            (r"\\n", b"\\n"),
            (r"\0001", b"\x001"),
            ("\\", b"\\"),
        ];
        for (text, bytes) in rows {
            assert_eq!(unescape(text.as_bytes()), bytes, "{text}");
        }
    }

    #[test]
    fn leaves_out_the_backtrace() {
        let text = "Function: f failed: Uncaught RuntimeError: unreachable\nProxy-Wasm plugin in-VM backtrace:\n  0: x";
        assert_eq!(one_line(text), "Function: f failed: Uncaught RuntimeError: unreachable");
        assert_eq!(one_line("a\n  b\n"), "a b");
    }
}
