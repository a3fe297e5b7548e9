//! Cases that follow from the ABI table. Each is made as the text of a case file and read as such, so
//! that it can be explained, and runs on any host. Pure.
//!
//! What the table cannot know stands in two small ones: how each callback is brought about (`contexts`), and with which
//! arguments each function does what it is for (`valid`).

mod callbacks;
mod contexts;
mod early;
mod enums;
mod everywhere;
mod pointers;
mod valid;

use std::fmt::Write;

use pw_abi::{Function, Returns, Version, Versions};

use crate::case::Case;
use crate::format::{self, Error};
use crate::generate::contexts::Context;
use crate::statements;

/// All generated cases, sorted by id, and what is wrong with those that cannot be read.
pub fn cases() -> (Vec<Case>, Vec<Error>) {
    let drafts =
        [pointers::drafts(), enums::drafts(), callbacks::drafts(), early::drafts(), everywhere::drafts()].concat();
    let mut drafts: Vec<Draft> = drafts.into_iter().flat_map(Draft::apart).collect();
    drafts.sort_by(|one, other| one.id.cmp(&other.id));
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    for draft in drafts {
        let no_modules = |name: &str| Err(format!("a generated case has no module {name}"));
        match format::parse(&draft.id, &draft.id, &draft.text(), &no_modules) {
            Ok(case) => {
                let statements = statements(&case);
                cases.push(Case { every_function: draft.every_function, statements, ..case });
            }
            Err(error) => errors.push(error),
        }
    }
    (cases, errors)
}

/// What a generated case says.
#[derive(Clone)]
struct Draft {
    /// `generated/<kind>/<function or callback>`.
    id: String,
    title: String,
    clauses: Vec<String>,
    /// Makes the case one of level unspecified.
    question: Option<&'static str>,
    versions: Versions,
    /// Where the calls are made.
    context: &'static Context,
    /// The calls; a case without any is none.
    calls: Vec<Call>,
    /// What is expected of the whole run, as the text of `[expect]`; if nothing, that the next stream is served.
    expect: &'static str,
    hazard: bool,
    /// It calls all functions there are, and so those that a host has.
    every_function: bool,
}

/// A call of a generated case.
#[derive(Clone)]
struct Call {
    /// The function or parameter that it is about.
    about: &'static str,
    /// Texts of a `[[step.guest]]` each: what it needs first, and itself.
    texts: Vec<String>,
}

impl Draft {
    /// The case without the calls that may take a host down, and one for each of these.
    fn apart(self) -> Vec<Draft> {
        let name = self.id.rsplit('/').next().unwrap_or_default().to_owned();
        let is_hazard = |call: &Call| HAZARDS.contains(&(self.id.as_str(), call.about));
        let (hazards, calls): (Vec<Call>, Vec<Call>) = self.calls.iter().cloned().partition(is_hazard);
        let mut drafts = Vec::new();
        for call in hazards {
            let id = format!("generated/hazards/{name}.{}", call.about);
            match drafts.iter_mut().find(|draft: &&mut Draft| draft.id == id) {
                Some(draft) => draft.calls.push(call),
                None => {
                    let title = format!("{}: here {} alone", self.title, call.about);
                    drafts.push(Draft {
                        id,
                        title,
                        calls: vec![call],
                        hazard: true,
                        every_function: false,
                        ..self.clone()
                    });
                }
            }
        }
        drafts.push(Draft { calls, ..self });
        drafts.retain(|draft| !draft.calls.is_empty());
        drafts
    }

    /// The text of the case. `$id` in it stands for its id, so that what hosts share among plugins has unique names.
    fn text(&self) -> String {
        let Draft { title, clauses, versions, context, .. } = self;
        let clauses = clauses.join("\", \"");
        let mut text = format!("# Generated from the ABI table.\ntitle = \"{title}\"\nclause = [\"{clauses}\"]\n");
        let _ = match self.question {
            Some(question) => writeln!(text, "level = \"unspecified\"\nquestion = \"{question}\""),
            None => writeln!(text, "level = \"required\""),
        };
        let until = versions.until.min(Version::V0_2_1);
        let _ = writeln!(text, "abi = \"{}..{until}\"", versions.since);
        if self.hazard {
            text += "hazard = true\n";
        }
        text += "\n[[plugin]]\nvm_id = \"$id\"\nconfiguration = \"configured\"\n";
        if !self.every_function && self.calls.iter().any(|call| call.needs_environment()) {
            text += "environment = { NAME = \"value\" }\n";
        }
        context.steps.iter().for_each(|step| text += &format!("\n[[step]]\n{step}\n"));
        for call in self.calls.iter().flat_map(|call| &call.texts) {
            let _ = write!(text, "\n[[step.guest]]\nin = \"{}\"\n{call}", context.callback);
        }
        match self.expect {
            // The plugin runs on, and serves the next stream.
            "" => text += &context.next(),
            expect => text += &format!("\n[expect]\n{expect}"),
        }
        text.replace("$id", &self.id)
    }
}

