//! The beginning of a file with expected failures: an entry per cause of what failed in a run, whose `why` is empty. Such a
//! file is refused until somebody has filled in why the host does that, and why it is not an error of the case. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pw_abi::Version;

use crate::record::Case;
use crate::summary::cause;
use crate::verdict::Verdict;

/// The file, for the lines of a run; it has no entries if nothing failed.
pub fn draft(host: &str, cases: &[Case]) -> String {
    let mut entries: BTreeMap<(String, Vec<Version>), Entry<'_>> = BTreeMap::new();
    for (id, lines) in by_id(cases) {
        let failed: Vec<&Case> = lines.iter().copied().filter(|line| line.verdict == Verdict::Fail).collect();
        let judged = |line: &&&Case| !matches!(line.verdict, Verdict::Skip | Verdict::Error | Verdict::Fail);
        let fails_always = !lines.iter().any(|line| judged(&line));
        let mut causes: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
        failed.iter().for_each(|line| causes.entry(cause(line)).or_default().push(line));
        for (cause, lines) in &causes {
            let versions: Vec<Version> = lines.iter().filter_map(|line| Version::parse(&line.abi)).collect();
            // No version: an entry for all.
            let ranges = if fails_always && causes.len() == 1 { vec![Vec::new()] } else { ranges(&versions) };
            for range in ranges {
                let entry = entries.entry((cause.clone(), range)).or_insert_with(|| Entry::new(lines[0]));
                entry.cases.insert(id);
                entry.clauses.extend(lines[0].clause.iter().map(String::as_str));
            }
        }
    }
    let mut text = format!(
        "# Failures of {host}, drafted from a run. Fill in each `why`, and check each `does`, before you use it.\n"
    );
    for ((_, versions), entry) in &entries {
        entry.write(&mut text, versions);
    }
    text
}

/// The lines of each case, in the order of their ids.
fn by_id(cases: &[Case]) -> BTreeMap<&str, Vec<&Case>> {
    let mut ids: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    cases.iter().for_each(|case| ids.entry(&case.id).or_default().push(case));
    ids
}

/// The versions in runs of neighbours.
fn ranges(versions: &[Version]) -> Vec<Vec<Version>> {
    let mut ranges: Vec<Vec<Version>> = Vec::new();
    let mut is_open = false;
    for version in Version::ALL {
        match (versions.contains(&version), is_open, ranges.last_mut()) {
            (true, true, Some(range)) => range.push(version),
            (true, ..) => ranges.push(vec![version]),
            (false, ..) => {}
        }
        is_open = versions.contains(&version);
    }
    ranges
}

struct Entry<'a> {
    cases: BTreeSet<&'a str>,
    clauses: BTreeSet<&'a str>,
    first: &'a Case,
}

impl<'a> Entry<'a> {
    fn new(first: &'a Case) -> Entry<'a> {
        Entry { cases: BTreeSet::new(), clauses: BTreeSet::new(), first }
    }

    fn write(&self, text: &mut String, versions: &[Version]) {
        let does = match self.first.findings.first() {
            Some(finding) => format!("{}: {}, where {} is expected", finding.subject, finding.actual, finding.expected),
            None => String::new(),
        };
        let _ = writeln!(text, "\n[[known]]\ncase = {}", list(&self.cases));
        if let (Some(since), Some(until)) = (versions.first(), versions.last()) {
            let range = if since == until { since.name().to_owned() } else { format!("{since}..{until}") };
            let _ = writeln!(text, "abi = {}", quoted(&range));
        }
        let _ = writeln!(text, "clause = {}\ndoes = {}\nwhy = \"\"", list(&self.clauses), quoted(&does));
    }
}

fn list(items: &BTreeSet<&str>) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    match items.as_slice() {
        [one] => one.clone(),
        _ => format!("[\n  {},\n]", items.join(",\n  ")),
    }
}

/// A text as a basic string of TOML, for which JSON's escapes are right but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use pw_cases::known::ExpectedFailures;

    use super::*;
    use crate::sample::sample;

    #[test]
    fn failures_are_entries_by_cause_and_versions() {
        let mut record = sample(
            "x",
            &[
                ("a/1", "0.1.0", Verdict::Fail),
                ("a/1", "0.2.0", Verdict::Fail),
                ("a/1", "0.2.1", Verdict::Skip),
                ("a/2", "0.1.0", Verdict::Fail),
                ("a/2", "0.2.0", Verdict::Pass),
                ("a/2", "0.2.1", Verdict::Fail),
                ("b/3", "0.2.1", Verdict::Fail),
                ("b/4", "0.2.1", Verdict::Known),
                ("b/5", "0.2.1", Verdict::Error),
            ],
        );
        record.cases[6].findings[0].actual = "\"a \u{7f}\n".to_owned();
        let text = draft("x", &record.cases);
        let entry = |rest: &str, actual: &str| {
            format!(
                "\n[[known]]\n{rest}clause = \"proxy_log/OK\"\ndoes = \"proxy_log: {actual}, where OK is expected\"\nwhy = \"\"\n"
            )
        };
        let entries: Vec<String> = vec![
            entry("case = \"a/1\"\n", "BAD_ARGUMENT"),
            entry("case = \"a/2\"\nabi = \"0.1.0\"\n", "BAD_ARGUMENT"),
            entry("case = \"a/2\"\nabi = \"0.2.1\"\n", "BAD_ARGUMENT"),
            entry("case = \"b/3\"\n", "\\\"a \\u007f\\n"),
        ];
        assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(entries.concat().as_str()));
        let error = ExpectedFailures::parse("known.toml", &text).expect_err("nobody has said why");
        assert_eq!(
            error.to_string(),
            "known.toml:7: this is empty: write why the host differs, or what it does (docs/verdicts.md has an example)"
        );
        assert!(ExpectedFailures::parse("known.toml", &text.replace("why = \"\"", "why = \"it is old\"")).is_ok());
        assert!(!draft("x", &record.cases[7..]).contains("[["));
    }
}
