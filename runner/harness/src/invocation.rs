//! How the program was started, for messages that say how to do something again.

use std::ffi::{OsStr, OsString};

use pw_abi::Version;

/// The name of the program.
pub const PROGRAM: &str = "pw-conform";

/// What of a command line has to be said again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    program: String,
    /// Flags, each with a value.
    flags: Vec<(&'static str, String)>,
}

impl Invocation {
    /// This program with these flags, each with a value.
    pub fn new(flags: Vec<(&'static str, String)>) -> Invocation {
        Invocation { program: program(), flags }
    }

    /// The command that shows all of a case, which `target` names.
    pub fn explain(&self, target: &str, version: Version) -> String {
        let flags: String = self.flags.iter().map(|(flag, value)| format!(" {flag} {}", quoted(value))).collect();
        format!("{} explain {} --abi {version}{flags}", self.program, quoted(target))
    }
}

/// What to type to start this program again.
pub fn program() -> String {
    name(std::env::var_os("CARGO_PKG_NAME").as_deref(), std::env::args_os().next())
}

/// `cargo run` says of which package the program is; otherwise it was started as its first argument says.
fn name(package: Option<&OsStr>, started_as: Option<OsString>) -> String {
    match started_as {
        _ if package.is_some_and(|package| package == PROGRAM) => "cargo conform".to_owned(),
        Some(name) if !name.is_empty() => quoted(&name.to_string_lossy()),
        _ => PROGRAM.to_owned(),
    }
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_as_it_was_started() {
        let rows = [
            (Some("pw-conform"), Some("target/release/pw-conform"), "cargo conform"),
            (None, Some("pw-conform"), "pw-conform"),
            (Some("another"), Some("./a b/pw-conform"), "'./a b/pw-conform'"),
            (None, None, "pw-conform"),
        ];
        for (package, started_as, expected) in rows {
            assert_eq!(name(package.map(OsStr::new), started_as.map(OsString::from)), expected);
        }
    }

    #[test]
    fn flags_that_matter_are_said_again() {
        let invocation = Invocation {
            program: "pw-conform".to_owned(),
            flags: vec![("--host", "./my host".to_owned()), ("--catalog", "cases".to_owned())],
        };
        let command = invocation.explain("a/b", Version::V0_2_1);
        assert_eq!(command, "pw-conform explain a/b --abi 0.2.1 --host './my host' --catalog cases");
    }
}
