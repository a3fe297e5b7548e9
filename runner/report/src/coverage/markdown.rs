use std::fmt::Write;

use pw_abi::Version;
use pw_cases::case::Case;
use pw_harness::record::Record;

use crate::coverage::{
    Covered, State, counts, covered, decided, heads, in_state, origins, section, sections, share, title, uncheckable,
};
use crate::text::{cell, host};

/// The page: the counts, and for each statement its cases.
pub fn markdown(cases: &[Case], records: &[Record]) -> String {
    let all = covered(cases, records);
    let mut text = format!(
        "# Coverage of the specification\n\nMade by `pw-conform coverage --markdown` of the catalog and of the records \
         beside it. A statement is a sentence of the specification that binds a host, in our words; the link leads to the \
         sentence. It is *bound* if a hand-written case of level `required` or `recommended` cites it and was run, *asked \
         only* if cases of level `unspecified` alone cite it, which bind nobody, and *open* if the text does not decide it. Each statement counts once, in the \
         latest version that has it. It holds on a host if every case that cites it and ran there does; a case that fails only for calls of other functions is left out.\n\n\
         Of the statements that the text decides, {} are bound on another host than ours. {}.\n\n",
        decided(&all, records),
        origins(cases).replace("cases:", "Cases:")
    );
    let heads = heads(records);
    let _ = writeln!(text, "| section | {} |\n|---|{}", heads.join(" | "), "---:|".repeat(heads.len()));
    let line = |slug| {
        let counts = counts(&all, records, slug).into_iter().map(|count| count.to_string());
        counts.collect::<Vec<_>>().join(" | ")
    };
    for slug in sections() {
        let _ = writeln!(text, "| {} | {} |", title(slug), line(Some(slug)));
    }
    let _ = writeln!(text, "| **all** | {} |", line(None));
    reasons(&mut text, &all, records);
    sections().into_iter().for_each(|slug| block(&mut text, &all, records, slug));
    text
}

/// What is not bound on another host, with the reason.
fn reasons(text: &mut String, all: &[Covered<'_>], records: &[Record]) {
    let names = [
        (State::Missing, "No case checks"),
        (State::Written, "Only the reference host runs cases of"),
        (State::Asked, "Only cases of level `unspecified` ask"),
        (State::Open, "The text does not decide"),
        (State::Uncheckable, "No case can check"),
    ];
    for (state, name) in names {
        let found = in_state(all, records, state);
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{name}:\n");
        for one in found {
            let reason = match state {
                State::Open => one.open.as_deref(),
                State::Uncheckable => uncheckable(one),
                State::Missing => one.missing.as_deref(),
                _ => None,
            };
            let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
            let _ = writeln!(text, "- `{}`: {}{reason}", one.id, one.says);
        }
    }
}

/// A section's statements; versions that have the same cases, with the same results, share a line.
fn block(text: &mut String, all: &[Covered<'_>], records: &[Record], slug: &str) {
    let hosts: String = records.iter().map(|record| format!(" {} |", host(record))).collect();
    let _ = writeln!(text, "\n## {}\n\n| statement | version |{hosts} cases |", title(slug));
    let _ = writeln!(text, "|---|---|{}---|", "---:|".repeat(records.len()));
    let mut rows: Vec<(&Covered<'_>, Vec<Version>)> = Vec::new();
    for one in all.iter().filter(|one| section(one.statement) == slug) {
        match rows.iter_mut().find(|(first, _)| is_same(first, one)) {
            Some((_, versions)) => versions.push(one.version),
            None => rows.push((one, vec![one.version])),
        }
    }
    for (one, versions) in rows {
        let names: Vec<&str> = versions.iter().map(|version| version.name()).collect();
        let shares: String =
            one.hosts.iter().map(|results| format!(" {} |", share(results.hold.len(), results.ran.len()))).collect();
        let says = cell(&one.statement.says);
        let url = one.statement.url(one.version);
        let _ = writeln!(
            text,
            "| [`{}`]({url}) {says} | {} |{shares} {} |",
            one.statement.id,
            names.join(", "),
            cases(one)
        );
    }
}

fn is_same(one: &Covered<'_>, other: &Covered<'_>) -> bool {
    one.statement.id == other.statement.id && one.cases() == other.cases() && one.hosts == other.hosts
}

fn cases(one: &Covered<'_>) -> String {
    match (one.cases(), one.binding.is_empty()) {
        ([], _) => "none".to_owned(),
        (cases, true) => format!("*open:* `{}`", cases.join("`, `")),
        (cases, false) => format!("`{}`", cases.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::tests::made_up;

    #[test]
    fn versions_that_differ_have_lines_of_their_own() {
        let (cases, records) = made_up();
        let text = markdown(&cases, &records);
        let of = |id: &str, version| {
            let one = pw_cases::statements::find(id).expect("it is a statement");
            format!("| [`{id}`]({}) {} ", one.url(version), one.says)
        };
        let (set, tick) = ("timers/period_sets", "timers/tick_called");
        let lines = [
            "| Timers | 1 | 0 | 1 | 0 | 0 | 3 | 2 | 0 |".to_owned(),
            "| statement | version | one 1.2.3 | two 1.2.3 | cases |".to_owned(),
            of(set, Version::V0_1_0) + "| 0.1.0 |  |  | none |",
            of(set, Version::V0_2_0) + "| 0.2.0 | 1/1 |  | `timers/one` |",
            of(set, Version::V0_2_1) + "| 0.2.1 | 2/2 | 1/2 | `timers/one`, `timers/two` |",
            of(tick, Version::V0_1_0) + "| 0.1.0, 0.2.0 |  |  | none |",
            of(tick, Version::V0_2_1) + "| 0.2.1 | 1/1 | 0/1 | *open:* `timers/four` |",
        ];
        for line in &lines {
            assert!(text.lines().any(|known| known == line.as_str()), "{line}\nis not in\n{text}");
        }
    }
}
