//! What the specification's authors would have to decide: the questions of the cases of level unspecified, by section, and
//! what each host answers. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use pw_abi::SECTIONS;

use pw_cases::case;
use pw_cases::statements;

use crate::text::{cell, clauses, host, title};
use pw_harness::record::{Case, Record};
use pw_harness::verdict::Verdict;

/// The Markdown.
pub fn render(records: &[Record], cases: &[case::Case]) -> String {
    let sections = gathered(records);
    let catalog: HashMap<&str, &case::Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let by_id = ById::new(records);
    let count: usize = sections.values().map(BTreeMap::len).sum();
    let mut text = format!(
        "# Questions to the specification\n\nMade by `pw-conform report` from the records beside it. Each of these {count} \
         questions is asked by cases of level `unspecified`: the specification is silent or contradicts itself, and each \
         case lists the answers that are acceptable. Under a question stand the sentences of the specification that it is about, in our words, with links \
         to them; the answers that we find acceptable; and what goes wrong in the field. A table says which of them a host gives. What the reference host \
         answers is our proposal: it is what deployed plugins rely on, or the safe answer.\n"
    );
    for ((_, section), questions) in sections {
        let _ = writeln!(text, "\n## {}", title(section));
        questions.into_iter().for_each(|(question, ids)| ask(&mut text, records, (&by_id, &catalog), &question, &ids));
    }
    text
}

/// By section, in the order of the specification, and by question: the cases that ask it.
pub(crate) type Questions<'a> = BTreeMap<(usize, &'a str), BTreeMap<String, BTreeSet<&'a str>>>;

pub(crate) fn gathered(records: &[Record]) -> Questions<'_> {
    let place = |slug: &str| SECTIONS.iter().position(|section| section.slug == slug).unwrap_or(usize::MAX);
    let mut sections = Questions::new();
    for case in records.iter().flat_map(|record| &record.cases) {
        let Some(question) = &case.question else { continue };
        let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
        let section = if case.is_generated() { "generated cases" } else { case.section() };
        let section = sections.entry((place(section), section)).or_default();
        section.entry(question).or_default().insert(&case.id);
    }
    sections
}

/// The cases of an id, by record.
pub(crate) struct ById<'a>(HashMap<&'a str, Vec<Vec<&'a Case>>>);

