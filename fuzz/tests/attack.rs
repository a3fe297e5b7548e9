//! The target `attack` can find something: bugs that this host had, and that no scenario shows, are found by its campaign.
//!
//! `cargo test -p pw-fuzz-targets --features planted --test attack`

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pw_fuzz::campaign::NOT_SHOWN;
use pw_host::Planted;

/// Seconds until a campaign ends without a find.
const TIME: &str = "300";

#[test]
fn attacks_find_what_no_scenario_shows() {
    let missed: Vec<&Planted> = NOT_SHOWN.iter().filter(|bug| !is_found(&format!("{bug:?}"))).collect();
    assert!(missed.is_empty(), "after {TIME} seconds these are not found: {missed:?}");
}

#[test]
fn an_input_that_shows_a_bug_shows_nothing_without_it() {
    let folder = folder("kept");
    let ended =
        attack(&["--plant", "CanaryBypass", "--for", TIME, "--most", "1", "--out", &folder.display().to_string()]);
    assert_eq!(ended, Some(1));
    let kept = folder.join("find-1-1");
    let kept = kept.display().to_string();
    assert_ne!(attack(&["--plant", "CanaryBypass", &kept]), Some(0), "its input shows it again");
    assert_eq!(attack(&[&kept]), Some(0));
}

/// A campaign ends with its first find.
fn is_found(bug: &str) -> bool {
    let folder = folder(bug);
    let out = folder.display().to_string();
    attack(&["--plant", bug, "--for", TIME, "--jobs", "2", "--most", "1", "--out", &out]) == Some(1)
}

/// The program's exit code; none if it died.
fn attack(args: &[&str]) -> Option<i32> {
    let ended = Command::new(env!("CARGO_BIN_EXE_attack")).args(args).output().expect("the program was built");
    ended.status.code()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("attack-{name}"));
    // What an earlier run has left is not to be found again.
    let _ = fs::remove_dir_all(&folder);
    folder
}
