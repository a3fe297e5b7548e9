//! Bugs that real hosts have, planted into the reference host one at a time: each is caught by a case.
//!
//! The feature that plants them is one of the tests' dependencies, not of the program.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use pw_abi::Version;

use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::case::Case;
use pw_cases::catalog;
use pw_cases::judge::judge;
use pw_cases::report::decode;
use pw_host::{Planted, plant};
use pw_reference::InProcess;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/catalog");

/// Which case is there to catch which bug: by failing, or, where the specification is silent, by another answer.
const CAUGHT_BY: &[(Planted, &str)] = &[
    (Planted::StartIgnored, "buffers/get_ranges"),
    (Planted::PrependReplaces, "buffers/set_prepend"),
    (Planted::SizesAreSigned, "buffers/get_ranges"),
    (Planted::MetricOfFourBytes, "metrics/eight_bytes"),
    (Planted::TimeOfFourBytes, "clocks/wall_clock"),
    (Planted::DuplicatesFolded, "http_fields/get_pairs_of_several"),
    (Planted::SetPairsMerges, "http_fields/set_pairs"),
    (Planted::EmptyValueRefused, "http_fields/empty_values"),
    (Planted::PartialWrite, "http_fields/bad_return_pointer_leaves_the_other"),
    (Planted::ItemLost, "shared_queues/dequeue_to_a_bad_place"),
    (Planted::MallocFirst, "memory_management/both_allocators"),
    (Planted::RecordAdds, "metrics/record_counter"),
    (Planted::ExitReturns, "unimplemented_wasi_functions/proc_exit"),
    (Planted::TrapForStatus, "http_fields/bad_keys"),
    (Planted::EmptyUnwritten, "shared_key_value_store/empty_value"),
    (Planted::OnlyTheChunk, "buffers/paused_request_chunks"),
    (Planted::UnknownContext, "context_lifecycle/effective_context_unknown"),
    (Planted::CasZeroCompared, "shared_key_value_store/set_without_comparison"),
    (Planted::CounterGoesDown, "metrics/counter_decremented"),
    (Planted::UnknownMetric, "metrics/unknown_metric"),
    (Planted::AnyLogLevel, "logging/unknown_level"),
    (Planted::ReadyForTheSender, "shared_queues/queue_ready_in_another_vm"),
    (Planted::CaseSensitive, "http_fields/key_in_another_case"),
    (Planted::VmIdIgnored, "isolation/shared_data_of_another_vm"),
    (Planted::AnswerToTheLast, "isolation/call_of_another_plugin"),
    (Planted::DeleteUnsaid, "context_lifecycle/done_log_delete"),
    (Planted::CanaryBypass, "extensions/rollout/canary_removed"),
    (Planted::CasIgnored, "shared_key_value_store/cas_mismatch"),
    (Planted::BodyTwice, "common_stream_operations/continued_body_is_not_shown_again"),
    (Planted::WrongPlaceResumed, "extensions/faults/open_beside_a_held_response"),
    (Planted::TimeoutOnAWheel, "http_calls/timeout_is_not_rounded_up"),
    (Planted::AnyVmId, "shared_queues/empty_vm_id_of_another"),
    (Planted::CompactionFolds, "http_fields/duplicates_in_a_large_map"),
    (Planted::TrailersLost, "http_fields/trailers_changed_behind_a_held_body"),
    (Planted::HeldBodyLost, "extensions/faults/open_with_a_held_body"),
    (Planted::RateOfAllStreams, "extensions/rollout/canary_faults_of_its_share"),
    (Planted::BackoffForgotten, "extensions/faults/reload_waits_longer_each_time"),
    (Planted::UpstreamStaysOpen, "http_streams/local_response_gives_the_upstream_up"),
    (Planted::ClockOfItsPrecision, "clocks/precision_changes_no_time"),
    (Planted::OthersStay, "http_fields/remove_value"),
    (Planted::DigitForNul, "http_fields/serialization"),
    (Planted::LastFieldLost, "http_calls/call"),
    (Planted::OnlyWholeBodies, "buffers/set_replace_middle"),
    (Planted::LastReaderOnly, "shared_queues/each_registrant_is_called"),
    (Planted::ReaderTwice, "extensions/faults/queue_after_a_reload"),
    (Planted::PropertyOfOne, "isolation/property_in_a_chain"),
    (Planted::LogLostOnReset, "tcp_streams/log_after_upstream_reset"),
    (Planted::LinePerPiece, "logging/fd_write_pieces"),
    (Planted::PeriodTooLate, "timers/period_replaced"),
    (Planted::AnswerStays, "http_calls/answer_is_gone_later"),
    (Planted::CloseIsFinal, "grpc_calls/closed_stream_goes_on"),
    (Planted::DefineResets, "metrics/defined_twice"),
    (Planted::OpenKeepsChanges, "faults/after_a_change"),
    (Planted::PromotedStaysLogOnly, "extensions/rollout/log_only_promoted"),
    (Planted::CallbacksUnrestricted, "extensions/capabilities/callback"),
    (Planted::HeldOffByOne, "extensions/limits/held_at_the_limit"),
    (Planted::ResumeRemembered, "common_stream_operations/continue_in_a_tick_before_a_pause"),
    (Planted::AddedTrailersLost, "http_fields/add_request_trailers"),
    (Planted::LastResponseCounts, "http_streams/local_response_twice"),
    (Planted::FailureIsEmpty, "foreign_function_interface/failing_function"),
    (Planted::EmptyAllocated, "memory_management/allocation_for_an_empty_value"),
    (Planted::OthersNotRestarted, "extensions/faults/shared_vm_reload"),
    (Planted::EmptyKeyRefused, "shared_key_value_store/empty_key"),
];

