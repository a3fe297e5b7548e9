//! The target `check`: any bytes as a module that is checked without running it.
//!
//! The check comes to an end with a report or an error, both of text that a terminal can take; and it refuses what the host
//! refuses.

use std::sync::LazyLock;

use pw_host::{Engine, Interface, Metering, Module};
use pw_plugin::check::check_bytes;

/// Larger modules take long to compile, which is not what this is about.
const SMALL: usize = 4096;

/// See above.
pub fn check(wasm: &[u8]) {
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::new(Metering::None).expect("wasmtime runs wherever this is built"));
    let refused = match check_bytes("plugin.wasm", wasm, &ENGINE) {
        Ok(output) => {
            shown(&output.text);
            let made_up = output.text.lines().rev().skip(1).find(|line| !line.starts_with("  "));
            assert_eq!(made_up, None, "each finding is a line");
            assert!(serde_json::from_str::<serde_json::Value>(&output.json).is_ok(), "{}", output.json);
            output.refused
        }
        Err(error) => {
            shown(&error.to_string());
            assert!(Interface::read(wasm).is_err(), "{error}");
            true
        }
    };
    if wasm.len() <= SMALL {
        let loaded = Module::new(&ENGINE, wasm);
        assert_eq!(refused, loaded.is_err(), "checked: refused {refused}, loaded: {loaded:?}");
    }
}

/// Text that a terminal shows as it is.
#[track_caller]
pub(crate) fn shown(text: &str) {
    let odd = text.chars().find(|c| c.is_control() && *c != '\n');
    assert!(odd.is_none() && !text.is_empty(), "{odd:?} in {text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "in \"a\\u{1b}[31m\""]
    fn escape_sequences_are_found() {
        shown("a\u{1b}[31m");
    }
}
