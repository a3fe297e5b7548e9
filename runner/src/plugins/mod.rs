//! The command `plugins`: that the catalog's compiled plugins come from their sources.

mod build;
mod manifest;

use std::path::{Path, PathBuf};

use pw_cases::files;
use pw_plugin::sha256::hex;

use crate::cli::PluginsArgs;
use crate::plugins::build::{Builder, Built};
use crate::plugins::manifest::{Manifest, Plugin};
use pw_harness::console::Console;
use pw_harness::embedded;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::invocation::program;

/// Where a clone has the manifest.
const MANIFEST: &str = "cases/plugins/manifest.toml";

/// Lists, checks or rebuilds the plugins.
pub fn run(args: &PluginsArgs, console: &Console) -> Result<Exit, HarnessError> {
    let lists = !args.check && !args.build;
    let mut manifest = match (&args.manifest, checkouts()) {
        (Some(file), _) => Manifest::read(file)?,
        (None, Some(file)) => Manifest::read(&file)?,
        (None, None) if lists => Manifest::parse(Path::new(MANIFEST), embedded::text(MANIFEST).unwrap_or_default())?,
        (None, None) => {
            let message = format!(
                "this needs a clone of the suite's repository: {MANIFEST} is neither in the current \
                folder nor in one above it. Run it in a clone, or name the file by --manifest"
            );
            return Err(HarnessError::new(message));
        }
    };
    let mut exit = Exit::Passed;
    if lists {
        manifest.plugins.iter().for_each(|plugin| console.print(&listed(plugin)));
        return Ok(exit);
    }
    let builder = Builder::new()?;
    for index in 0..manifest.plugins.len() {
        let plugin = manifest.plugins[index].clone();
        let line = if args.build {
            rebuild(&mut manifest, &plugin, &builder)?
        } else {
            let (matches, line) = check(&manifest, &plugin, &builder)?;
            exit = if matches { exit } else { Exit::Failed };
            line
        };
        console.print(&format!("{}: {line}\n", plugin.name));
    }
    Ok(exit)
}

/// The manifest of the clone that the current folder is in.
fn checkouts() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    current.ancestors().map(|folder| folder.join(MANIFEST)).find(|file| file.is_file())
}

fn listed(plugin: &Plugin) -> String {
    let Plugin { name, sdk, toolchain, target, sha256, .. } = plugin;
    format!("{name}  {sdk}  {toolchain}  {target}  {}\n", &sha256[..sha256.len().min(12)])
}

/// Whether the module is the one that the manifest means, and the one that its source gives, if that can be said.
fn check(manifest: &Manifest, plugin: &Plugin, builder: &Builder) -> Result<(bool, String), HarnessError> {
    let wasm = manifest.path(&plugin.wasm);
    let there = read(&wasm)?;
    if hex(&there) != plugin.sha256 {
        let message = format!("{} has sha256 {}, the manifest says {}", wasm.display(), hex(&there), plugin.sha256);
        return Ok((false, message));
    }
    if let Some(why) = builder.differs(manifest, plugin)? {
        return Ok((true, format!("not compared: {why}")));
    }
    let Built { wasm: built, .. } = builder.build(manifest, plugin)?;
    if built == there {
        return Ok((true, "is what its source gives".to_owned()));
    }
    let message =
        format!("its source gives another module (sha256 {}): `{} plugins --build` accepts it", hex(&built), program());
    Ok((false, message))
}

/// Builds a plugin with what is installed, and writes module and manifest.
fn rebuild(manifest: &mut Manifest, plugin: &Plugin, builder: &Builder) -> Result<String, HarnessError> {
    if let Some(why) = builder.lacks(manifest, plugin)? {
        return Err(HarnessError::new(format!("failed to build {}: {why}", plugin.name)));
    }
    let Built { wasm, toolchain, host } = builder.build(manifest, plugin)?;
    let path = manifest.path(&plugin.wasm);
    let sha256 = hex(&wasm);
    if sha256 == plugin.sha256 && read(&path).is_ok_and(|there| there == wasm) {
        return Ok("is the same as before".to_owned());
    }
    std::fs::write(&path, &wasm).map_err(|error| HarnessError::io("write", path.display(), &error))?;
    manifest.write(&plugin.name, &[("sha256", &sha256), ("toolchain", &toolchain), ("host", &host)])?;
    Ok(format!("wrote {}, sha256 {sha256}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, HarnessError> {
    files::read(path, files::MODULE).map_err(|error| HarnessError::io("read", path.display(), &error))
}
