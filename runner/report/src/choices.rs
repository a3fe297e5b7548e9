//! For each question that the specification leaves open: the switch of the reference host, or why there is none, and what each host answers. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::questions::{ById, Questions, answers, gathered};
use crate::reasons::REASONS;
use crate::text::title;
use pw_harness::record::{Case, Record};
use pw_harness::verdict::Verdict;

/// Stands for what no answer of the catalog allows.
const NOT_ACCEPTABLE: &str = "not acceptable";

/// A switch of the reference host.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// Its name, as `--choice` has it.
    pub name: &'static str,
    /// Its value if nothing else is said.
    pub default: bool,
    /// What is said of it, in lines of Markdown, with the ids of the cases that ask its questions.
    pub doc: &'static [&'static str],
}

/// The Markdown.
pub fn render(records: &[Record], switches: &[Switch]) -> String {
    let by_id = ById::new(records);
    let sections = gathered(records);
    let written = sections.iter().filter(|((_, section), _)| *section != "generated cases");
    let ids: BTreeSet<&str> = written.flat_map(|(_, questions)| questions.values().flatten().copied()).collect();
    let agreed = ids.iter().filter(|id| is_agreed(&by_answer(records, &by_id, id))).count();
    let all = ids.len();
    let mut text = format!(
        "# Choices\n\nMade by `pw-conform report` from the records beside it. Where the specification is silent or contradicts itself, hosts choose. \
         The reference host has {} switches for such questions: `pw-conform run --choice NAME=true` turns one, `pw-conform try` too, and \
         `--choices SEED` draws them all. The catalog passes whatever they say, which a test checks. For each question stand here the switch, or \
         the reason why there is none, and the answers of the hosts. \
         In {agreed} of {all} cases three hosts or more give an acceptable answer, and all the same one: there the specification could say what is done.\n\n## Switches\n\n",
        switches.len()
    );
    for Switch { name, default, doc } in switches {
        let meaning = meaning(doc);
        let _ = writeln!(text, "- `{name}` (usually {default}): {meaning}");
    }
    let asked = asked(&sections);
    for ((_, section), questions) in sections.iter().filter(|((_, section), _)| *section != "generated cases") {
        let _ = writeln!(text, "\n## {}", title(section));
        for (question, ids) in questions {
            let _ = writeln!(text, "\n### {}\n", question.replace('<', "&lt;"));
            let all = asked.get(question.as_str()).unwrap_or(ids);
            let names: Vec<String> = switches_of(switches, all).map(|switch| format!("`{}`", switch.name)).collect();
            let _ = match (names.is_empty(), reason(all)) {
                (false, _) => writeln!(text, "- Switch: {}", names.join(", ")),
                (true, Some(reason)) => writeln!(text, "- No switch: {reason}."),
                (true, None) => writeln!(text, "- No switch."),
            };
            for id in ids {
                let answers = by_answer(records, &by_id, id);
                let agree = if is_agreed(&answers) { " **They agree.**" } else { "" };
                let _ = writeln!(text, "- `{id}`: {}{agree}", line(&answers));
            }
        }
    }
    text
}

/// The questions, by the ids of their cases, that have neither a switch nor a reason for none.
pub fn unexplained(records: &[Record], switches: &[Switch]) -> Vec<String> {
    let questions = asked(&gathered(records));
    let all: BTreeSet<&str> = questions.values().flatten().copied().collect();
    let is_open =
        |ids: &&BTreeSet<&str>| !ids.is_empty() && switches_of(switches, ids).next().is_none() && reason(ids).is_none();
    let open = questions.values().filter(is_open);
    let open = open.map(|ids| format!("no switch and no reason: {}", Vec::from_iter(ids.iter().copied()).join(", ")));
    let reasons = REASONS.iter().flat_map(|(_, ids)| ids.iter().copied());
    let named = reasons.chain(switches.iter().flat_map(|switch| cases(switch.doc)));
    open.chain(named.filter(|id| !all.contains(id)).map(|id| format!("no question: {id}"))).collect()
}

/// The cases of each question of hand-written cases, in whichever sections they are.
fn asked<'a>(sections: &Questions<'a>) -> BTreeMap<String, BTreeSet<&'a str>> {
    let mut asked: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (question, ids) in sections.values().flatten() {
        let ids = ids.iter().copied().filter(|id| !id.starts_with("generated/"));
        asked.entry(question.clone()).or_default().extend(ids);
    }
    asked
}

