//! The kit with a host that is as unlike Envoy as possible: configured by a file, started for each scenario, one log for all
//! plugins, no metrics, no PROXY line. The host is a proxy on `hyper` of about a hundred lines, without any Wasm: a plugin
//! only logs what it sees.
//!
//! This program is the tests, the adapter (`adapter`), the adapter's guard, and the host (`host FILE`).

mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use pw_adapter_kit::{guard, program};

use support::target::Fake;
use support::{host, tests};

fn main() -> ExitCode {
    if let Some(exit) = guard::become_guarded() {
        return exit;
    }
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("adapter"), None) => {
            program::run(Box::new(Fake)).expect("standard input and output work");
            return ExitCode::SUCCESS;
        }
        (Some("host"), Some(file)) => return host::run(&file),
        _ => {}
    }
    let trials = tests::ALL.iter().map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
