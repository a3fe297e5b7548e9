//! The verdict on a case. Knows nothing of how it is reached.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict on a case for a version of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The host does what the case says.
    Pass,
    /// It does something else.
    Fail,
    /// It does something else, which is an expected failure of the host (xfail).
    Known,
    /// It does what the case says, although that is an expected failure of the host (an unexpected pass).
    Stale,
    /// The case cannot be run on it.
    Skip,
    /// The specification leaves it open, and the host does something that is acceptable.
    Unspecified,
    /// The harness failed.
    Error,
}

impl Verdict {
    /// All verdicts, and how a summary counts them.
    pub const ALL: [(Verdict, &'static str); 7] = [
        (Verdict::Pass, "passed"),
        (Verdict::Fail, "failed"),
        (Verdict::Known, "known"),
        (Verdict::Stale, "stale"),
        (Verdict::Skip, "skipped"),
        (Verdict::Unspecified, "unspecified"),
        (Verdict::Error, "errors"),
    ];

    /// Whether it needs attention: it fails the run.
    pub fn is_bad(self) -> bool {
        matches!(self, Verdict::Fail | Verdict::Stale | Verdict::Error)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Known => "known",
            Verdict::Stale => "stale",
            Verdict::Skip => "skip",
            Verdict::Unspecified => "unspecified",
            Verdict::Error => "error",
        })
    }
}
