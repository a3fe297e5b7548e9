//! A record as JUnit XML: one suite per section, one test case per case and version.

use std::collections::HashMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::error::HarnessError;
use crate::record::{Case, Record};
use crate::verdict::Verdict;

/// The XML.
pub fn render(record: &Record) -> Result<String, HarnessError> {
    let host = &record.header.host;
    let mut report = Report::new(format!("{} on {} {}", record.header.suite.name, host.name, host.version));
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut places = HashMap::new();
    for case in &record.cases {
        let section = if case.section().is_empty() { "catalog" } else { case.section() };
        let place = *places.entry(section).or_insert_with(|| {
            suites.push(TestSuite::new(section));
            suites.len() - 1
        });
        suites[place].add_test_case(test_case(case, section));
    }
    report.add_test_suites(suites);
    report.to_string().map_err(|error| HarnessError::new(format!("failed to render the JUnit report: {error}")))
}

fn test_case(case: &Case, section: &str) -> TestCase {
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
    test_case.set_classname(section);
    if let Some(answer) = &case.answer {
        test_case.set_system_out(format!("answer: {answer}"));
    }
    test_case
}

fn description(case: &Case) -> String {
    let mut lines = vec![case.title.clone()];
    for finding in &case.findings {
        lines.push(format!("{}:{}: {}", case.file, finding.line, finding.subject));
        lines.push(format!("  expected {}", finding.expected));
        lines.push(format!("  actual   {}", finding.actual));
    }
    lines.push(format!("clause {}", case.clause.join(", ")));
    lines.extend(case.reproduce.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::sample;

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
        let xml = render(&record).expect("it renders");
        let lines = [
            r#"<testsuites name="pw-conform on x 1.2.3" tests="4" skipped="1" failures="1" errors="1">"#,
            r#"<testsuite name="a" tests="2" skipped="0" errors="0" failures="1">"#,
            r#"<testcase name="one (ABI v0.2.1)" classname="a">"#,
            r#"<failure message="the title of a/one" type="fail">the title of a/one"#,
            r#"<testsuite name="b" tests="1" skipped="1" errors="0" failures="0">"#,
            r#"<skipped message="known: the reason | of &lt;known&gt;"/>"#,
            r#"<error message="the reason | of &lt;error&gt;" type="error">"#,
        ];
        for line in lines {
            assert!(xml.contains(line), "{line}\nis not in\n{xml}");
        }
    }
}