impl Call {
    /// Whether it is about the environment variables of a plugin.
    fn needs_environment(&self) -> bool {
        self.texts.iter().any(|text| text.contains("call = \"environ_"))
    }
}

/// What is known to crash a host, so that it gets its own case and host process: the case that it would be in,
/// and the function that is called, or the parameter that is spoilt.
const HAZARDS: [(&str, &str); 13] = [
    ("generated/callbacks/proxy_on_done", "proxy_send_local_response"),
    ("generated/callbacks/proxy_on_log", "proxy_send_local_response"),
    ("generated/callbacks/proxy_on_delete", "proxy_send_local_response"),
    ("generated/callbacks_since_0_2_0/proxy_on_done", "proxy_close_stream"),
    ("generated/callbacks_since_0_2_0/proxy_on_log", "proxy_close_stream"),
    ("generated/callbacks_since_0_2_0/proxy_on_delete", "proxy_close_stream"),
    ("generated/statusless/proxy_on_request_headers", "proxy_continue_response"),
    ("generated/statusless/proxy_on_request_body", "proxy_continue_response"),
    ("generated/statusless/proxy_on_request_trailers", "proxy_continue_response"),
    ("generated/statusless/proxy_on_response_headers", "proxy_continue_response"),
    ("generated/statusless/proxy_on_response_trailers", "proxy_continue_response"),
    ("generated/empty_pointers/proxy_grpc_call", "upstream_name"),
    ("generated/empty_pointers/proxy_grpc_stream", "upstream_name"),
];

/// The functions that final versions have.
fn functions() -> impl Iterator<Item = &'static Function> {
    crate::script::functions().filter(|row| row.versions.since <= Version::V0_2_1)
}

/// Whether each version that has the function promises this status of it.
fn promises(row: &Function, status: &str) -> bool {
    let versions = || Version::FINAL.into_iter().filter(|version| row.versions.contains(*version));
    versions().all(|version| row.promises(version).any(|promise| promise.name == status))
}

/// The name of success.
fn success(row: &Function) -> &'static str {
    if row.returns == Returns::Errno { "SUCCESS" } else { "OK" }
}

/// The lines of a call that may answer any status that the table promises but those of `not`, or one of `others`; the record says
/// which.
fn any_answer(row: &Function, about: &str, others: &[&'static str], not: &[&str]) -> String {
    let promised = row.promises.iter().map(|promise| promise.name);
    let mut statuses: Vec<&str> = promised.filter(|name| !not.contains(name)).collect();
    if row.returns == Returns::Nothing {
        statuses.push(success(row));
    }
    statuses.extend(others);
    statuses.sort_unstable();
    statuses.dedup();
    let answers: Vec<String> = statuses
        .into_iter()
        .map(|status| format!("  {{ expect = \"{status}\", answer = \"{about}: {status}\" }},\n"))
        .collect();
    format!("accept = [\n{}]\n", answers.concat())
}

/// The statements that a case checks: those that are the only ones about its clauses.
fn statements(case: &Case) -> Vec<&'static str> {
    let version = case.versions.last().copied().unwrap_or(Version::V0_2_1);
    let found = case.clauses.iter().filter_map(|clause| statements::of_clause(clause, version));
    found.map(|one| one.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_generated_case_can_be_read() {
        let (cases, errors) = cases();
        let errors: Vec<String> = errors.iter().map(Error::to_string).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), cases.len(), "two cases share an id");
        let hazards: Vec<&str> = cases.iter().filter(|case| case.hazard).map(|case| case.id.as_str()).collect();
        assert_eq!(hazards.len(), HAZARDS.len(), "a hazard is of no case: {HAZARDS:?}");
    }

    #[test]
    fn a_generated_case_reads_like_a_file() {
        let text = "# Generated from the ABI table.\ntitle = \"proxy_log refuses values that its enums lack\"\n\
            clause = [\"proxy_log/BAD_ARGUMENT\"]\nlevel = \"required\"\nabi = \"0.1.0..0.2.1\"\n\n[[plugin]]\n\
            vm_id = \"generated/enums/proxy_log\"\nconfiguration = \"configured\"\n\n\
            [[step]]\nrequest_headers = [[\":method\", \"POST\"], [\":scheme\", \"http\"], \
            [\":authority\", \"example.test\"], [\":path\", \"/\"]]\n\n\
            [[step.guest]]\nin = \"proxy_on_request_headers\"\ncall = \"proxy_log\"\n\
            args = { log_level = 6, message = \"derived\" }\nexpect = \"BAD_ARGUMENT\"\n";
        let (cases, _) = cases();
        let case = cases.iter().find(|case| case.id == "generated/enums/proxy_log").expect("it is there");
        assert!(case.source.starts_with(text), "{}", case.source);
    }
}
