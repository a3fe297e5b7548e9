//! The functions that the specification restricts to no callback, in every callback: a valid call does what it is for.
//!
//! Only buffers and maps are restricted to certain callbacks. What a stream operation, a local response, a property or the status of a call
//! is in a callback that has nothing to do with it is left open: see `callbacks`.

use pw_abi::{Function, Version, Versions};

use crate::generate::contexts::{CONTEXTS, Context};
use crate::generate::{Call, Draft, functions, success, valid};

/// How the functions answer a valid call.
enum Answer {
    /// That it is done.
    Done,
    /// That it is done, or that the host could not send it.
    Sent,
    /// That there is no such thing.
    NotFound,
}

/// The functions, with the callbacks in which their answer is not decided.
static ANSWERS: [(&str, Answer, &[&str]); 27] = [
    // The first argument of `proxy_on_vm_start` is no context, and the one of `proxy_on_delete` ends.
    ("proxy_set_effective_context", Answer::Done, &["proxy_on_vm_start", "proxy_on_delete"]),
    // The context is about to end.
    ("proxy_done", Answer::NotFound, &["proxy_on_done", "proxy_on_log", "proxy_on_delete"]),
    ("proxy_log", Answer::Done, &[]),
    ("fd_write", Answer::Done, &[]),
    ("proxy_get_log_level", Answer::Done, &[]),
    ("proxy_get_current_time_nanoseconds", Answer::Done, &[]),
    ("clock_time_get", Answer::Done, &[]),
    ("proxy_set_tick_period_milliseconds", Answer::Done, &[]),
    ("random_get", Answer::Done, &[]),
    ("environ_sizes_get", Answer::Done, &[]),
    ("environ_get", Answer::Done, &[]),
    ("args_sizes_get", Answer::Done, &[]),
    ("args_get", Answer::Done, &[]),
    ("proxy_http_call", Answer::Sent, &[]),
    ("proxy_grpc_call", Answer::Sent, &[]),
    ("proxy_grpc_stream", Answer::Sent, &[]),
    ("proxy_set_shared_data", Answer::Done, &[]),
    ("proxy_get_shared_data", Answer::Done, &[]),
    ("proxy_register_shared_queue", Answer::Done, &[]),
    ("proxy_resolve_shared_queue", Answer::Done, &[]),
    ("proxy_enqueue_shared_queue", Answer::Done, &[]),
    ("proxy_dequeue_shared_queue", Answer::Done, &[]),
    ("proxy_define_metric", Answer::Done, &[]),
    ("proxy_record_metric", Answer::Done, &[]),
    ("proxy_increment_metric", Answer::Done, &[]),
    ("proxy_get_metric", Answer::Done, &[]),
    // A valid call names a function that no host has.
    ("proxy_call_foreign_function", Answer::NotFound, &[]),
];

/// What the functions return that are done; only what holds in every callback and however often the case was run before.
const RETURNED: [(&str, &str); 11] = [
    ("fd_write", "{ written_bytes = 7 }"),
    ("proxy_get_log_level", "{ log_level = { at_most = 5 } }"),
    ("proxy_get_current_time_nanoseconds", "{ time = { at_least = 1_577_836_800_000_000_000 } }"),
    ("clock_time_get", "{ time = { at_least = 1_577_836_800_000_000_000 } }"),
    ("random_get", "{ bytes = { size = 16 } }"),
    ("environ_sizes_get", "{ num_elements = { at_least = 1 }, buffer_size = { at_least = 11 } }"),
    ("environ_get", "{ variables = { contains = \"NAME=value\" } }"),
    ("proxy_get_shared_data", "{ value = \"value\", cas = { at_least = 1 } }"),
    ("proxy_resolve_shared_queue", "{ queue_id = { same_as = \"queue_id\" } }"),
    // The item that leads to proxy_on_queue_ready comes first.
    ("proxy_dequeue_shared_queue", "{ value = { one_of = [\"value\", \"item\"] } }"),
    // Recorded as 1, or raised to that, and then raised by 1.
    ("proxy_get_metric", "{ value = { at_least = 2 } }"),
];

