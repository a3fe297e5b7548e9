//! A build of the SDK kit's plugins with one SDK: its manifest `sdk.toml`, the modules beside it, and what is known of the SDK.
//!
//! ```toml
//! sdk      = "proxy-wasm"             # its name
//! version  = "0.2.5"
//! language = "Rust"
//!
//! [plugin.headers]
//! module = "headers.wasm"             # from the manifest's folder on
//!
//! [plugin.tcp]
//! not_offered = "the SDK has no contexts for TCP (src/contexts.rs)"
//! ```
//!
//! Expected failures are in `known.toml` beside it. A folder without a manifest is one, too: its modules are called as the plugins of the kit.

use std::path::{Path, PathBuf};

use pw_cases::files;
use pw_cases::format::{self, Complaint, Error, Node, Read, meant};

use crate::error::HarnessError;
use crate::record::{Counts, Judged, Program};

/// The manifest's name.
pub const MANIFEST: &str = "sdk.toml";
/// The name of the file with expected failures.
const KNOWN: &str = "known.toml";

/// A build of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdk {
    /// The SDK's name and version.
    pub program: Program,
    /// Its language.
    pub language: String,
    /// The plugins of the kit, in its order.
    pub plugins: Vec<Plugin>,
    /// What is known of it, if there is a file.
    pub known: Option<PathBuf>,
}

/// A plugin of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name in the kit.
    pub name: String,
    /// What there is of it.
    pub offer: Offer,
}

/// What there is of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// A module.
    Module(Vec<u8>),
    /// Nothing, since the SDK cannot express it, for this reason.
    NotOffered(String),
    /// Nothing, and nobody says why.
    Missing,
}

/// How a plugin of the kit does in its cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// All of its cases pass that the host can run.
    Passes,
    /// All of its failures are expected.
    Known,
    /// There are others.
    Fails,
    /// The host can run none of its cases.
    NotRun,
    /// The SDK cannot express it.
    NotOffered,
    /// No module, and the manifest gives no reason.
    Missing,
}

impl Standing {
    /// Of a plugin that there is, by its cases.
    pub fn of(counts: Counts) -> Standing {
        match counts {
            Counts { fail, stale, error, .. } if fail + stale + error > 0 => Standing::Fails,
            Counts { known: 1.., .. } => Standing::Known,
            Counts { pass: 1.., .. } => Standing::Passes,
            _ => Standing::NotRun,
        }
    }
}

impl Sdk {
    /// The build in a folder, or of a manifest; `kit` has the names of the kit's plugins.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be read, or it says what cannot be.
    pub fn read(path: &Path, kit: &[&str]) -> Result<Sdk, HarnessError> {
        let (folder, manifest) = match path.is_dir() {
            true => (path, path.join(MANIFEST)),
            false => (path.parent().unwrap_or(Path::new("")), path.to_owned()),
        };
        let mut sdk = match path.is_dir() && !manifest.exists() {
            true => Sdk::unnamed(folder, kit)?,
            false => Sdk::listed(folder, &manifest, kit)?,
        };
        let modules = sdk.plugins.iter().filter(|plugin| matches!(plugin.offer, Offer::Module(_))).count();
        if modules == 0 && manifest.exists() {
            let message = format!(
                "{}: it names no module yet: build a plugin of the SDK kit, and remove the `#` of its entry",
                manifest.display()
            );
            return Err(HarnessError::new(message));
        }
        if modules == 0 {
            let message = format!(
                "{}: no plugin of the SDK kit is here: it takes a manifest `{MANIFEST}`, or a folder with modules that are \
                 called as the kit's plugins, such as `headers.wasm` (`pw-conform init sdk` writes both down)",
                path.display()
            );
            return Err(HarnessError::new(message));
        }
        sdk.known = Some(folder.join(KNOWN)).filter(|file| file.exists());
        Ok(sdk)
    }

    /// The modules that a folder has, by the names of files.
    fn unnamed(folder: &Path, kit: &[&str]) -> Result<Sdk, HarnessError> {
        let offer = |name: &str| {
            let file = folder.join(format!("{name}.wasm"));
            if !file.exists() {
                return Ok(Offer::Missing);
            }
            let read = files::read(&file, files::MODULE);
            read.map(Offer::Module).map_err(|error| HarnessError::io("read", file.display(), &error))
        };
        let plugin = |name: &&str| Ok(Plugin { name: (*name).to_owned(), offer: offer(name)? });
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Ok(Sdk {
            program: Program { name: name.unwrap_or_default(), version: String::new() },
            language: String::new(),
            plugins: kit.iter().map(plugin).collect::<Result<_, HarnessError>>()?,
            known: None,
        })
    }

    fn listed(folder: &Path, manifest: &Path, kit: &[&str]) -> Result<Sdk, HarnessError> {
        let shown = manifest.display().to_string();
        if manifest.extension().is_some_and(|extension| extension == "wasm") {
            return Err(HarnessError::new(format!("{shown}: this is a module, and no manifest: give its folder")));
        }
        let source = files::text(manifest, files::TEXT).map_err(|error| HarnessError::io("read", &shown, &error))?;
        parse(&source, folder, kit)
            .map_err(|Complaint { line, message }| HarnessError::new(Error { file: shown, line, message }.to_string()))
    }

