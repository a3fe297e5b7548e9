//! The fuzz targets: for each a function that takes any bytes, and panics if an invariant is violated.
//!
//! `cargo fuzz run TARGET` looks for such bytes. Each target also runs over seeded inputs in `cargo test`, and its program,
//! built without cargo-fuzz, runs the files that it is given. What the program needs, too, is in `pw_fuzz`.

mod attack;
mod check;
pub mod dictionary;
mod hostcall;
mod judged;
mod module;
mod plugin_events;
mod property_path;
mod protocol;
mod relay;
mod replay;
pub mod seeds;
mod streams;

use pw_fuzz::{generate, oracle};

pub use crate::attack::{attack, campaign};
pub use crate::check::check;
pub use crate::hostcall::hostcall;
use crate::judged::{host, none, predicted};
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

#[cfg(test)]
mod tests;
