//! Whatever the reference host answers to open questions, it passes the catalog: the acceptable answers in it are complete.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::case::Case;
use pw_cases::catalog;
use pw_cases::scenario::Scenario;
use pw_harness::attempt::{Attempt, attempt};
use pw_harness::plan::Job;
use pw_harness::survey::Survey;
use pw_host::Choices;
use pw_reference::InProcess;

/// Seeds of random answers.
const SEEDS: u64 = 20;

fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cases/catalog");
    let (cases, errors) = catalog::whole(Path::new(folder));
    assert!(errors.is_empty(), "{errors:#?}");
    cases
}

/// A case for a version, as the host that answers as usual runs it.
struct Usual<'a> {
    case: &'a Case,
    version: Version,
    scenario: Scenario,
    outcome: Outcome,
}

/// All cases, as the host that answers as usual runs them, which the tests of the catalog judge.
fn usual(cases: &[Case]) -> Vec<Usual<'_>> {
    let mut reference = InProcess::with_choices(Choices::default()).expect("wasmtime runs here");
    let jobs = cases.iter().flat_map(|case| case.versions.iter().map(move |version| (case, *version)));
    let mut run = |(case, version): (&'_ Case, Version)| {
        let scenario = case.lower(version).map_err(|error| error.message).expect("it can be run").scenario;
        let outcome = reference.run(&case.id, version, &scenario).expect("the reference host runs it");
        (scenario, outcome)
    };
    let mut usual = Vec::new();
    for (case, version) in jobs {
        let (scenario, outcome) = run((case, version));
        usual.push(Usual { case, version, scenario, outcome });
    }
    usual
}

/// What fails with these answers, each in a line, and how many cases are not run as usual. What is run as usual is judged as usual.
fn outcome<'a>(cases: impl IntoIterator<Item = &'a Usual<'a>>, choices: Choices) -> (Vec<String>, usize) {
    let mut reference = InProcess::with_choices(choices).expect("wasmtime runs here");
    let (mut failures, mut others) = (Vec::new(), 0);
    for Usual { case, version, scenario, outcome } in cases {
        if reference.run(&case.id, *version, scenario).is_ok_and(|ran| ran == *outcome) {
            continue;
        }
        others += 1;
        let job = Job { case, target: &case.id, version: *version };
        let why =
            match attempt(job, &mut reference, &Survey::default()) {
                Attempt::Judged(_, judgement) => judgement.findings.into_iter().next().map(|finding| {
                    format!("{}: expected {}, found {}", finding.about(), finding.expected, finding.actual)
                }),
                _ => Some("it did not run".to_owned()),
            };
        failures.extend(why.map(|why| format!("{} in ABI v{version} with {choices}: {why}", case.id)));
    }
    (failures, others)
}

/// The catalog with each of these answers, two at a time. None fails. How many cases are not run as usual with each.
#[track_caller]
fn check(all: &[Choices]) -> Vec<usize> {
    let cases = cases();
    let cases = usual(&cases);
    let half = all.len().div_ceil(2).max(1);
    let outcomes: Vec<(Vec<String>, usize)> = thread::scope(|scope| {
        let run = |some: &[Choices]| some.iter().map(|choices| outcome(&cases, *choices)).collect::<Vec<_>>();
        let halves: Vec<_> = all.chunks(half).map(|some| scope.spawn(move || run(some))).collect();
        halves.into_iter().flat_map(|half| half.join().expect("no case panics")).collect()
    });
    let (failures, others): (Vec<_>, Vec<_>) = outcomes.into_iter().unzip();
    let failures = failures.concat();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    others
}

/// The usual answers but for this one.
fn turned(name: &str) -> Choices {
    let mut choices = Choices::default();
    let choice = choices.get_mut(name).expect("it has that name");
    *choice = !*choice;
    choices
}

/// The sections of the catalog that ask the questions of a choice hold with the other answer, too.
#[test]
fn the_sections_of_a_choice_hold_with_it_turned() {
    let cases = cases();
    let usual = usual(&cases);
    let mut asked = 0;
    for (name, docs) in Choices::NAMES.iter().zip(Choices::DOCS) {
        let is_named = |case: &Case| docs.iter().any(|line| line.contains(&format!("`{}`", case.id)));
        let section = |case: &Case| case.id.split('/').next().map(str::to_owned);
        let named = || usual.iter().filter(|usual| is_named(usual.case));
        let sections: BTreeSet<_> = named().map(|usual| section(usual.case)).collect();
        if sections.is_empty() {
            continue;
        }
        asked += 1;
        assert!(outcome(named(), turned(name)).1 > 0, "no case that the documentation of {name} names notices it");
        let near = usual.iter().filter(|usual| sections.contains(&section(usual.case)));
        let (failures, _) = outcome(near, turned(name));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
    assert!(asked >= 50, "only {asked} choices name cases");
}

#[test]
#[ignore = "it takes minutes: .ci/nightly runs it"]
fn the_catalog_holds_with_each_choice_turned() {
    let all: Vec<Choices> = Choices::NAMES.iter().map(|name| turned(name)).collect();
    for (choices, others) in all.iter().zip(check(&all)) {
        assert!(others > 0, "no case notices {choices}");
    }
}

#[test]
#[ignore = "it takes minutes: .ci/nightly runs it"]
fn the_catalog_holds_with_choices_at_random() {
    check(&(0..SEEDS).map(Choices::drawn).collect::<Vec<_>>());
}