/// The first paragraph of what is said of a switch.
fn meaning(doc: &[&str]) -> String {
    let lines = doc.iter().map(|line| line.trim()).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// The ids of cases in a text.
fn cases<'a>(doc: &[&'a str]) -> impl Iterator<Item = &'a str> + use<'a> {
    let quoted = doc.iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect::<Vec<&'a str>>();
    quoted.into_iter().filter(|text| {
        text.split_once('/').is_some_and(|(section, _)| pw_abi::section(section).is_some() || section == "faults")
    })
}

fn switches_of<'a>(switches: &'a [Switch], ids: &BTreeSet<&str>) -> impl Iterator<Item = &'a Switch> {
    switches.iter().filter(|switch| cases(switch.doc).any(|id| ids.contains(id)))
}

fn reason(ids: &BTreeSet<&str>) -> Option<&'static str> {
    REASONS.iter().find(|(_, of)| of.iter().any(|id| ids.contains(id))).map(|(reason, _)| *reason)
}

/// An answer, and the hosts that give it, with their versions.
type Answer = (String, Vec<(String, Vec<String>)>);

/// The answers to a case, each with the hosts that give it.
fn by_answer(records: &[Record], by_id: &ById<'_>, id: &str) -> Vec<Answer> {
    let mut by_answer: Vec<Answer> = Vec::new();
    for (record, own) in records.iter().zip(by_id.get(id)) {
        let run: Vec<&Case> = own.iter().copied().filter(|case| case.verdict != Verdict::Skip).collect();
        let answer = match run.iter().all(|case| matches!(case.verdict, Verdict::Known | Verdict::Fail)) {
            _ if run.is_empty() => continue,
            true => NOT_ACCEPTABLE.to_owned(),
            false => answers(&run),
        };
        let program = &record.header.host;
        let at = by_answer.iter().position(|(known, _)| *known == answer).unwrap_or(by_answer.len());
        if at == by_answer.len() {
            by_answer.push((answer, Vec::new()));
        }
        let of_answer = &mut by_answer[at].1;
        match of_answer.last_mut().filter(|(name, _)| *name == program.name) {
            Some((_, versions)) => versions.push(program.version.clone()),
            None => of_answer.push((program.name.clone(), vec![program.version.clone()])),
        }
    }
    by_answer
}

/// Whether three hosts or more, not counting versions, give the same acceptable answer, and no host gives another.
fn is_agreed(answers: &[Answer]) -> bool {
    let mut given = answers.iter().filter(|(answer, _)| answer != NOT_ACCEPTABLE);
    given.next().is_some_and(|(_, hosts)| hosts.len() > 2) && given.next().is_none()
}

fn line(answers: &[Answer]) -> String {
    let name = |(name, versions): &(String, Vec<String>)| match &versions[..] {
        [] | [_] => name.clone(),
        [first, .., last] => format!("{name} {first} to {last}"),
    };
    let one =
        |(answer, hosts): &Answer| format!("{answer} ({})", hosts.iter().map(name).collect::<Vec<_>>().join(", "));
    answers.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    const DOC: &[&str] =
        &[" If true, it is so; if false,", " it is not.", "", " The question: is it? (`buffers/asked`, `text/plain`)"];

    #[test]
    fn a_switch_stands_under_its_question_and_every_other_question_is_named() {
        let mut one = sample(
            "one",
            &[("buffers/asked", "0.2.1", Verdict::Unspecified), ("buffers/other", "0.2.1", Verdict::Unspecified)],
        );
        one.cases[0].question = Some("Is it?".to_owned());
        one.cases[1].question = Some("Is it not?".to_owned());
        one.cases[0].answer = Some("it is".to_owned());
        let switches = [Switch { name: "it_is", default: true, doc: DOC }];
        let text = render(std::slice::from_ref(&one), &switches);
        for line in [
            "- `it_is` (usually true): If true, it is so; if false, it is not.",
            "- Switch: `it_is`",
            "- `buffers/asked`: it is (one)",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
        }
        let open = unexplained(&[one], &switches);
        assert!(open.contains(&"no switch and no reason: buffers/other".to_owned()), "{open:?}");
        assert!(!open.iter().any(|line| line.contains("buffers/asked")), "{open:?}");
    }
}
