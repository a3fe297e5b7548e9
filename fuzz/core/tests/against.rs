//! Scenarios that are streamed into one running host show what they show alone.

use pw_abi::Version;
use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_cases::transcript::{Event, Transcript};
use pw_fuzz::against::{Stream, base, compare, fit, shrink};
use pw_fuzz::generate;
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
fn a_difference_is_told_and_made_small() {
    let host = Reference::new().expect("wasmtime is there");
    let version = Version::V0_2_1;
    let show = |scenario: &Scenario| {
        let alone = decode(host.run(scenario)?, scenario);
        let mut other = alone.clone();
        Ok::<_, String>(if spoil(&mut other) { compare(&alone, &other, version, "other") } else { Vec::new() })
    };
    let mut told = 0;
    for scenario in (0..60).filter_map(|seed| scenario(version, seed)) {
        let found = show(&scenario).expect("both views agree");
        let Some(difference) = found.first() else { continue };
        assert_eq!((found.len(), difference.instead.as_str()), (1, "99"), "{found:#?}");
        let shows = |smaller: &Scenario| Ok::<bool, String>(!show(smaller)?.is_empty());
        let small = shrink(&scenario, 200, shows).expect("both views agree");
        let found = show(&small).expect("both views agree");
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(small.steps.len() <= scenario.steps.len());
        told += 1;
    }
    assert!(told > 5, "{told} scenarios have such a call");
}
