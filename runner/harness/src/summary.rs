//! The result of a run, in few lines: a table by section, failures by cause, skips by what the host lacks. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fmt::Write;

use pw_cases::case::Level;

use crate::record::{Case, Counts};
use crate::score::Score;
use crate::sdk::{Offer, Plugin, Standing};
use crate::verdict::Verdict;

/// The number of causes, and of kinds of skips, that are listed.
const MAX_ROWS: usize = 5;
/// The number of functions of a cause that are listed.
const MAX_SUBJECTS: usize = 3;
/// How a cause begins that is two statuses; such causes are shown with their functions.
const EXPECTED: &str = "expected ";
/// The cause of cases about functions that the host lacks, which is shown with these, too.
const LACKS: &str = "the host lacks a function that the case is about";
/// Characters of a cause that are shown.
const MAX_CAUSE_CHARS: usize = 100;

/// The cases of a run, counted.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// By section, in the order in which the run came to them.
    sections: Vec<(String, Counts)>,
    /// By cause, in the same order.
    causes: Vec<Cause>,
    /// By what the host lacks.
    skips: HashMap<String, usize>,
    required: Score,
    recommended: Score,
    /// The number of bad ones.
    pub bad: usize,
    /// The plugins of the SDK kit, if its cases are run.
    pub sdk: Option<Vec<Plugin>>,
}

/// Bad cases that have the same cause.
#[derive(Clone, Debug)]
struct Cause {
    text: String,
    /// The harness or the adapter failed, and not the host.
    is_error: bool,
    count: usize,
    /// The id of the first.
    first: String,
    /// What the findings are about: functions and callbacks, mostly.
    subjects: BTreeSet<String>,
}

/// Such as `     3  expected OK, actual NOT_FOUND (proxy_log, proxy_done); first: a/b`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause { text, is_error, count, first, subjects } = self;
        write!(f, "{count:6}  {}{text}", if *is_error { "error: " } else { "" })?;
        if text.starts_with(EXPECTED) || text == LACKS {
            let shown: Vec<&str> = subjects.iter().take(MAX_SUBJECTS).map(String::as_str).collect();
            let more = match subjects.len().saturating_sub(MAX_SUBJECTS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            write!(f, " ({}{more})", shown.join(", "))?;
        }
        write!(f, "; first: {first}")
    }
}

