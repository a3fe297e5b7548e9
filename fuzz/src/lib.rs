//! The fuzz targets: for each a function that takes any bytes, and panics if an invariant is violated.
//!
//! `cargo fuzz run TARGET` looks for such bytes. Each target also runs over seeded inputs in `cargo test`, and its program,
//! built without cargo-fuzz, runs the files that it is given. What the program needs, too, is in `pw_fuzz`.

mod attack;
mod check;
pub mod dictionary;
mod hostcall;
mod module;
mod plugin_events;
mod property_path;
mod protocol;
mod relay;
mod replay;
pub mod seeds;
mod streams;

use std::sync::{Arc, LazyLock};

use pw_cases::scenario::Scenario;
use pw_fuzz::drive::silence;
use pw_fuzz::model::Finding;
use pw_fuzz::{generate, oracle, print};
use pw_reference::Reference;

pub use crate::attack::{attack, campaign};
pub use crate::check::check;
pub use crate::hostcall::hostcall;
pub use crate::module::module;
pub use crate::plugin_events::plugin_events;
pub use crate::property_path::property_path;
pub use crate::protocol::protocol;
pub use crate::replay::Oracle;
#[doc(hidden)]
pub use crate::replay::replay;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// The targets, by name, but for `attack`, which has its own campaign.
pub const TARGETS: [(&str, Oracle); 10] = [
    ("scenario", scenario),
    ("hostcall", hostcall),
    ("pairs", pairs),
    ("case_text", case_text),
    ("property_path", property_path),
    ("module", module),
    ("plugin_events", plugin_events),
    ("isolation", isolation),
    ("protocol", protocol),
    ("check", check),
];

/// One of them as a program.
#[macro_export]
macro_rules! target {
    ($oracle:path) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $oracle(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::replay($oracle)
        }
    };
}

static HOST: LazyLock<Result<Reference, String>> = LazyLock::new(Reference::pooled);

fn host() -> &'static Reference {
    HOST.as_ref().expect("wasmtime runs wherever this is built")
}

/// What the model of the ABI says of the scenario that the bytes stand for.
pub fn scenario(bytes: &[u8]) {
    predicted(generate::scenario(bytes));
}

/// What the model cannot see: that the probes report what the host saw, that a second run takes the same course, and that
/// plugins do not notice a hostile one beside them.
pub fn isolation(bytes: &[u8]) {
    let scenario = generate::scenario(bytes);
    none(&scenario, oracle::beyond(host(), &scenario));
}

/// Bytes that are a serialised map come out again as they went in.
pub fn pairs(bytes: &[u8]) {
    pw_fuzz::pairs(bytes);
}

/// Any text is a case, or an error that names one of its lines.
pub fn case_text(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        pw_fuzz::case_text(text);
    }
}

/// The host does what the model says.
fn predicted(mut scenario: Scenario) {
    silence(&mut scenario, true);
    let scenario = Arc::new(scenario);
    let verdict = oracle::model(host(), &scenario).expect("the probe compiles");
    none(&scenario, verdict.findings);
}

#[track_caller]
fn none(scenario: &Scenario, findings: Vec<Finding>) {
    if let Some(Finding { about, message, .. }) = findings.first() {
        panic!("{about}: {message}, in this case:\n{}", print::any(scenario));
    }
}

/// Seeded inputs, of different sizes.
pub(crate) fn inputs(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = vec![0; random.usize(0..600)];
        random.fill(&mut bytes);
        bytes
    })
}

#[cfg(test)]
mod tests;
