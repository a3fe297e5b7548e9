//! The program `sidecar`: reads the file of configuration that it is given, and serves until it gets SIGTERM or SIGINT.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), None) = (args.next(), args.next()) else {
        eprintln!("usage: sidecar FILE, where FILE is a configuration in JSON");
        return ExitCode::from(2);
    };
    match pw_sidecar::serve::run_file(Path::new(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
