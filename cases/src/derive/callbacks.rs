//! Every function in every callback, with arguments that are valid somewhere.

use pw_abi::{Function, Returns, Version, Versions};

use crate::derive::contexts::{CONTEXTS, Context};
use crate::derive::{Draft, any_answer, functions, valid};

const QUESTION: &str =
    "What does a function answer in a callback in which the specification does not say what it does?";

/// Functions behind which the callback, or its stream, may end: they are called last.
const ENDING: [&str; 6] = [
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_continue_stream",
    "proxy_done",
    "proxy_send_local_response",
    "proxy_close_stream",
];

/// What a function out of place may answer beside what the table promises: hand-written cases accept the same.
const REFUSALS: [&str; 4] = ["BAD_ARGUMENT", "NOT_FOUND", "INTERNAL_FAILURE", "UNIMPLEMENTED"];

/// The cases: for each callback one with the functions of all versions, one for each other range of versions, and one with
/// the function that does not return.
pub(super) fn drafts() -> Vec<Draft> {
    let mut ranges: Vec<Versions> = Vec::new();
    functions().map(|row| row.versions).for_each(|range| {
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    });
    let called = ranges.into_iter().flat_map(|range| CONTEXTS.iter().map(move |context| draft(range, context)));
    let exits =
        functions().filter(|row| row.name == EXIT).flat_map(|row| CONTEXTS.iter().map(|context| exit(row, context)));
    called.chain(exits).collect()
}

fn draft(range: Versions, context: &'static Context) -> Draft {
    let place = |row: &&Function| ENDING.iter().position(|name| *name == row.name);
    let mut rows: Vec<&Function> = functions().filter(|row| row.versions == range && row.name != EXIT).collect();
    rows.sort_by_key(place);
    let Context { callback, .. } = context;
    let (kind, which) = match (range.since, range.until) {
        (Version::V0_1_0, Version::VNext) => ("callbacks".to_owned(), "every function of all versions".to_owned()),
        (since, Version::VNext) => (slug("callbacks_since", since), format!("every function that came with v{since}")),
        (_, until) => (slug("callbacks_until", until), format!("every function that v{until} was the last to have")),
    };
    Draft {
        id: format!("derived/{kind}/{callback}"),
        title: format!("{which} has a defined answer in {callback}"),
        clause: (*callback).to_owned(),
        question: Some(QUESTION),
        versions: range,
        context,
        calls: rows.into_iter().map(call).collect(),
        expect: "",
    }
}

const EXIT: &str = "proc_exit";

fn exit(row: &Function, context: &'static Context) -> Draft {
    let Context { callback, .. } = context;
    Draft {
        id: format!("derived/exits/{callback}"),
        title: format!("{EXIT} in {callback} ends the plugin, or comes back as if nothing had been said"),
        clause: EXIT.to_owned(),
        question: Some("Does the host end a plugin that says that it exits, and what if it does so while it starts?"),
        versions: row.versions,
        context,
        calls: vec![call(row)],
        expect: "start = [\"started\", \"refused\"]\nfault = [true, false]\n",
    }
}

fn slug(kind: &str, version: Version) -> String {
    format!("{kind}_{}", version.name().replace('.', "_"))
}

fn call(row: &Function) -> String {
    let others: &[&str] = match row.returns {
        Returns::Status => &REFUSALS,
        Returns::Errno => &["NOTSUP"],
        Returns::Nothing if row.name == EXIT => &["TRAP"],
        Returns::Nothing => &[],
    };
    valid::call(row, &[]) + &any_answer(row, row.name, others)
}
