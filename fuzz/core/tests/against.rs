//! Scenarios that are streamed into one running host show what they show alone.

use pw_abi::Version;
use pw_cases::data::Data;
use pw_cases::departure::Departure;
use pw_cases::judge::judge;
use pw_cases::known::ExpectedFailures;
use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_cases::transcript::{Event, GrpcPart, Part, Transcript};
use pw_fuzz::against::{Difference, Stream, base, case, compare, fit};
use pw_fuzz::shrink::{Reduce, shrink};
use pw_fuzz::{generate, keep};
use pw_reference::{Reference, World};

fn scenario(version: Version, seed: u64) -> Option<Scenario> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; random.usize(150..700)];
    random.fill(&mut bytes);
    fit(generate::of_version(version, &bytes), "reference", seed)
}

#[test]
fn streamed_scenarios_show_what_they_show_alone() {
    let host = Reference::new().expect("wasmtime is there");
    for version in Version::ALL {
        let mut world: Option<(World, Stream)> = None;
        let mut ran = 0;
        for (seed, scenario) in (0..250).filter_map(|seed| Some((seed, scenario(version, seed)?))) {
            let (running, stream) = world.get_or_insert_with(|| {
                let mut world = World::new();
                let base = base(&scenario, version).expect("the probe is a module");
                assert_eq!(host.start(&mut world, &base), Ok(true));
                world.events.clear();
                (world, Stream::default())
            });
            let Some(steps) = stream.steps(&scenario) else { continue };
            running.run(&steps);
            let events = std::mem::take(&mut running.events);
            let faulted = events.iter().any(|event| matches!(event, Event::Fault { .. }));
            let seen = stream.seen(Transcript { events }, &scenario).expect("the script was taken");
            let alone = decode(host.run(&scenario).expect("both views agree"), &scenario);
            let found = compare(&alone, &seen, version, "reference");
            assert!(found.is_empty(), "seed {seed}, ABI {version}: {found:#?}");
            ran += 1;
            if faulted {
                world = None;
            }
        }
        assert!(ran > 100, "{ran} scenarios for ABI {version}");
    }
}

/// The first call that is answered OK, answered otherwise.
fn spoil(transcript: &mut Transcript) -> bool {
    let call = transcript.events.iter_mut().find_map(|event| match event {
        Event::Call { status, function, .. } if *status == 0 && function.starts_with("proxy_get_") => Some(status),
        _ => None,
    });
    call.is_some_and(|status| {
        *status = 99;
        true
    })
}

#[test]
fn a_difference_is_reported_and_made_small() {
    let host = Reference::new().expect("wasmtime is there");
    let version = Version::V0_2_1;
    let show = |scenario: &Scenario| {
        let alone = decode(host.run(scenario)?, scenario);
        let mut other = alone.clone();
        Ok::<_, String>(if spoil(&mut other) { compare(&alone, &other, version, "other") } else { Vec::new() })
    };
    let mut shown = 0;
    for scenario in (0..60).filter_map(|seed| scenario(version, seed)) {
        let found = show(&scenario).expect("both views agree");
        let Some(difference) = found.first() else { continue };
        assert_eq!((found.len(), &difference.instead), (1, &Departure::Status("99".to_owned())), "{found:#?}");
        let shows = |smaller: &Scenario| Ok::<bool, String>(!show(smaller)?.is_empty());
        let small = shrink(&scenario, Reduce::Sent, 200, shows).expect("both views agree");
        let found = show(&small).expect("both views agree");
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(small.steps.len() <= scenario.steps.len());
        shown += 1;
    }
    assert!(shown > 5, "{shown} scenarios have such a call");
}

/// What went out, gone out otherwise.
fn garble(transcript: &mut Transcript, clause: &str) {
    let other = || Data::from("other");
    for event in &mut transcript.events {
        match (event, clause) {
            (Event::Upstream { stream: 0, part: Part::Body { body, .. } }, "upstream") => *body = other(),
            (Event::Client { stream: 0, part: Part::Body { body, .. } }, "client") => *body = other(),
            (Event::HttpCall { body, .. }, "callout") => *body = other(),
            (Event::Grpc { part: GrpcPart::Message { message }, .. }, "gRPC") => *message = other(),
            _ => {}
        }
    }
}

#[test]
fn the_case_of_what_goes_out_fails_where_something_else_does() {
    let host = Reference::new().expect("wasmtime is there");
    let version = Version::V0_2_1;
    let ran = |scenario: &Scenario| decode(host.run(scenario).expect("both views agree"), scenario);
    for clause in ["upstream", "client", "callout", "gRPC"] {
        let mut shown = 0;
        for scenario in (0..400).filter_map(|seed| scenario(version, seed)) {
            let alone = ran(&scenario);
            let mut other = alone.clone();
            garble(&mut other, clause);
            let found = compare(&alone, &other, version, "other");
            let Some(difference) = found.iter().find(|found| found.clause == clause && found.open.is_none()) else {
                continue;
            };
            let text = case(&scenario, difference, &alone, version);
            assert!(!keep::fails(&host, &text).expect("it can be read"), "{text}");
            let read = keep::read(&text).expect("it can be read");
            let lowered = read.lower(version).expect("it can be run");
            let mut other = ran(&lowered.scenario);
            garble(&mut other, clause);
            assert!(!judge(&read, &lowered, &other).findings.is_empty(), "{text}");
            shown += 1;
        }
        assert!(shown > 1, "{shown} scenarios in which something goes to the {clause}");
    }
}

