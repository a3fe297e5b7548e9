//! The catalog holds on the reference host: every expectation of every case, hand-written and generated, in each of its versions;
//! and where the specification is silent, the answer is the one that is on record.

use std::collections::BTreeMap;
use std::path::Path;

use pw_cases::catalog;
use pw_harness::attempt::{Attempt, attempt};
use pw_harness::plan::Job;
use pw_harness::record::Record;
use pw_harness::survey::Survey;
use pw_host::{Choices, Compiler, EngineConfig, Metering};
use pw_reference::{InProcess, Reference};

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cases/catalog");

#[test]
fn the_catalog_holds() {
    holds(InProcess::new().expect("wasmtime runs here"), false);
}

/// What an event leaves for later, as it may run only one callback of each plugin, is done later, and is the same; but what is
/// done for plugins that know nothing of each other may come in another order.
#[test]
fn the_catalog_holds_callback_by_callback() {
    let host = Reference::new().expect("wasmtime runs here").with_callbacks_per_event(1);
    holds(InProcess::of(host, Choices::default()), true);
}

fn holds(mut reference: InProcess, in_any_order: bool) {
    let (cases, errors) = catalog::whole(Path::new(CATALOG));
    assert!(errors.is_empty(), "{errors:#?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/reference.jsonl");
    let record = Record::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let on_record: BTreeMap<(&str, &str), &Option<String>> =
        record.cases.iter().map(|case| ((case.id.as_str(), case.abi.as_str()), &case.answer)).collect();
    for (case, version) in cases.iter().flat_map(|case| case.versions.iter().map(move |version| (case, *version))) {
        let Attempt::Judged(_, judgement) =
            attempt(Job { case, target: &case.id, version }, &mut reference, &Survey::default())
        else {
            panic!("{} did not run in ABI v{version}", case.id);
        };
        assert!(judgement.findings.is_empty(), "{} fails in ABI v{version}: {:#?}", case.id, judgement.findings);
        let answer = (!judgement.answers.is_empty()).then(|| judgement.answers.join("; "));
        let recorded = on_record.get(&(case.id.as_str(), version.name()));
        let recorded = recorded.unwrap_or_else(|| panic!("{} in ABI v{version} is not on record", case.id));
        let is_order =
            |answer: &Option<String>| answer.as_ref().is_some_and(|answer| answer.starts_with("callbacks: "));
        if !(in_any_order && is_order(&answer) && is_order(recorded)) {
            assert_eq!(answer, **recorded, "{} in ABI v{version} answers otherwise than on record", case.id);
        }
    }
}

/// Which compiler makes the code changes nothing: not even where fuel ends a loop, for a plugin that is stopped does
/// nothing that is seen after that.
#[test]
fn both_compilers_do_the_same() {
    let (cases, _) = catalog::whole(Path::new(CATALOG));
    let host = |compiler| {
        let config = EngineConfig { metering: Metering::Fuel, compiler, ..EngineConfig::default() };
        Reference::with_config(&config).unwrap_or_else(|error| panic!("{error}"))
    };
    let (cranelift, winch) = (host(Compiler::Cranelift), host(Compiler::Winch));
    for (case, version) in cases.iter().flat_map(|case| case.versions.iter().map(move |version| (case, *version))) {
        let lowered = case.lower(version).expect("the catalog is lowered when it is read");
        let transcript = |host: &pw_reference::Reference| {
            host.run(&lowered.scenario)
                .unwrap_or_else(|error| panic!("{} in ABI v{version}: {error}", case.id))
                .to_string()
        };
        assert_eq!(transcript(&cranelift), transcript(&winch), "{} in ABI v{version}", case.id);
    }
}
