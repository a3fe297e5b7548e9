//! The record of a run: JSON lines, a header, one line per case and version, a footer. `schemas/record.json` says the same
//! in JSON Schema.
//!
//! A record has no moment in it but one, in the header, so that the same run gives the same bytes.

use std::collections::BTreeMap;
use std::path::Path;

use pw_abi::Version;
use pw_cases::files;
pub use pw_cases::judge::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::HarnessError;
use crate::verdict::Verdict;

/// What the reason of a skipped case has if the host does not have the version of the ABI, which follows.
pub const NOT_IMPLEMENTED: &str = "does not implement ABI v";

/// A record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was run.
    pub header: Header,
    /// The outcomes.
    pub cases: Vec<Case>,
    /// The counts.
    pub footer: Footer,
}

/// A line of a record: JSON Lines, a header, one line per case and version of the ABI, a footer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Header(Box<Header>),
    /// One per case and version.
    Case(Box<Case>),
    /// The last; without it the program was killed.
    Footer(Footer),
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// This program.
    pub suite: Program,
    /// The host.
    pub host: Program,
    /// How `--host` names it.
    pub adapter: String,
    /// The SDK whose plugins were judged, if these are the cases of the SDK kit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Judged>,
    /// How many cases the catalog has.
    pub catalog: usize,
    /// How many lines of cases follow, unless the run is cut short.
    pub planned: usize,
    /// The functions that the host lacks, by version of the ABI, as the survey at the start found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lacks: BTreeMap<String, Vec<String>>,
    /// What the host said of a plugin that does nothing but log, by version of the ABI, if it did not start it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refuses: BTreeMap<String, String>,
    /// When the run began, as in RFC 3339.
    pub started: String,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Such as `envoy`.
    pub name: String,
    /// Such as `1.40.0`.
    pub version: String,
}

/// An SDK whose build of the SDK kit was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// Such as `proxy-wasm`.
    pub name: String,
    /// Such as `0.2.5`.
    pub version: String,
    /// Such as `Rust`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// The plugins of the kit that the SDK cannot express, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_offered: BTreeMap<String, String>,
    /// The plugins of the kit that the build lacks, without a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Only some of the kit's cases were to be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub part: bool,
}

/// The outcome of a case for a version of the ABI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The case's id.
    pub id: String,
    /// The version.
    pub abi: String,
    /// How binding the case is.
    pub level: String,
    /// What holds if it passes.
    pub title: String,
    /// The ids of the statements that it checks, as `pw-conform coverage` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statement: Vec<String>,
    /// The clauses that it checks.
    pub clause: Vec<String>,
    /// Its file.
    pub file: String,
    /// Why a host should do so, if the case fails and says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// Why it was skipped, is known or stale, or what failed in the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where more is said of a known failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the specification leaves open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Which of several acceptable answers the host gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What was not as expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The command that shows all of it, where the verdict is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduce: Option<String>,
}

/// How many of each verdict there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of the verdicts")]
pub struct Counts {
    pub pass: usize,
    pub fail: usize,
    pub known: usize,
    pub stale: usize,
    pub skip: usize,
    pub unspecified: usize,
    pub error: usize,
}

/// The end of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// The counts of all lines of cases.
    pub counts: Counts,
    /// Why not all that was planned was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<CutShort>,
}

/// Why a run ended before all that was planned was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutShort {
    /// By Ctrl-C or SIGTERM.
    Interrupted,
    /// As many cases had failed as `--max-fail` says.
    MaxFail,
}

/// The JSON Schema of a line of a record.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Line)
}

impl Counts {
    /// The counts of these lines.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Counts {
        let mut counts = Counts::default();
        cases.into_iter().for_each(|case| *counts.slot(case.verdict) += 1);
        counts
    }

    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        *self.slot(verdict) += 1;
    }

    /// How many there are of that verdict.
    pub fn get(mut self, verdict: Verdict) -> usize {
        *self.slot(verdict)
    }

    fn slot(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Known => &mut self.known,
            Verdict::Stale => &mut self.stale,
            Verdict::Skip => &mut self.skip,
            Verdict::Unspecified => &mut self.unspecified,
            Verdict::Error => &mut self.error,
        }
    }
}

impl Case {
    /// The section that the id begins with; empty if it names none.
    pub fn section(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(section, _)| section)
    }

    /// Whether it was skipped since the host does not have the version of the ABI.
    pub fn is_of_another_version(&self) -> bool {
        self.verdict == Verdict::Skip && self.reason.as_ref().is_some_and(|reason| reason.contains(NOT_IMPLEMENTED))
    }

    /// Whether it is generated from the ABI table.
    pub fn is_generated(&self) -> bool {
        self.id.starts_with("generated/")
    }
}

