//! A record as JUnit XML: one suite per section, one test case per case and version.

use std::collections::HashMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::attempt::{Attempt, transcript_text};
use crate::error::HarnessError;
use crate::plan::Job;
use crate::record::{Case, Record};
use crate::survey::Survey;
use crate::verdict::Verdict;

/// Bytes of a transcript that are kept.
const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// What a record lacks of a case, since it differs from run to run, or is long.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    took: Duration,
    /// What was seen, where the verdict is bad.
    transcript: Option<String>,
}

impl Evidence {
    /// What an attempt leaves.
    pub fn new(job: Job<'_>, survey: &Survey, case: &Case, attempt: &Attempt, took: Duration) -> Evidence {
        let transcript = match attempt {
            Attempt::Judged(transcript, _) if case.verdict.is_bad() => {
                Some(shortened(transcript_text(job, survey, transcript)))
            }
            _ => None,
        };
        Evidence { took, transcript }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_OUTPUT_BYTES {
        let end = (0..=MAX_OUTPUT_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += "\n…";
    }
    text
}

/// The XML. `evidence` is that of each case of the record.
pub fn render(record: &Record, evidence: &[Evidence]) -> Result<String, HarnessError> {
    let host = &record.header.host;
    let mut report = Report::new(format!("{} on {} {}", record.header.suite.name, host.name, host.version));
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut places = HashMap::new();
    let mut took = Duration::ZERO;
    for (case, evidence) in record.cases.iter().zip(evidence) {
        let section = if case.section().is_empty() { "cases" } else { case.section() };
        let place = *places.entry(section).or_insert_with(|| {
            suites.push(TestSuite::new(section));
            suites.len() - 1
        });
        let suite = &mut suites[place];
        suite.add_test_case(test_case(case, section, evidence));
        suite.set_time(suite.time.unwrap_or_default() + evidence.took);
        took += evidence.took;
    }
    report.set_time(took);
    report.add_test_suites(suites);
    report.to_string().map_err(|error| HarnessError::new(format!("failed to render the JUnit report: {error}")))
}

fn test_case(case: &Case, section: &str, evidence: &Evidence) -> TestCase {
    let reason = case.reason.clone().unwrap_or_default();
    let status = match case.verdict {
        Verdict::Pass | Verdict::Unspecified => TestCaseStatus::success(),
        Verdict::Known | Verdict::Skip => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {reason}", case.verdict));
            status
        }
        Verdict::Fail | Verdict::Stale | Verdict::Error => {
            let is_ours = case.verdict == Verdict::Error;
            let kind = if is_ours { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(case.verdict.to_string());
            status.set_message(if reason.is_empty() { case.title.clone() } else { reason });
            status.set_description(description(case));
            status
        }
    };
    let name = case.id.rsplit('/').next().unwrap_or_default();
    let mut test_case = TestCase::new(format!("{name} (ABI v{})", case.abi), status);
    test_case.set_classname(section).set_time(evidence.took);
    test_case.extra.insert("file".into(), case.file.as_str().into());
    if let Some(line) = case.findings.first().map(|finding| finding.line).filter(|line| *line > 0) {
        test_case.extra.insert("line".into(), line.to_string().into());
    }
    let clauses = case.clause.join(", ");
    let properties =
        [("abi", &case.abi), ("level", &case.level), ("verdict", &case.verdict.to_string()), ("clause", &clauses)];
    test_case.add_properties(properties.map(|(name, value)| Property::new(name, value.as_str())));
    let answer = case.answer.as_ref().map(|answer| format!("answer: {answer}\n"));
    let output: String = answer.into_iter().chain(evidence.transcript.clone()).collect();
    if !output.is_empty() {
        test_case.set_system_out(output);
    }
    test_case
}

fn description(case: &Case) -> String {
    let mut lines = vec![case.title.clone()];
    for finding in &case.findings {
        let line = if finding.line == 0 { String::new() } else { format!(":{}", finding.line) };
        lines.push(format!("{}{line}: {}", case.file, finding.about()));
        lines.push(format!("  expected {}", finding.expected));
        lines.push(format!("  actual   {}", finding.actual));
    }
    if !case.clause.is_empty() {
        lines.push(format!("clause {}", case.clause.join(", ")));
    }
    lines.extend(case.reproduce.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn sections_are_suites_and_known_failures_are_skipped() {
        let record = sample(
            "x",
            &[
                ("a/one", "0.2.0", Verdict::Pass),
                ("b/two", "0.2.1", Verdict::Known),
                ("a/one", "0.2.1", Verdict::Fail),
                ("readme", "0.2.1", Verdict::Error),
            ],
        );
        let evidence = |transcript: Option<&str>| Evidence {
            took: Duration::from_millis(1500),
            transcript: transcript.map(str::to_owned),
        };
        let evidence = [evidence(None), evidence(None), evidence(Some("what was <seen>")), evidence(None)];
        let xml = render(&record, &evidence).expect("it renders");
        let lines = [
            r#"<testsuites name="pw-conform on x 1.2.3" tests="4" skipped="1" failures="1" errors="1" time="6.000">"#,
            r#"<testsuite name="a" tests="2" skipped="0" errors="0" failures="1" time="3.000">"#,
            r#"<testcase name="one (ABI v0.2.1)" classname="a" time="1.500" file="cases/catalog/a/one.toml" line="12">"#,
            r#"<property name="verdict" value="fail"/>"#,
            r#"<property name="level" value="required"/>"#,
            r#"<system-out>what was &lt;seen&gt;</system-out>"#,
            r#"<failure message="the title of a/one" type="fail">the title of a/one"#,
            r#"<testsuite name="b" tests="1" skipped="1" errors="0" failures="0" time="1.500">"#,
            r#"<skipped message="known: the reason | of &lt;known&gt;"/>"#,
            r#"<error message="the reason | of &lt;error&gt;" type="error">"#,
        ];
        for line in lines {
            assert!(xml.contains(line), "{line}\nis not in\n{xml}");
        }
    }
}
