//! Every function where no context of the ABI's is active: in `_initialize`, and in the allocator, which runs in the midst
//! of another call. Hosts that refuse a function there end the guest, so that each has its own case.

use pw_abi::{Function, Returns};

use crate::generate::contexts::{ALLOCATE, Context, INITIALIZE};
use crate::generate::{Call, Draft, callbacks, functions, valid};

const INITIALIZING: &str = "Which host functions may be called in `_initialize`, `main` and `_start`, before there is a context, \
    and what becomes of a module that calls another one?";
const ALLOCATING: &str =
    "Which host functions may be called in the allocator, and what becomes of a plugin that calls another one?";

const STARTED_OR_NOT: &str = "start = [\"started\", \"refused\"]\nfault = [true, false]\n";
const FAULT_OR_NOT: &str = "fault = [true, false]\n";

/// The cases.
pub(super) fn drafts() -> Vec<Draft> {
    let early = |row: &'static Function| {
        // Hosts differ in how functions without a status link.
        let expect = if row.returns == Returns::Nothing { STARTED_OR_NOT } else { FAULT_OR_NOT };
        [
            draft(row, "initialize", &INITIALIZE, INITIALIZING, STARTED_OR_NOT),
            draft(row, "allocator", &ALLOCATE, ALLOCATING, expect),
        ]
    };
    functions().flat_map(early).collect()
}

fn draft(
    row: &'static Function,
    kind: &str,
    context: &'static Context,
    question: &'static str,
    expect: &'static str,
) -> Draft {
    let before = functions().filter(|other| valid::of(row).after.contains(&other.name));
    let texts = before.chain([row]).map(|row| callbacks::text(row, &["TRAP"], &[])).collect();
    Draft {
        id: format!("generated/{kind}/{}", row.name),
        title: format!("{} in {} has a defined answer, or ends the plugin", row.name, context.callback),
        clauses: vec![context.callback.to_owned()],
        question: Some(question),
        versions: row.versions,
        context,
        calls: vec![Call { about: row.name, texts }],
        expect,
        hazard: false,
        every_function: false,
    }
}
