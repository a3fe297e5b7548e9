//! What is to be run: cases paired with versions of the ABI. Pure.

use pw_abi::Version;
use pw_cases::case::Case;

use crate::select::Selected;

/// A case for one version.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The case.
    pub case: &'a Case,
    /// What to call it on the command line.
    pub target: &'a str,
    /// The version.
    pub version: Version,
}

/// Each case for each of its versions, or for the one version that is asked for.
pub fn plan(cases: &[Selected], only: Option<Version>) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for Selected { case, target } in cases {
        let versions = case.versions.iter().copied().filter(|version| only.is_none_or(|only| only == *version));
        jobs.extend(versions.map(|version| Job { case, target, version }));
    }
    jobs
}
