//! Every target over seeded inputs and over its seeds, on stable; and what belongs to a target is there.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::judged::inputs;
use crate::{TARGETS, dictionary};

/// How many inputs each target looks at: half of them random, half made of its seeds.
const INPUTS: u64 = 200;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = folder().join("corpus").join(target);
    let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a seed can be read")).collect()
}

/// Some bytes of an input, changed.
fn changed(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    for _ in 0..random.usize(1..4) {
        let place = random.usize(..=bytes.len());
        match random.u8(..3) {
            0 => bytes.insert(place, random.u8(..)),
            1 => bytes.truncate(place.max(bytes.len() / 2)),
            _ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte = random.u8(..)),
        }
    }
    bytes
}

#[track_caller]
fn holds(target: &str) {
    let (_, oracle) = TARGETS.into_iter().find(|(name, _)| *name == target).expect("there is such a target");
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| oracle(seed));
    inputs(INPUTS / 2).for_each(|bytes| oracle(&bytes));
    let mut random = Rng::with_seed(1);
    let from = (0..INPUTS as usize / 2).map(|number| seeds[number % seeds.len()].clone());
    from.for_each(|seed| oracle(&changed(seed, &mut random)));
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name));
            }
        )+

        #[test]
        fn each_target_is_tested_and_is_a_program() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),+]);
            let manifest = include_str!("../Cargo.toml");
            for (name, _) in TARGETS {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
                let program = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap_or_default();
                assert!(program.contains(&format!("target!(pw_fuzz_targets::{name})")), "{name}");
            }
        }
    };
}

targets! { scenario hostcall pairs case_text property_path module plugin_events isolation protocol check }

#[test]
fn dictionaries_are_what_they_would_be() {
    for (name, _) in TARGETS {
        let file = folder().join(format!("dictionaries/{name}.dict"));
        let found = fs::read_to_string(&file).ok();
        assert_eq!(found, dictionary::of(name), "{}: run `{}`", file.display(), dictionary::COMMAND);
    }
}

#[test]
fn seeds_are_small() {
    let sizes = TARGETS.iter().flat_map(|(name, _)| seeds(name)).map(|seed| seed.len());
    let (count, sum) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
    assert!(sum < 300 << 10, "{count} seeds, {sum} bytes");
}