fn callback(name: &str) -> Event {
    Event::Callback { plugin: "plugin".into(), name: name.into(), args: Vec::new() }
}

fn call(function: &str, status: u32) -> Event {
    let (plugin, function) = ("plugin".into(), function.into());
    Event::Call { plugin, function, args: Vec::new(), status, returned: Vec::new(), action: Some(1) }
}

fn client(headers: &[(&str, &str)], end_of_stream: bool) -> Event {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Event::Client { stream: 0, part: Part::Headers { headers, end_of_stream } }
}

fn callout(upstream: &str) -> Event {
    let (headers, body, trailers) = (Vec::new(), "".into(), Vec::new());
    Event::HttpCall { call: 0, upstream: upstream.into(), headers, body, trailers }
}

fn differences(one: &[Event], other: &[Event]) -> Vec<Difference> {
    let transcript = |events: &[Event]| Transcript { events: [&[Event::Step { index: 0 }], events].concat() };
    compare(&transcript(one), &transcript(other), Version::V0_2_1, "other")
}

#[test]
fn an_expected_failure_matches_a_difference_by_clause_answer_and_calls() {
    let before = [callback("proxy_on_log"), call("proxy_get_status", 0)];
    let of =
        |status| [&before[..], &[call("proxy_remove_metric", 0), call("proxy_dequeue_shared_queue", status)]].concat();
    let found = differences(&of(0), &of(1));
    assert_eq!(found.len(), 1, "{found:#?}");
    let rows = [
        ("proxy_dequeue_shared_queue/OK: NOT_FOUND", true),
        ("*: NOT_FOUND after proxy_on_log/proxy_get_status", true),
        ("proxy_dequeue_shared_queue/OK: EMPTY", false),
        ("proxy_dequeue_shared_queue/EMPTY: NOT_FOUND", false),
        ("proxy_dequeue_shared_queue/OK: NOT_FOUND after proxy_on_done/proxy_get_status", false),
    ];
    for (text, is) in rows {
        let entry = format!(
            "[[known]]\ncase = \"x\"\nclause = \"proxy_on_log\"\ndoes = \"x\"\nwhy = \"x\"\ndiffers = \"{text}\""
        );
        let failures = ExpectedFailures::parse("x.toml", &entry).unwrap_or_else(|error| panic!("{error}"));
        let mut known = failures.entries(Version::V0_2_1).flat_map(|known| &known.differs);
        assert_eq!(known.any(|known| found[0].is(known)), is, "{text}");
    }
}

#[test]
fn a_crash_is_reported_with_the_call_that_was_due_and_all_calls_before() {
    let begun = [callback("proxy_on_log"), call("proxy_get_status", 0)];
    let reference = [&begun[..], &[call("proxy_get_metric", 0)]].concat();
    let died = [&begun[..], &[Event::Died { how: "SIGSEGV".into() }]].concat();
    let found = differences(&reference, &died);
    assert_eq!(found.len(), 1, "{found:#?}");
    let crash = Departure::Crash("SIGSEGV".to_owned());
    assert_eq!((found[0].clause.as_str(), &found[0].instead), ("proxy_get_metric/OK", &crash));
    assert!(found[0].is_crash() && found[0].called.contains("proxy_on_log/proxy_get_status"), "{found:#?}");
}

#[test]
fn what_a_host_adds_to_its_own_errors_is_not_compared() {
    let (error, words) = (client(&[(":status", "503")], true), client(&[(":status", "503"), ("x-why", "me")], false));
    assert_eq!(differences(&[error], std::slice::from_ref(&words)), []);
    // A plugin's own error is.
    let own = call("proxy_send_local_response", 0);
    assert_eq!(differences(&[own.clone(), client(&[(":status", "503")], true)], &[own, words]).len(), 1);
}

#[test]
fn additional_elements_are_a_question_and_missing_ones_are_not() {
    let callback = |elements| Event::Callback {
        plugin: "plugin".into(),
        name: "proxy_on_grpc_receive_trailing_metadata".into(),
        args: vec![1, 1, elements],
    };
    let why = |one, other| {
        differences(&[callback(one)], &[callback(other)])
            .into_iter()
            .map(|found| found.open.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!((why(0, 2), why(2, 0), why(1, 3)), (vec![true], vec![false], vec![]));
}

#[test]
fn what_is_sent_right_before_a_stream_is_cut_off_may_get_lost() {
    let event = |call, part| Event::Grpc { call, part };
    let said = || GrpcPart::Message { message: "one".into() };
    let of =
        |parts: &[Event]| differences(&[event(0, said()), event(0, GrpcPart::End), event(0, GrpcPart::Reset)], parts);
    assert_eq!(of(&[event(0, GrpcPart::Reset)]), []);
    assert_eq!(of(&[event(0, said()), event(0, GrpcPart::Reset)]), []);
    assert_eq!(of(&[event(0, GrpcPart::End)]).len(), 1);
    assert_eq!(differences(&[event(0, said())], &[event(0, GrpcPart::End)]).len(), 1);
}

#[test]
fn calls_that_arrive_in_another_order_end_the_comparison() {
    let (one, two) = (callout("one"), callout("two"));
    let ended = [Event::Step { index: 1 }, callback("proxy_on_done")];
    let reference = [&[one.clone(), two.clone()], &ended[..]].concat();
    assert_eq!(differences(&reference, &[two.clone(), one.clone()]), []);
    assert_eq!(differences(&reference, &[one, two]).len(), 1);
}