/// Whether the answer of a function in a callback is decided, so that a case here demands it.
pub(super) fn decides(function: &str, callback: &str) -> bool {
    answer(function, callback).is_some()
}

fn answer(function: &str, callback: &str) -> Option<&'static Answer> {
    let found = ANSWERS.iter().find(|(name, ..)| *name == function);
    found.filter(|(.., open)| !open.contains(&callback)).map(|(_, answer, _)| answer)
}

/// The cases: the functions of a section that came with the same version, in each callback.
pub(super) fn drafts() -> Vec<Draft> {
    let mut groups: Vec<(String, Versions, Vec<&'static Function>)> = Vec::new();
    for row in functions() {
        let since = match row.versions.since {
            Version::V0_1_0 => String::new(),
            since => format!("_since_{}", since.name().replace('.', "_")),
        };
        let name = format!("{}{since}", row.section);
        match groups.iter_mut().find(|(known, versions, _)| *known == name && *versions == row.versions) {
            Some((.., rows)) => rows.push(row),
            None => groups.push((name, row.versions, vec![row])),
        }
    }
    groups.iter().flat_map(|group| CONTEXTS.iter().filter_map(|context| draft(group, context))).collect()
}

/// None where none of the functions is decided, or no version has both.
fn draft(
    (name, versions, rows): &(String, Versions, Vec<&'static Function>),
    context: &'static Context,
) -> Option<Draft> {
    let callback = context.callback;
    let own = crate::script::callbacks().find(|row| row.name == callback)?.versions;
    let versions = Versions { since: versions.since.max(own.since), until: versions.until.min(own.until) };
    let rows: Vec<&Function> = rows.iter().copied().filter(|row| decides(row.name, callback)).collect();
    (versions.since <= versions.until && !rows.is_empty()).then(|| Draft {
        id: format!("generated/everywhere/{name}.{callback}"),
        title: format!("{} in {callback} as anywhere", title(&rows)),
        clauses: rows.iter().map(|row| format!("{}/{}", row.name, status(row, callback))).collect(),
        question: None,
        versions,
        context,
        calls: rows.iter().map(|row| call(row, callback)).collect(),
        expect: "",
        hazard: false,
        every_function: false,
    })
}

fn title(rows: &[&Function]) -> String {
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} does what it is for"),
        Some((last, others)) => format!("{} and {last} do what they are for", others.join(", ")),
        None => String::new(),
    }
}

/// The first status that is expected.
fn status(row: &Function, callback: &str) -> &'static str {
    match answer(row.name, callback) {
        Some(Answer::NotFound) => "NOT_FOUND",
        _ => success(row),
    }
}

fn returned(row: &Function) -> String {
    let found = RETURNED.iter().find(|(name, _)| *name == row.name);
    found.map_or(String::new(), |(_, values)| format!("returned = {values}\n"))
}

fn call(row: &'static Function, callback: &str) -> Call {
    let status = status(row, callback);
    let expect = match answer(row.name, callback) {
        Some(Answer::Sent) => format!(
            "accept = [\n  {{ expect = \"{status}\", answer = \"{0}: sent\" }},\n  \
             {{ expect = \"INTERNAL_FAILURE\", answer = \"{0}: not sent\" }},\n]\n",
            row.name
        ),
        _ => format!("expect = \"{status}\"\n") + &returned(row),
    };
    Call { about: row.name, texts: vec![valid::call(row, &[]) + &expect] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_of_a_function_that_promises_what_is_expected() {
        for (name, ..) in &ANSWERS {
            let row = functions().find(|row| row.name == *name).unwrap_or_else(|| panic!("{name}"));
            let expected = status(row, "proxy_on_configure");
            assert!(row.promises.iter().any(|promise| promise.name == expected), "{name}: {expected}");
        }
    }
}