impl Summary {
    /// Counts a case, and returns whether it is bad for a new cause. `host` is its name and version.
    pub fn add(&mut self, case: &Case, host: &str) -> bool {
        let section = section(case);
        match self.sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, counts)) => counts.add(case.verdict),
            None => {
                let mut counts = Counts::default();
                counts.add(case.verdict);
                self.sections.push((section.to_owned(), counts));
            }
        }
        for (level, score) in [(Level::Required, &mut self.required), (Level::Recommended, &mut self.recommended)] {
            if case.level == level.to_string() {
                score.add(case);
            }
        }
        if case.verdict == Verdict::Skip {
            for lack in lacks(case, host) {
                *self.skips.entry(lack.to_owned()).or_default() += 1;
            }
        }
        case.verdict.is_bad() && self.add_cause(case)
    }

    fn add_cause(&mut self, case: &Case) -> bool {
        self.bad += 1;
        let (text, is_error) = (cause(case), case.verdict == Verdict::Error);
        let known = self.causes.iter().position(|known| (&known.text, known.is_error) == (&text, is_error));
        let index = known.unwrap_or_else(|| {
            self.causes.push(Cause { text, is_error, count: 0, first: case.id.clone(), subjects: BTreeSet::new() });
            self.causes.len() - 1
        });
        let cause = &mut self.causes[index];
        cause.count += 1;
        cause.subjects.extend(case.findings.first().map(|finding| finding.subject.clone()));
        known.is_none()
    }

    /// The score of the required cases.
    pub fn required(&self) -> Score {
        self.required
    }

    /// The table, causes and skips; nothing of these that would say what the last lines say anyway.
    pub fn details(&self) -> String {
        let mut text = String::new();
        if self.sections.len() > 1 {
            self.table(&mut text);
        }
        if self.bad > 1 {
            let mut rows = self.causes.clone();
            rows.sort_by_key(|cause| (Reverse(cause.is_error), Reverse(cause.count)));
            let rows = rows.iter().map(|cause| format!("{cause}\n"));
            list(&mut text, "failures by cause", rows.collect());
        }
        let mut skips: Vec<(&String, &usize)> = self.skips.iter().collect();
        skips.sort_by_key(|(lack, count)| (Reverse(**count), lack.as_str()));
        let rows = skips.iter().map(|(lack, count)| format!("{count:6}  {lack}\n")).collect();
        list(&mut text, "skipped, since the host or its adapter (a case may count several times)", rows);
        let not_offered = self.not_offered();
        if !not_offered.is_empty() {
            let _ = write!(text, "plugins that the SDK does not offer:\n{}", not_offered.concat());
        }
        let missing = self.missing();
        if !missing.is_empty() {
            let _ = writeln!(text, "plugins without a module: {}", missing.join(", "));
        }
        text
    }

    fn table(&self, text: &mut String) {
        let always = [Verdict::Pass, Verdict::Fail, Verdict::Known, Verdict::Skip, Verdict::Unspecified];
        let any = |verdict| self.sections.iter().any(|(_, counts)| counts.get(verdict) > 0);
        let columns: Vec<_> =
            Verdict::ALL.into_iter().filter(|(verdict, _)| always.contains(verdict) || any(*verdict)).collect();
        let width = self.sections.iter().map(|(section, _)| section.len()).max().unwrap_or(0);
        let heads: String = columns.iter().map(|(_, name)| format!("  {name:>11}")).collect();
        let _ = writeln!(text, "{:width$}{heads}", "");
        for (section, counts) in &self.sections {
            let cells = columns.iter().map(|(verdict, _)| match counts.get(*verdict) {
                0 => format!("  {:>11}", "·"),
                count => format!("  {count:>11}"),
            });
            let _ = writeln!(text, "{section:width$}{}", cells.collect::<String>());
        }
    }

    fn standing(&self, plugin: &Plugin) -> Standing {
        let counts = self.sections.iter().find(|(section, _)| *section == plugin.name).map(|(_, counts)| *counts);
        match &plugin.offer {
            Offer::NotOffered(_) => Standing::NotOffered,
            Offer::Missing => Standing::Missing,
            Offer::Module(_) => Standing::of(counts.unwrap_or_default()),
        }
    }

    /// How many plugins of the SDK kit pass, and what is with the others.
    fn plugins(&self, plugins: &[Plugin]) -> String {
        let standing: Vec<Standing> = plugins.iter().map(|plugin| self.standing(plugin)).collect();
        let count = |which: Standing| standing.iter().filter(|standing| **standing == which).count();
        let others = [
            (Standing::Known, "with expected failures"),
            (Standing::Fails, "with failures"),
            (Standing::NotRun, "not run"),
            (Standing::NotOffered, "not offered"),
            (Standing::Missing, "missing"),
        ];
        let others = others.into_iter().filter(|(which, _)| count(*which) > 0);
        let others: String = others.map(|(which, words)| format!(", {} {words}", count(which))).collect();
        format!("plugins: {} of {} pass{others}", count(Standing::Passes), plugins.len())
    }

    /// The plugins of the SDK kit that the SDK cannot express, and why.
    fn not_offered(&self) -> Vec<String> {
        let line = |plugin: &Plugin| match &plugin.offer {
            Offer::Module(_) => None,
            Offer::NotOffered(why) => Some(format!("        {}: {why}\n", plugin.name)),
            Offer::Missing => None,
        };
        self.sdk.iter().flatten().filter_map(line).collect()
    }

    /// The plugins of the SDK kit that nothing is said of.
    fn missing(&self) -> Vec<&str> {
        let missing = |plugin: &&Plugin| plugin.offer == Offer::Missing;
        self.sdk.iter().flatten().filter(missing).map(|plugin| plugin.name.as_str()).collect()
    }

    /// What the score is of, in one line.
    pub fn score(&self) -> String {
        if let Some(plugins) = &self.sdk {
            return self.plugins(plugins);
        }
        let Summary { required, recommended, .. } = self;
        let kinds = [("required", required), ("recommended", recommended)];
        let kinds = kinds.into_iter().filter(|(_, score)| score.all > 0);
        kinds.map(|(name, score)| format!("{name}: {score}")).collect::<Vec<_>>().join("; ")
    }
}

fn list(text: &mut String, heading: &str, rows: Vec<String>) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "{heading}:");
    rows.iter().take(MAX_ROWS).for_each(|row| *text += row);
    if rows.len() > MAX_ROWS {
        let _ = writeln!(text, "        and {} more", rows.len() - MAX_ROWS);
    }
}