impl Record {
    /// The counts of hand-written cases, or of generated ones.
    pub fn counts(&self, generated: bool) -> Counts {
        Counts::of(self.cases.iter().filter(|case| case.is_generated() == generated))
    }

    /// Reads the text of a record; the error names the line.
    pub fn parse(text: &str) -> Result<Record, String> {
        let mut lines = text.lines().enumerate();
        let mut next = || {
            let Some((index, line)) = lines.next() else { return Ok(None) };
            let number = index + 1;
            match serde_json::from_str(line) {
                Ok(line) => Ok(Some((number, line))),
                // Whole lines end in a line feed.
                Err(error) if error.is_eof() && lines.clone().next().is_none() => Err(TRUNCATED.to_owned()),
                Err(error) => Err(format!("line {number} is not a line of a record: {error}")),
            }
        };
        let header = match next()? {
            Some((_, Line::Header(header))) => *header,
            Some(_) => return Err("line 1 is not a header".to_owned()),
            None => return Err("the record is empty".to_owned()),
        };
        let mut cases = Vec::new();
        let footer = loop {
            match next()? {
                Some((_, Line::Case(case))) => cases.push(*case),
                Some((_, Line::Footer(footer))) => break footer,
                Some((number, Line::Header(_))) => return Err(format!("line {number} is a second header")),
                None => return Err(TRUNCATED.to_owned()),
            }
        };
        if let Some((number, _)) = next()? {
            return Err(format!("line {number} comes after the footer"));
        }
        let is_as_planned = match footer.cut_short {
            None => header.planned == cases.len(),
            Some(_) => header.planned >= cases.len(),
        };
        if footer.counts != Counts::of(&cases) || !is_as_planned {
            return Err("the footer's counts, or those of the header, are not those of the lines".to_owned());
        }
        if !is_host_name(&header.host.name) {
            return Err(format!(
                "line 1 names a host {:?}: a name is letters, digits, `-`, `_` and `.`",
                header.host.name
            ));
        }
        if let Some(at) = cases.iter().position(|case| Version::parse(&case.abi).is_none()) {
            return Err(format!("line {} is about an unknown ABI {:?}", at + 2, cases[at].abi));
        }
        Ok(Record { header, cases, footer })
    }

    /// Reads a record's file.
    pub fn read(file: &Path) -> Result<Record, HarnessError> {
        let name = file.display();
        let text = files::text(file, files::RECORD).map_err(|error| HarnessError::io("read", name, &error))?;
        Record::parse(&text).map_err(|message| HarnessError::new(format!("{}: {message}", file.display())))
    }
}

/// Whether a host can be called so; files are.
pub fn is_host_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

const TRUNCATED: &str = "the record is truncated: it ends without a footer, since the program was killed; run it again";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    fn text(record: &Record) -> String {
        let cases = record.cases.iter().map(|case| Line::Case(Box::new(case.clone())));
        let lines = [Line::Header(Box::new(record.header.clone()))].into_iter().chain(cases);
        let lines = lines.chain([Line::Footer(record.footer)]);
        lines.map(|line| serde_json::to_string(&line).expect("a line is JSON") + "\n").collect()
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let record = sample("x", &[("a/b", "0.2.1", Verdict::Fail), ("a/c", "0.2.1", Verdict::Unspecified)]);
        assert_eq!(Record::parse(&text(&record)), Ok(record));
    }

    #[test]
    fn what_is_wrong_with_a_record_is_said() {
        let whole = text(&sample("x", &[("a/b", "0.2.1", Verdict::Pass)]));
        let lines: Vec<&str> = whole.lines().collect();
        let rows = [
            (String::new(), "the record is empty"),
            (lines[1].to_owned(), "line 1 is not a header"),
            (lines[..2].join("\n"), TRUNCATED),
            (lines[0].to_owned() + "\n" + &lines[1][..40], "the record is truncated: "),
            (whole.clone() + lines[1], "line 4 comes after the footer"),
            (lines[0].to_owned() + "\n" + lines[2], "the footer's counts, or those of the header,"),
            (whole.replace("\"planned\":1", "\"planned\":2"), "the footer's counts, or those of the header,"),
            (whole.replace("\"name\":\"x\"", "\"name\":\"../x\""), "line 1 names a host \"../x\""),
            (whole.replace("\"abi\":\"0.2.1\"", "\"abi\":\"7\""), "line 2 is about an unknown ABI \"7\""),
        ];
        for (text, message) in rows {
            let error = Record::parse(&text).expect_err(message);
            assert!(error.starts_with(message), "{error}");
        }
    }
}