    /// The modules, by the plugins' names.
    pub fn modules(&self) -> Vec<(String, Vec<u8>)> {
        let module = |plugin: &Plugin| match &plugin.offer {
            Offer::Module(module) => Some((plugin.name.clone(), module.clone())),
            Offer::NotOffered(_) | Offer::Missing => None,
        };
        self.plugins.iter().filter_map(module).collect()
    }

    /// Why a plugin has no cases to run. `name` is the plugin's, or the id of one of its cases.
    pub fn why_not(&self, name: &str) -> Option<String> {
        let name = name.split('/').next().unwrap_or_default();
        match &self.plugins.iter().find(|plugin| plugin.name == name)?.offer {
            Offer::Module(_) => None,
            Offer::NotOffered(why) => Some(format!("the plugin `{name}` is not offered: {why}")),
            Offer::Missing => Some(format!(
                "the plugin `{name}` has no module: its entry in `{MANIFEST}` is missing or still a comment, or {name}.wasm is not there"
            )),
        }
    }

    /// What a record says of it.
    pub fn judged(&self, part: bool) -> Judged {
        let Program { name, version } = self.program.clone();
        let mut judged = Judged { name, version, language: self.language.clone(), part, ..Judged::default() };
        for Plugin { name, offer } in &self.plugins {
            match offer {
                Offer::Module(_) => {}
                Offer::NotOffered(why) => drop(judged.not_offered.insert(name.clone(), why.clone())),
                Offer::Missing => judged.missing.push(name.clone()),
            }
        }
        judged
    }
}

fn parse(source: &str, folder: &Path, kit: &[&str]) -> Read<Sdk> {
    let root = format::read(source)?;
    let table = root.table(&["sdk", "version", "language", "plugin"])?;
    let text = |key: &str| table.need(key)?.text().map(str::to_owned);
    let entries = table.find("plugin").map_or(Ok(&[][..]), Node::entries)?;
    if let Some((name, node)) = entries.iter().find(|(name, _)| !kit.contains(&name.as_str())) {
        return node.complain(format!("the kit has no plugin `{name}`{}", meant(name, kit.iter().copied())));
    }
    let plugin = |name: &str| {
        let entry = entries.iter().find(|(known, _)| known == name);
        let offer = entry.map_or(Ok(Offer::Missing), |(_, node)| offer(node, folder))?;
        Ok(Plugin { name: name.to_owned(), offer })
    };
    Ok(Sdk {
        program: Program { name: text("sdk")?, version: text("version")? },
        language: text("language")?,
        plugins: kit.iter().map(|name| plugin(name)).collect::<Read<_>>()?,
        known: None,
    })
}

fn offer(node: &Node, folder: &Path) -> Read<Offer> {
    let table = node.table(&["module", "not_offered"])?;
    match (table.find("module"), table.find("not_offered")) {
        (Some(module), None) => {
            let name = module.text()?;
            let read = files::read(&folder.join(name), files::MODULE);
            read.map(Offer::Module)
                .or_else(|error| module.complain(format!("failed to read the module {name}: {error}")))
        }
        (None, Some(why)) if !why.text()?.trim().is_empty() => Ok(Offer::NotOffered(why.text()?.trim().to_owned())),
        (None, Some(why)) => {
            why.complain("this is empty: write what of the SDK shows that it cannot express the plugin")
        }
        _ => node.complain("a plugin has one of `module` and `not_offered`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "sdk = \"s\"\nversion = \"1\"\nlanguage = \"L\"\n";

    #[test]
    fn a_manifest_is_read_with_what_the_kit_has_besides() {
        let folder = std::env::temp_dir().join(format!("pw-harness-sdk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
        std::fs::write(folder.join("a.wasm"), [1]).expect("it was made");
        let source = format!("{HEAD}[plugin.a]\nmodule = \"a.wasm\"\n[plugin.b]\nnot_offered = \"no b (src/b)\"\n");
        let read = parse(&source, &folder, &["a", "b", "c"]);
        std::fs::remove_dir_all(&folder).expect("it was made");
        let offers = read.ok().map(|sdk| sdk.plugins.into_iter().map(|plugin| plugin.offer).collect::<Vec<_>>());
        let expected = vec![Offer::Module(vec![1]), Offer::NotOffered("no b (src/b)".to_owned()), Offer::Missing];
        assert_eq!(offers, Some(expected));
    }

    #[test]
    fn what_a_manifest_cannot_say_is_an_error_with_its_line() {
        let rows = [
            ("[plugin.hedaers]\nmodule = \"a.wasm\"\n", 4, "the kit has no plugin `hedaers`, did you mean `headers`?"),
            ("[plugin.headers]\n", 4, "a plugin has one of `module` and `not_offered`"),
            ("[plugin.headers]\nnot_offered = \" \"\n", 5, "this is empty"),
            ("[plugin.headers]\nmodule = \"nothing.wasm\"\n", 5, "failed to read the module nothing.wasm: "),
        ];
        for (text, line, message) in rows {
            let error = parse(&format!("{HEAD}{text}"), Path::new("nowhere"), &["headers"]).expect_err("it is wrong");
            assert!(error.message.starts_with(message) && error.line == line, "{}: {}", error.line, error.message);
        }
    }
}
