//! What a case cites is what its calls and expectations demand.

use std::path::Path;

use pw_cases::case::{Case, Level};
use pw_cases::catalog;
use pw_cases::statements::{self, Party, Statement, Strength};

/// The catalog, with its generated cases.
fn whole() -> Vec<Case> {
    let (cases, errors) = catalog::whole(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"));
    assert_eq!(errors, []);
    cases
}

/// The cases that are written by hand and bind a host.
fn binding() -> Vec<Case> {
    let (cases, errors) = catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"));
    assert_eq!(errors, []);
    let binds = |case: &Case| matches!(case.level, Level::Required | Level::Recommended);
    cases.into_iter().filter(binds).collect()
}

/// A case whose reason is not in the specification: there is no instance of a module whose start section traps, says WebAssembly.
const BY_WEBASSEMBLY: &str = "integration/trap_in_start_section";

#[test]
fn a_case_that_binds_cites_a_statement_that_binds_hosts() {
    let cases = binding();
    let wrong = cases.iter().filter(|case| !binds_hosts(case) && case.id != BY_WEBASSEMBLY);
    let wrong: Vec<&str> = wrong.map(|case| case.id.as_str()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn binds_hosts(case: &Case) -> bool {
    cited(case).any(|one| one.binds == Party::Host)
}

fn cited(case: &Case) -> impl Iterator<Item = &'static Statement> {
    case.statements.iter().filter_map(|id| statements::find(id))
}

#[test]
fn a_statement_without_a_case_says_why() {
    let cases = whole();
    let is_cited = |one: &Statement| cases.iter().any(|case| cited(case).any(|known| known.id == one.id));
    let explains = |one: &Statement| one.open.is_some() || one.uncheckable.is_some() || one.missing.is_some();
    let binds = |one: &&Statement| one.binds == Party::Host && one.strength != Strength::May;
    let wrong = statements::all().iter().filter(binds).filter(|one| !explains(one) && !is_cited(one));
    let wrong: Vec<&str> = wrong.map(|one| one.id.as_str()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_status_that_is_cited_is_demanded_of_a_call() {
    let mut wrong = Vec::new();
    for case in binding().iter().filter(|case| case.module_texts().next().is_none()) {
        for version in &case.versions {
            let lowered = case.lower(*version).unwrap_or_else(|error| panic!("{}: {error:?}", case.id));
            // A plugin that is not a probe says nothing that can be read here.
            if lowered.scenario.plugins.iter().any(|plugin| plugin.guest.script().is_none()) {
                continue;
            }
            for one in cited(case).filter(|one| one.versions.contains(version)) {
                let Some((name, status)) = one.clause.split_once('/') else { continue };
                let demanded = lowered.calls.iter().any(|check| {
                    let Some(function) = check.function.filter(|function| function.is_called(name)) else {
                        return false;
                    };
                    check
                        .accept
                        .iter()
                        .all(|accept| accept.status.and_then(|s| function.status_name(s)) == Some(status))
                });
                if !demanded {
                    wrong.push(format!("{}: no call of {name} has to answer {status} ({})", case.id, one.id));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What can end a connection.
const CONNECTION_ENDS: &[&str] =
    &["client_data", "client_reset", "upstream_data", "upstream_reset", "call = \"proxy_close_stream\""];
/// What can end a stream.
const STREAM_ENDS: &[&str] = &[
    "response_headers",
    "reset",
    "send_local_response",
    "remove",
    "shutdown",
    "close_stream",
    "upstream_data",
    "client_data",
];

/// The steps in which a callback is called, by what a case writes.
const STEPS: [(&str, &[&str]); 24] = [
    ("proxy_on_request_headers", &["request_headers"]),
    ("proxy_on_request_body", &["request_body"]),
    ("proxy_on_request_trailers", &["request_trailers"]),
    ("proxy_on_response_headers", &["response_headers"]),
    ("proxy_on_response_body", &["response_body"]),
    ("proxy_on_response_trailers", &["response_trailers"]),
    ("proxy_on_new_connection", &["connect"]),
    ("proxy_on_downstream_data", &["client_data"]),
    ("proxy_on_upstream_data", &["upstream_data"]),
    ("proxy_on_downstream_connection_close", CONNECTION_ENDS),
    ("proxy_on_upstream_connection_close", CONNECTION_ENDS),
    ("proxy_on_http_call_response", &["call_response", "call_reset", "advance", "call = \"proxy_http_call\""]),
    ("proxy_on_grpc_receive_initial_metadata", &["grpc_initial_metadata", "grpc_message", "grpc_close"]),
    ("proxy_on_grpc_receive", &["grpc_message"]),
    ("proxy_on_grpc_receive_trailing_metadata", &["grpc_close"]),
    ("proxy_on_grpc_close", &["grpc_close", "grpc_reset", "advance", "call = \"proxy_grpc_"]),
    ("proxy_on_tick", &["advance"]),
    ("proxy_on_queue_ready", &["call = \"proxy_enqueue_shared_queue\""]),
    ("proxy_on_foreign_function", &["foreign_call"]),
    ("proxy_on_context_create", &["start", "request_headers", "connect"]),
    ("proxy_on_vm_start", &["start", "request_headers", "connect", "advance"]),
    ("proxy_on_configure", &["start", "request_headers", "connect", "advance", "reconfigure"]),
    ("proxy_on_done", STREAM_ENDS),
    ("proxy_on_delete", STREAM_ENDS),
];

#[test]
fn a_callback_that_is_cited_is_due() {
    let mut wrong = Vec::new();
    for case in binding().iter().filter(|case| case.module_texts().next().is_none()) {
        for one in cited(case).filter(|one| one.clause.starts_with("proxy_on_") && !one.clause.contains('/')) {
            let Some((_, steps)) = STEPS.iter().find(|(callback, _)| *callback == one.clause) else { continue };
            if !steps.iter().any(|step| case.source.contains(step)) && !case.source.contains(&one.clause) {
                wrong.push(format!("{}: nothing leads to {} ({})", case.id, one.clause, one.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