/// The section in which a case is counted; all generated ones are one.
fn section(case: &Case) -> &str {
    match case.id.split_once('/') {
        Some((section, _)) => section,
        None => "(none)",
    }
}

/// What a case was skipped for; an adapter's own reason is one.
fn lacks<'a>(case: &'a Case, host: &str) -> Vec<&'a str> {
    let reason = case.reason.as_deref().unwrap_or_default();
    match reason.strip_prefix(host) {
        Some(lacks) => lacks.trim_start().split(", and ").collect(),
        None => vec![reason.lines().next().unwrap_or_default()],
    }
}

/// Why a case is bad, without what is only its own: names, numbers, texts.
pub(crate) fn cause(case: &Case) -> String {
    let text = match (case.verdict, case.findings.first()) {
        (Verdict::Stale, _) => "it passes, but is an expected failure".to_owned(),
        (_, Some(finding)) if finding.call.is_some() && finding.actual.ends_with(" was not called") => {
            finding.actual.clone()
        }
        (_, Some(finding)) if finding.lacking().is_some() => LACKS.to_owned(),
        (_, Some(finding)) if is_status(&finding.expected) && is_status(&finding.actual) => {
            format!("{EXPECTED}{}, actual {}", finding.expected, finding.actual)
        }
        (_, Some(finding)) => format!("{}: actual {}", finding.subject, finding.actual),
        (_, None) => case.reason.clone().unwrap_or_default(),
    };
    let general = general(text.lines().next().unwrap_or_default());
    match general.char_indices().nth(MAX_CAUSE_CHARS) {
        Some((end, _)) => format!("{}…", &general[..end]),
        None => general,
    }
}

fn is_status(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// A text with `…` in place of what is quoted, and of numbers that stand alone.
fn general(text: &str) -> String {
    let mut general = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let starts_word = !general.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let size = match c {
            '"' | '`' => rest[1..].find(c).map(|end| end + 2),
            _ if c.is_ascii_digit() && starts_word => rest.find(|c: char| !c.is_ascii_digit()).or(Some(rest.len())),
            _ => None,
        };
        match size {
            Some(_) => general.push('…'),
            None => general.push(c),
        }
        rest = &rest[size.unwrap_or(c.len_utf8())..];
    }
    general
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn causes_leave_out_what_is_only_a_cases_own() {
        let rows = [
            ("client 0: actual headers \"a\": \"b\", 12 bytes", "client …: actual headers …: …, … bytes"),
            ("the adapter `./mine --flag` died: exit status 3", "the adapter … died: exit status …"),
            ("x86 has \"an open quote", "x86 has \"an open quote"),
        ];
        for (text, expected) in rows {
            assert_eq!(general(text), expected);
        }
    }

    #[test]
    fn failures_are_grouped_and_skips_counted_by_what_lacks() {
        let mut record = sample(
            "x",
            &[
                ("a/1", "0.2.1", Verdict::Fail),
                ("a/2", "0.2.1", Verdict::Fail),
                ("b/3", "0.2.1", Verdict::Fail),
                ("b/4", "0.2.1", Verdict::Skip),
                ("generated/c/5", "0.2.1", Verdict::Skip),
                ("generated/d/6", "0.2.1", Verdict::Pass),
            ],
        );
        record.cases[2].findings[0].actual = "proxy_on_log was not called".to_owned();
        record.cases[3].reason = Some("x 1.2.3 cannot fly, and cannot swim".to_owned());
        record.cases[4].reason = Some("x 1.2.3 cannot swim".to_owned());
        let mut summary = Summary::default();
        let new: Vec<bool> = record.cases.iter().map(|case| summary.add(case, "x 1.2.3")).collect();
        assert_eq!(new, [true, false, true, false, false, false]);
        let expected = "                passed       failed        known      skipped  unspecified\n\
            a                    ·            2            ·            ·            ·\n\
            b                    ·            1            ·            1            ·\n\
            generated            1            ·            ·            1            ·\n\
            failures by cause:\n     2  expected OK, actual BAD_ARGUMENT (proxy_log); first: a/1\n     \
            1  proxy_on_log was not called; first: b/3\n\
            skipped, since the host or its adapter (a case may count several times):\n     \
            2  cannot swim\n     1  cannot fly\n";
        assert_eq!(summary.details(), expected);
        assert_eq!(summary.score(), "required: 1 of 6 (16 %), 2 not run");
    }
}
