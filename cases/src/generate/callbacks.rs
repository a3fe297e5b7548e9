//! Every function in every callback, with arguments that are valid somewhere.

use pw_abi::{Function, Returns, Version, Versions};

use crate::generate::contexts::{CONTEXTS, Context};
use crate::generate::{Call, Draft, any_answer, everywhere, functions, valid};

/// Functions that are called together in a callback.
struct Group {
    kind: String,
    /// The functions, in words.
    which: String,
    question: &'static str,
    versions: Versions,
    rows: Vec<&'static Function>,
    expect: &'static str,
}

const QUESTION: &str =
    "What does a function answer in a callback in which the specification does not say what it does?";
const STATUSLESS: &str = "All functions are said to return a status, but these three to return nothing; which is it?";
const EXITS: &str = "Does the host end a plugin that says that it exits, and what if it does so while it starts?";

const EXIT: &str = "proc_exit";
/// Functions after which the callback, or its stream, may end: they are called last, in this order.
const ENDING: [&str; 4] = ["proxy_continue_stream", "proxy_done", "proxy_send_local_response", "proxy_close_stream"];
/// What a function out of place may answer beside what the table promises: hand-written cases accept the same.
const REFUSALS: [&str; 4] = ["BAD_ARGUMENT", "NOT_FOUND", "INTERNAL_FAILURE", "UNIMPLEMENTED"];

/// What no valid call answers, wherever it is made: its pointers and its serialised maps are good.
const FALSE: [&str; 3] = ["INVALID_MEMORY_ACCESS", "PARSE_FAILURE", "SERIALIZATION_FAILURE"];

/// The cases: each group of functions in each callback.
pub(super) fn drafts() -> Vec<Draft> {
    let groups = groups();
    groups.iter().flat_map(|group| CONTEXTS.iter().filter_map(|context| draft(group, context))).collect()
}

/// The functions by the versions that have them; those without a status apart, as hosts differ in how these link.
fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in functions() {
        let empty = group(row);
        match groups.iter_mut().find(|group| group.kind == empty.kind) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { rows: vec![row], ..empty }),
        }
    }
    let last = |row: &&Function| ENDING.iter().position(|name| *name == row.name);
    groups.iter_mut().for_each(|group| group.rows.sort_by_key(last));
    groups
}

/// The group, still empty, in which a function is called.
fn group(row: &Function) -> Group {
    let (kind, which) = match (row.returns, row.versions.since, row.versions.until) {
        (Returns::Nothing, ..) if row.name == EXIT => ("exits".to_owned(), EXIT.to_owned()),
        (Returns::Nothing, ..) => ("statusless".to_owned(), "every function without a status".to_owned()),
        (_, Version::V0_1_0, Version::VNext) => ("callbacks".to_owned(), "every function of all versions".to_owned()),
        (_, since, Version::VNext) => {
            (slug("callbacks_since", since), format!("every function that came with v{since}"))
        }
        (_, _, until) => (slug("callbacks_until", until), format!("every function that v{until} was the last to have")),
    };
    let (question, expect) = match kind.as_str() {
        "exits" => (EXITS, "start = [\"started\", \"refused\"]\nfault = [true, false]\n"),
        "statusless" => (STATUSLESS, "start = [\"started\", \"refused\"]\n"),
        _ => (QUESTION, ""),
    };
    Group { kind, which, question, versions: row.versions, rows: Vec::new(), expect }
}

fn slug(kind: &str, version: Version) -> String {
    format!("{kind}_{}", version.name().replace('.', "_"))
}

/// None where no version has both the functions and the callback.
fn draft(group: &Group, context: &'static Context) -> Option<Draft> {
    let Context { callback, .. } = context;
    let own = crate::script::callbacks().find(|row| row.name == *callback)?.versions;
    let versions = Versions { since: group.versions.since.max(own.since), until: group.versions.until.min(own.until) };
    let rows: Vec<&'static Function> =
        group.rows.iter().copied().filter(|row| !everywhere::decides(row.name, callback)).collect();
    (versions.since <= versions.until && !rows.is_empty()).then(|| Draft {
        id: format!("generated/{}/{callback}", group.kind),
        title: format!("{} has a defined answer in {callback}", group.which),
        clauses: vec![(*callback).to_owned()],
        question: Some(group.question),
        versions,
        context,
        calls: rows.into_iter().map(|row| call(row, callback)).collect(),
        expect: group.expect,
        hazard: false,
        // Where functions differ in how hosts link them, a refused module is an answer.
        every_function: group.question == QUESTION,
    })
}

fn call(row: &'static Function, callback: &str) -> Call {
    let others: &[&str] = if row.name == EXIT { &["TRAP"] } else { &[] };
    // Functions that are decided elsewhere are called here only for what they return.
    let before = functions().filter(|other| valid::of(row).after.contains(&other.name));
    let before = before.filter(|other| everywhere::decides(other.name, callback)).map(|other| text(other, &[], &FALSE));
    Call { about: row.name, texts: before.chain([text(row, others, &FALSE)]).collect() }
}

/// A valid call out of place: it answers what the table promises but for those of `not`, a refusal, or one of `others`.
pub(super) fn text(row: &Function, others: &[&'static str], not: &[&str]) -> String {
    let refusals: &[&str] = match row.returns {
        Returns::Status => &REFUSALS,
        Returns::Errno => &["NOTSUP"],
        Returns::Nothing => &[],
    };
    valid::call(row, &[]) + &any_answer(row, row.name, &[refusals, others].concat(), not)
}
