//! The command `check`: what is wrong with modules, seen without running or compiling them.
//!
//! [`inspect`] holds a module's imports and exports against the table, [`weigh`] decides what hosts do with what was
//! found, by the rules in [`hosts`]; the rest shows it.

pub mod finding;
pub mod hosts;
pub mod inspect;
mod render;
mod report;
pub mod weigh;

use std::path::{Path, PathBuf};

use clap::Args;

use pw_abi::Version;
use pw_cases::files;
use pw_host::{Engine, Interface, Metering, ModuleError};

use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;

use crate::check::finding::Finding;
use crate::check::report::{Checked, Report};
use crate::check::weigh::Outlook;

/// The version for which a module is checked that names none.
const ASSUMED: Version = Version::V0_2_1;

/// The plugins to check.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The plugins
    #[arg(value_name = "PLUGIN.wasm", required = true)]
    pub plugins: Vec<PathBuf>,
    /// Print an array of objects
    #[arg(long)]
    pub json: bool,
}

/// Checks modules, and prints what was found.
///
/// # Errors
///
/// A file cannot be read as a module.
pub fn run(args: &CheckArgs, console: &Console) -> Result<Exit, HarnessError> {
    let engine = Engine::new(Metering::None);
    let engine = engine.map_err(|error| HarnessError::new(format!("failed to set up wasmtime: {error:#}")))?;
    let checked: Vec<Checked> = args.plugins.iter().map(|file| check(file, &engine)).collect();
    console.print(&if args.json { render::json(&checked) } else { render::text(&checked) });
    let reports = || checked.iter().map(|checked| &checked.report);
    reports().filter_map(|report| report.as_ref().err()).for_each(|error| console.error(&error.to_string()));
    Ok(match () {
        () if reports().any(Result::is_err) => Exit::Broken,
        () if reports().flatten().any(|report| report.errors() > 0) => Exit::Failed,
        () => Exit::Passed,
    })
}

fn check(file: &Path, engine: &Engine) -> Checked {
    let shown = file.display().to_string();
    let wasm = files::read(file, files::MODULE).map_err(|error| HarnessError::io("read", &shown, &error));
    let report = wasm.and_then(|wasm| examine(&shown, &wasm, engine));
    Checked { file: shown, report }
}

fn examine(shown: &str, wasm: &[u8], engine: &Engine) -> Result<Report, HarnessError> {
    match Interface::read(wasm) {
        Ok(interface) => Ok(report(&interface, engine.validate(wasm).err())),
        // Its imports and exports are not looked at.
        Err(limit @ ModuleError::Limit { .. }) => Ok(beyond(&limit)),
        Err(error) => Err(unreadable(shown, wasm, &error)),
    }
}

/// The result of a check, for callers that have the module in memory.
#[derive(Clone, Debug)]
pub struct CheckOutput {
    /// The reference host does not load it.
    pub refused: bool,
    /// In words.
    pub text: String,
    /// In JSON.
    pub json: String,
}

/// Checks the bytes of a module that goes by that name. An error says why they are none.
pub fn check_bytes(name: &str, wasm: &[u8], engine: &Engine) -> Result<CheckOutput, HarnessError> {
    let report = examine(name, wasm, engine)?;
    let refused = report.findings.iter().any(|finding| finding.refused_by.contains(&inspect::REFERENCE));
    let checked = [Checked { file: name.to_owned(), report: Ok(report) }];
    Ok(CheckOutput { refused, text: render::text(&checked), json: render::json(&checked) })
}

fn report(interface: &Interface, invalid: Option<ModuleError>) -> Report {
    let markers = interface.markers();
    let mut versions = if markers.is_empty() { vec![ASSUMED] } else { markers.clone() };
    versions.sort();
    let mut findings: Vec<Finding> = invalid.iter().map(inspect::invalid).collect();
    findings.extend(inspect::inspect(interface, &versions));
    let others: Vec<Outlook> =
        hosts::HOSTS.iter().map(|host| weigh::by_rules(host, interface, &mut findings)).collect();
    let mut hosts = vec![weigh::reference(interface, &findings)];
    hosts.extend(others);
    // Errors first; otherwise in the order in which they were found.
    findings.sort_by_key(|finding| !finding.is_error());
    let (imports, exports) = (interface.imports.len(), interface.exports.len());
    Report { markers, versions, imports, exports, findings, hosts }
}

/// What is said of a module that is too large in some way to be looked at.
fn beyond(limit: &ModuleError) -> Report {
    let findings = vec![inspect::invalid(limit)];
    let hosts = vec![weigh::reference(&Interface::default(), &findings)];
    Report { markers: Vec::new(), versions: vec![ASSUMED], imports: 0, exports: 0, findings, hosts }
}

/// Why a file is not a module, and the way out.
fn unreadable(file: &str, wasm: &[u8], error: &ModuleError) -> HarnessError {
    let text = std::str::from_utf8(wasm).map(str::trim_start).unwrap_or_default();
    HarnessError::new(match error {
        _ if wasm.is_empty() => format!("{file} is empty: build the plugin again"),
        _ if text.starts_with('(') || text.starts_with(";;") => {
            format!("{file} is WebAssembly in its text format: assemble it first, with `wat2wasm` for instance")
        }
        _ if !wasm.starts_with(b"\0asm") => {
            format!(
                "{file} is not a WebAssembly module, which begins with the bytes `\\0asm`: give the compiled plugin"
            )
        }
        ModuleError::Component => format!("{file} is {error}"),
        error => format!("failed to read {file}, {error}; if it is truncated, copy it or build it again"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a line of a report could be one that the module had made up.
    #[test]
    fn a_name_cannot_pass_for_a_line() {
        let engine = Engine::new(Metering::None).expect("wasmtime runs here");
        let text = r#"(module (func (export "proxy_on_x\0a\1b[2Jx.wasm: ABI v0.2.1, 0 errors")))"#;
        let output = check_bytes("x.wasm", &wat::parse_str(text).expect("the text is a module"), &engine)
            .expect("it can be read");
        assert!(output.text.contains("proxy_on_x\u{fffd}\u{fffd}[2Jx.wasm: ABI v0.2.1, 0 errors"), "{}", output.text);
        assert_eq!(output.text.lines().filter(|line| line.starts_with("x.wasm: ")).count(), 1, "{}", output.text);
    }
}
