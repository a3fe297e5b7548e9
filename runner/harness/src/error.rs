//! Errors of the harness itself. What a plugin or a host does is never an error, but a value.

use std::fmt;

/// The harness failed, or what it was given: what failed, where, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HarnessError(String);

impl HarnessError {
    /// An error of that message.
    pub fn new(message: impl Into<String>) -> HarnessError {
        HarnessError(message.into())
    }

    /// An error of the operating system's about a path or a program.
    pub fn io(what: &str, of: impl fmt::Display, error: &std::io::Error) -> HarnessError {
        HarnessError(format!("failed to {what} {of}: {error}"))
    }
}

impl From<String> for HarnessError {
    fn from(message: String) -> HarnessError {
        HarnessError(message)
    }
}

impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HarnessError {}