impl<'a> ById<'a> {
    pub(crate) fn new(records: &'a [Record]) -> ById<'a> {
        let mut cases: HashMap<&str, Vec<Vec<&Case>>> = HashMap::new();
        for (number, record) in records.iter().enumerate() {
            for case in &record.cases {
                cases.entry(&case.id).or_insert_with(|| vec![Vec::new(); records.len()])[number].push(case);
            }
        }
        ById(cases)
    }

    pub(crate) fn get(&self, id: &str) -> &[Vec<&'a Case>] {
        self.0.get(id).map_or(&[], |cases| cases)
    }
}

/// What is known of cases, by their ids: in the records, and in the catalog.
type Known<'k, 'a> = (&'k ById<'a>, &'k HashMap<&'a str, &'a case::Case>);

fn ask(text: &mut String, records: &[Record], (by_id, catalog): Known<'_, '_>, question: &str, ids: &BTreeSet<&str>) {
    let hosts: Vec<String> = records.iter().map(host).collect();
    let _ = writeln!(text, "\n### {}\n", question.replace('<', "&lt;"));
    let asking: Vec<&case::Case> = ids.iter().filter_map(|id| catalog.get(id).copied()).collect();
    about(text, &asking);
    let _ = writeln!(text, "| case | {} |\n|---|{}", hosts.join(" | "), "---|".repeat(hosts.len()));
    for id in ids {
        let cases = by_id.get(id);
        let answers: Vec<String> = cases.iter().map(|own| answers(own)).collect();
        let _ = writeln!(text, "| {} | {} |", name(cases, id), answers.join(" | "));
    }
}

/// The sentences that a question is about, the acceptable answers, and what goes wrong in the field.
fn about(text: &mut String, asking: &[&case::Case]) {
    let mut lines: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for case in asking {
        let Some(version) = case.versions.last() else { continue };
        let cited = case.statements.iter().filter_map(|id| statements::find(id));
        for one in cited.filter(|one| seen.insert(one.id.as_str())) {
            lines.push(format!("- The text: {} ([v{version}]({}))", plain(&one.says), one.url(*version)));
        }
    }
    for case in asking {
        let readings = case.readings();
        let readings: BTreeSet<String> = readings.iter().map(|names| names.join(", or ")).collect();
        if !readings.is_empty() {
            let readings: Vec<&str> = readings.iter().map(String::as_str).collect();
            lines.push(format!("- Acceptable in `{}`: {}", case.id, plain(&readings.join("; "))));
        }
    }
    let whys: BTreeSet<&str> = asking.iter().filter_map(|case| case.why.as_deref()).collect();
    lines.extend(whys.iter().map(|why| format!("- In the field: {}", plain(why))));
    if !lines.is_empty() {
        let _ = writeln!(text, "{}\n", lines.join("\n"));
    }
}

/// A text in one line, without HTML.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('<', "&lt;")
}

/// A case's id, and its title if it is hand-written.
fn name(cases: &[Vec<&Case>], id: &str) -> String {
    match cases.iter().flatten().find(|case| !case.is_generated()) {
        Some(case) => {
            let versions = cases.iter().flatten().map(|case| case.abi.as_str());
            format!("`{id}` {} ({})", cell(&case.title), clauses(&case.clause, versions))
        }
        None => format!("`{id}`"),
    }
}

/// What a host answers: once if it is the same in all versions, else per version.
pub(crate) fn answers(own: &[&Case]) -> String {
    let own: Vec<(&str, String)> = own.iter().map(|case| (case.abi.as_str(), answer(case))).collect();
    match own.first() {
        None => String::new(),
        Some((_, answer)) if own.iter().all(|(_, other)| other == answer) => answer.clone(),
        Some(_) => own.iter().map(|(abi, answer)| format!("v{abi}: {answer}")).collect::<Vec<_>>().join("<br>"),
    }
}

fn answer(case: &Case) -> String {
    let reason = cell(case.reason.as_deref().unwrap_or_default());
    match case.verdict {
        Verdict::Unspecified | Verdict::Pass | Verdict::Stale => {
            cell(&together(case.answer.as_deref().unwrap_or("as the case says")))
        }
        Verdict::Known => format!("**not acceptable:** {reason}"),
        Verdict::Fail => {
            let found = case.findings.iter().map(|finding| format!("{}: {}", finding.subject, finding.actual));
            format!("**not acceptable:** {}", cell(&found.collect::<Vec<_>>().join("; ")))
        }
        Verdict::Skip => format!("not run: {reason}"),
        Verdict::Error => format!("the harness failed: {reason}"),
    }
}

/// Many answers, each `what: answer`, by answer: `OK: one, two; NOT_FOUND: three`. Few of them stay as they are.
fn together(answers: &str) -> String {
    let parts: Option<Vec<(&str, &str)>> = answers.split("; ").map(|part| part.rsplit_once(": ")).collect();
    let Some(parts) = parts.filter(|parts| parts.len() > 6) else { return answers.to_owned() };
    let mut by_answer: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    parts.into_iter().for_each(|(what, answer)| by_answer.entry(answer).or_default().push(what));
    let by_answer = by_answer.into_iter().map(|(answer, what)| format!("{answer}: {}", what.join(", ")));
    by_answer.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    #[test]
    fn many_answers_are_put_together() {
        assert_eq!(together("a: OK; b: EMPTY; c: OK"), "a: OK; b: EMPTY; c: OK");
        let many = "a: OK; b: EMPTY; c: OK; d: OK; e: OK; f: OK; g: OK";
        assert_eq!(together(many), "EMPTY: b; OK: a, c, d, e, f, g");
        assert_eq!(together("1; 2; 3; 4; 5; 6; 7"), "1; 2; 3; 4; 5; 6; 7");
    }

    #[test]
    fn a_question_stands_once_with_the_answers_of_all_who_ask_it() {
        let one = [
            ("http_fields/c", "0.2.1", Verdict::Unspecified),
            ("buffers/a", "0.2.0", Verdict::Unspecified),
            ("buffers/a", "0.2.1", Verdict::Unspecified),
            ("buffers/b", "0.2.1", Verdict::Unspecified),
            ("buffers/required", "0.2.1", Verdict::Known),
        ];
        let mut one = sample("one", &one);
        one.cases[2].answer = Some("no | yes".to_owned());
        let mut two = sample("two", &[("buffers/a", "0.2.1", Verdict::Known), ("buffers/b", "0.2.1", Verdict::Fail)]);
        for case in &mut two.cases {
            (case.level, case.question) = ("unspecified".to_owned(), Some("which?".to_owned()));
        }
        let text = render(&[one, two], &[]);
        let clause = format!("([`proxy_log/OK`]({}))", pw_abi::clause_url("proxy_log/OK", pw_abi::Version::V0_2_1));
        let buffers = format!(
            "\n## Buffers\n\n### which?\n\n| case | one 1.2.3 | two 1.2.3 |\n|---|---|---|\n\
             | `buffers/a` the title of buffers/a {clause} | v0.2.0: as one does<br>v0.2.1: no \\| yes \
             | **not acceptable:** the reason \\| of &lt;known> |\n\
             | `buffers/b` the title of buffers/b {clause} | as one does | **not acceptable:** proxy_log: BAD_ARGUMENT |\n\n\
             ## HTTP fields\n"
        );
        assert!(text.contains(&buffers), "{buffers}\nis not in\n{text}");
        assert!(text.contains("these 2 questions") && !text.contains("buffers/required"), "{text}");
        let fields = format!("| `http_fields/c` the title of http_fields/c {clause} | as one does |  |\n");
        assert!(text.contains(&fields), "{text}");
    }
}
