use std::fmt::Write;

use pw_cases::case::Case;
use pw_harness::record::Record;

use crate::coverage::{State, counts, covered, decided, heads, in_state, origins, sections};

/// Counts by section, and what no case checks.
pub fn text(cases: &[Case], records: &[Record]) -> String {
    let all = covered(cases, records);
    let row = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>12}")).collect();
        format!("{name:32}{cells}\n")
    };
    let numbers = |section| counts(&all, records, section).into_iter().map(|count| count.to_string()).collect();
    let mut text = String::from("statements of the specification, each in the latest version that has it\n\n");
    for (number, head) in (1..).zip(heads(records)) {
        let _ = writeln!(text, "  ({number}) {head}");
    }
    text += "\n";
    text += &row("", (1..=heads(records).len()).map(|number| format!("({number})")).collect());
    for section in sections() {
        text += &row(section, numbers(Some(section)));
    }
    text += &row("all", numbers(None));
    let _ =
        writeln!(text, "\nof those that the text decides, bound on another host than ours: {}", decided(&all, records));
    let _ = writeln!(text, "{}", origins(cases));
    let lists = [
        ("no case checks", in_state(&all, records, State::Missing)),
        ("only cases of level unspecified ask", in_state(&all, records, State::Asked)),
        ("open: the text does not decide", in_state(&all, records, State::Open)),
    ];
    for (heading, found) in lists.into_iter().filter(|(_, found)| !found.is_empty()) {
        let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
        let _ = writeln!(text, "\n{heading}: {}", ids.join(", "));
    }
    text
}
