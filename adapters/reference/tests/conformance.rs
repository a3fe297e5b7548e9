//! The catalog on the reference host, a test per case.

use std::process::ExitCode;

use pw_harness::suite::suite;
use pw_reference::InProcess;

fn main() -> ExitCode {
    suite(|| InProcess::new().expect("wasmtime runs where this is built"))
}