/// What no case shows in seconds: sizes and numbers of things, which the fuzz target `attack` is for and finds.
const ATTACKED: [Planted; 4] = [Planted::QuadraticMap, Planted::QueueStorm, Planted::EndlessWait, Planted::Recursion];

#[test]
fn every_planted_bug_is_caught_by_its_case() {
    let (cases, errors) = catalog::load(Path::new(CATALOG));
    assert!(errors.is_empty(), "{errors:?}");
    let mut reference = InProcess::new().expect("wasmtime runs here");
    let mut table = String::new();
    let mut missed = Vec::new();
    for bug in Planted::ALL.iter().filter(|bug| !ATTACKED.contains(bug)) {
        let (does, who) = bug.describe();
        let named = CAUGHT_BY.iter().find(|(known, _)| known == bug).map_or("none", |(_, case)| case);
        let Some(case) = cases.iter().find(|case| case.id == named) else {
            missed.push(format!("{bug:?} has no case {named}"));
            continue;
        };
        plant(None);
        let sound = answers(case, &mut reference);
        plant(Some(*bug));
        let planted = answers(case, &mut reference);
        plant(None);
        let how = match (&sound, &planted) {
            (Some(sound), Some(planted)) if sound != planted => "answers otherwise",
            (Some(_), None) => "fails",
            _ => "",
        };
        if how.is_empty() {
            missed.push(format!("{bug:?} is not caught by {named}"));
        }
        let _ = writeln!(table, "| {does} | {who} | `{named}` {how} |");
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let page = include_str!("../../reports/strength.md");
    assert!(page.contains(&table), "the table in reports/strength.md is to be\n{table}");
}

/// What each notices is printed: `--nocapture` shows it.
#[test]
#[ignore = "the whole catalog for each bug takes minutes: .ci/nightly runs it"]
fn every_planted_bug_is_noticed_by_the_whole_catalog() {
    let (cases, errors) = catalog::whole(Path::new(CATALOG));
    assert!(errors.is_empty(), "{errors:?}");
    let jobs: Vec<_> =
        cases.iter().flat_map(|case| case.versions.iter().map(move |version| (case, *version))).collect();
    let mut hosts: Vec<_> = (0..2).map(|_| InProcess::new().expect("wasmtime runs here")).collect();
    plant(None);
    let sound = verdicts(&jobs, &mut hosts);
    let mut missed = Vec::new();
    for bug in Planted::ALL.iter().filter(|bug| !ATTACKED.contains(bug)) {
        plant(Some(*bug));
        let planted = verdicts(&jobs, &mut hosts);
        plant(None);
        let pairs = jobs.iter().zip(sound.iter().zip(&planted));
        let mut noticed: Vec<_> = pairs
            .filter(|(_, (sound, planted))| sound != planted)
            .map(|((case, _), (_, planted))| (&case.id, planted.is_none()))
            .collect();
        noticed.dedup();
        println!("{bug:?}: {} {:?}", noticed.len(), &noticed[..noticed.len().min(4)]);
        if noticed.is_empty() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "no case notices {missed:?}");
}

/// The answers that the cases got; none for one that fails, or in which the host panics.
fn verdicts(jobs: &[(&Case, Version)], hosts: &mut [InProcess]) -> Vec<Option<Vec<String>>> {
    let size = jobs.len().div_ceil(hosts.len());
    thread::scope(|scope| {
        let parts = jobs.chunks(size).zip(hosts);
        let threads: Vec<_> = parts
            .map(|(jobs, host)| {
                scope.spawn(move || {
                    let mut judge =
                        |(case, version)| catch_unwind(AssertUnwindSafe(|| judged(case, version, host))).ok().flatten();
                    jobs.iter().copied().map(&mut judge).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("panics are caught")).collect()
    })
}

/// The answers that a case got in its versions; none if it fails.
fn answers(case: &Case, reference: &mut InProcess) -> Option<Vec<String>> {
    let answers = case.versions.iter().map(|version| judged(case, *version, reference));
    Some(answers.collect::<Option<Vec<_>>>()?.concat())
}

/// The answers that a case got in a version; none if it fails.
fn judged(case: &Case, version: Version, reference: &mut InProcess) -> Option<Vec<String>> {
    let lowered = case.lower(version).expect("the catalog is lowered when it is read");
    let Ok(Outcome::Ran(transcript)) = reference.run(&case.id, version, &lowered.scenario) else { return None };
    let judgement = judge(case, &lowered, &decode(transcript, &lowered.scenario));
    judgement.findings.is_empty().then_some(judgement.answers)
}
