//! Builds plugins as the manifest says, in a folder that is gone afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pw_cases::files;

use crate::plugins::manifest::{Manifest, Plugin};
use pw_harness::error::HarnessError;

/// Builds plugins. What it leaves behind goes with it.
#[derive(Debug)]
pub(super) struct Builder {
    folder: PathBuf,
}

/// A plugin, built.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) wasm: Vec<u8>,
    /// As the manifest names it: `rustc 1.95.0`.
    pub(super) toolchain: String,
    /// The toolchain's own target.
    pub(super) host: String,
}

impl Builder {
    pub(super) fn new() -> Result<Builder, HarnessError> {
        let folder = std::env::temp_dir().join(format!("pw-conform-plugins-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| HarnessError::io("make the folder", folder.display(), &error))?;
        Ok(Builder { folder })
    }

    /// Why a module that is built here cannot be compared with the one that is there.
    pub(super) fn differs(&self, manifest: &Manifest, plugin: &Plugin) -> Result<Option<String>, HarnessError> {
        let rustc = match Rustc::ask(&manifest.path(&plugin.source)) {
            Ok(rustc) => rustc,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let Plugin { toolchain, host, .. } = plugin;
        if rustc.toolchain != *toolchain || rustc.host != *host {
            let here = format!("{} on {}", rustc.toolchain, rustc.host);
            return Ok(Some(format!("here is {here}, and the module was built by {toolchain} on {host}")));
        }
        self.lacks(manifest, plugin)
    }

    /// Why a plugin cannot be built here.
    pub(super) fn lacks(&self, manifest: &Manifest, plugin: &Plugin) -> Result<Option<String>, HarnessError> {
        let rustc = Rustc::ask(&manifest.path(&plugin.source))?;
        let target = &plugin.target;
        let there = Path::new(&rustc.sysroot).join("lib/rustlib").join(target).is_dir();
        let missing = || format!("the target {target} is not installed: `rustup target add {target}`");
        Ok((!there).then(missing))
    }

    pub(super) fn build(&self, manifest: &Manifest, plugin: &Plugin) -> Result<Built, HarnessError> {
        let source = manifest.path(&plugin.source);
        let rustc = Rustc::ask(&source)?;
        let build = self.folder.to_string_lossy().into_owned();
        let crates = crates(&source)?;
        let fill = |text: &str| {
            let text = text.replace("{build}", &build).replace("{crates}", &crates);
            text.replace("{sysroot}", &rustc.sysroot).replace("{commit}", &rustc.commit)
        };
        let words: Vec<String> = plugin.command.iter().map(|word| fill(word)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(plugin.environment.iter().map(|(name, value)| (name, fill(value))));
        output(&mut command, &source)?;
        let path = PathBuf::from(fill(&plugin.output));
        let path = if path.is_absolute() { path } else { source.join(path) };
        let wasm =
            files::read(&path, files::MODULE).map_err(|error| HarnessError::io("read", path.display(), &error))?;
        Ok(Built { wasm, toolchain: rustc.toolchain, host: rustc.host })
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // What is left lies in a folder for what may be left.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What rustc says of itself.
#[derive(Debug)]
struct Rustc {
    toolchain: String,
    host: String,
    commit: String,
    sysroot: String,
}

impl Rustc {
    fn ask(folder: &Path) -> Result<Rustc, HarnessError> {
        let version = output(Command::new("rustc").arg("-vV"), folder)?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]), folder)?;
        Ok(Rustc {
            toolchain: format!("rustc {}", field("release")),
            host: field("host"),
            commit: field("commit-hash"),
            sysroot: sysroot.trim().to_owned(),
        })
    }
}

/// The folder of the unpacked dependencies.
fn crates(source: &Path) -> Result<String, HarnessError> {
    let mut command = Command::new("cargo");
    let text = output(command.args(["metadata", "--locked", "--format-version", "1"]), source)?;
    let metadata: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| HarnessError::new(format!("failed to read what `cargo metadata` says: {error}")))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages.filter(|package| package["source"].is_string()).find_map(|it| it["manifest_path"].as_str());
    let folder = manifest.and_then(|path| Path::new(path).ancestors().nth(2));
    Ok(folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default())
}

/// The standard output of a command that succeeds.
fn output(command: &mut Command, folder: &Path) -> Result<String, HarnessError> {
    let name = format!("`{}`", command.get_program().to_string_lossy());
    let output = command.current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| HarnessError::io("run", &name, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors.lines().collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n  ");
    Err(HarnessError::new(format!("{name} failed in {}: {}\n  {last}", folder.display(), output.status)))
}
