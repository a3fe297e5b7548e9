//! The oracles can fail: every bug that is planted into the reference host is found, and shown by a case that fails with the
//! bug and passes without it. Those that take longer than a test may are on the page reports/fuzzing.md alone.
//!
//! `cargo test -p pw-fuzz --features planted --test planted`

use pw_fuzz::campaign::{Campaign, Find, NOT_SHOWN};
use pw_fuzz::keep;
use pw_host::{Planted, plant};
use pw_reference::Reference;

/// After how many inputs a bug counts as missed.
const INPUTS: u64 = 30_000;
/// Bugs that are found after more: they need several crashes in a row, at the right times.
const RARE: [Planted; 3] = [Planted::ReaderTwice, Planted::BackoffForgotten, Planted::OthersNotRestarted];
/// Bugs that no expectation of a case can show: that the allocator is not called.
const UNTOLD: [Planted; 1] = [Planted::EmptyAllocated];

#[test]
fn every_planted_bug_is_found_and_shown() {
    let host = Reference::pooled().expect("wasmtime runs here");
    let mut wrong = Vec::new();
    for bug in Planted::ALL.iter().filter(|bug| !NOT_SHOWN.contains(bug) && !RARE.contains(bug)) {
        plant(Some(*bug));
        let Some(find) = first_find(&host) else {
            wrong.push(format!("{bug:?} is not found"));
            continue;
        };
        let kept = keep::keep(&host, &find).expect("the find can be kept");
        if UNTOLD.contains(bug) {
            continue;
        }
        if !kept.reproduces {
            wrong.push(format!("{bug:?}: no case shows it\n{}", kept.text));
        }
        plant(None);
        if keep::fails(&host, &kept.text).expect("the case can be read") {
            wrong.push(format!("{bug:?}: its case fails without it\n{}", kept.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn first_find(host: &Reference) -> Option<Find> {
    let mut campaign = Campaign::new(host.clone(), 1);
    (0..INPUTS).find_map(|_| campaign.advance().expect("the probe compiles"))
}
