//! What was seen of files and modules.

use pw_abi::Version;
use pw_harness::error::HarnessError;

use super::finding::Finding;
use super::weigh::Outlook;

/// What was seen of a file.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) file: String,
    /// What was found, or why the file could not be read as a module.
    pub(super) report: Result<Report, HarnessError>,
}

/// What was seen of a module.
#[derive(Debug)]
pub(super) struct Report {
    /// What its markers say, in the order of its exports.
    pub(super) markers: Vec<Version>,
    /// The versions that it was checked for.
    pub(super) versions: Vec<Version>,
    pub(super) imports: usize,
    pub(super) exports: usize,
    pub(super) findings: Vec<Finding>,
    pub(super) hosts: Vec<Outlook>,
}

impl Report {
    pub(super) fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }
}
