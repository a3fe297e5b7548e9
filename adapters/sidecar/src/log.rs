//! Lines about plugins, on standard error. Each is written at once, so that lines of several workers do not mix.

use std::io::Write;

use pw_abi::LogLevel;
use serde_json::{Value, json};

use crate::config::LogFormat;

/// What a line says of a plugin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line<'a> {
    /// It has logged this.
    Logged(LogLevel, &'a [u8]),
    /// It has crashed, and why.
    Crashed(&'a str),
    /// It runs again.
    Restarted,
    /// It was not started, and why.
    Refused(&'a str),
}

/// Writes a line.
pub(crate) fn write(format: LogFormat, plugin: &str, line: Line<'_>) {
    let mut text = match format {
        LogFormat::Json => json(plugin, line).to_string(),
        LogFormat::Text => text(plugin, line),
    };
    text.push('\n');
    // There is nowhere to report that standard error is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn json(plugin: &str, line: Line<'_>) -> Value {
    match line {
        Line::Logged(level, message) => {
            json!({ "plugin": plugin, "level": level.to_string(), "message": bytes(message) })
        }
        Line::Crashed(reason) => json!({ "plugin": plugin, "crashed": reason }),
        Line::Restarted => json!({ "plugin": plugin, "restarted": true }),
        Line::Refused(reason) => json!({ "plugin": plugin, "refused": reason }),
    }
}

/// Text if it is that, else hex digits.
fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn text(plugin: &str, line: Line<'_>) -> String {
    match line {
        Line::Logged(level, message) => format!("{level} {plugin}: {}", message.escape_ascii()),
        Line::Crashed(reason) => format!("ERROR {plugin} has crashed: {reason}"),
        Line::Restarted => format!("WARN {plugin} runs again"),
        Line::Refused(reason) => format!("ERROR {plugin} was not started: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_whatever_it_is() {
        let line = |message| json("p", Line::Logged(LogLevel::INFO, message)).to_string();
        assert_eq!(line(b"a\nb"), r#"{"plugin":"p","level":"INFO","message":"a\nb"}"#);
        assert_eq!(line(b"\xff"), r#"{"plugin":"p","level":"INFO","message":{"hex":"ff"}}"#);
        assert_eq!(text("p", Line::Logged(LogLevel::WARN, b"a\nb")), "WARN p: a\\nb");
    }
}
