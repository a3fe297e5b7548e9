//! The manifest of compiled plugins: what its head comment says, read; and written so that all but the values stays.

use std::path::{Path, PathBuf};

use pw_cases::files;
use pw_cases::format::{self, Complaint, Error, Node, Read};

use pw_harness::error::HarnessError;

/// The manifest.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    source: String,
    /// In the order of the file.
    pub(super) plugins: Vec<Plugin>,
}

/// How a plugin comes about.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) sdk: String,
    pub(super) toolchain: String,
    pub(super) host: String,
    pub(super) target: String,
    pub(super) source: String,
    pub(super) wasm: String,
    pub(super) sha256: String,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) output: String,
    /// Where its values stand, by key.
    lines: Vec<(String, usize)>,
}

impl Manifest {
    pub(super) fn read(path: &Path) -> Result<Manifest, HarnessError> {
        let source =
            files::text(path, files::TEXT).map_err(|error| HarnessError::io("read", path.display(), &error))?;
        Manifest::parse(path, &source)
    }

    /// The manifest of that text; `path` says where its own paths begin.
    pub(super) fn parse(path: &Path, source: &str) -> Result<Manifest, HarnessError> {
        let plugins = parse(source).map_err(|Complaint { line, message }| {
            HarnessError::new(Error { file: path.display().to_string(), line, message }.to_string())
        })?;
        Ok(Manifest { path: path.to_owned(), source: source.to_owned(), plugins })
    }

    /// A path of the manifest's as one from here.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(relative)
    }

    /// Gives keys of a plugin other values.
    pub(super) fn write(&mut self, plugin: &str, values: &[(&str, &str)]) -> Result<(), HarnessError> {
        if let Some(plugin) = self.plugins.iter().find(|known| known.name == plugin) {
            self.source = replaced(&self.source, plugin, values);
        }
        let written = std::fs::write(&self.path, &self.source);
        written.map_err(|error| HarnessError::io("write", self.path.display(), &error))
    }
}

fn replaced(source: &str, plugin: &Plugin, values: &[(&str, &str)]) -> String {
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    for (key, value) in values {
        let Some((_, line)) = plugin.lines.iter().find(|(known, _)| known == key) else { continue };
        lines[line - 1] = format!("{key} = {value:?}");
    }
    lines.join("\n") + "\n"
}

fn parse(source: &str) -> Read<Vec<Plugin>> {
    let root = format::read(source)?;
    root.table(&["plugin"])?.items("plugin")?.iter().map(plugin).collect()
}

fn plugin(node: &Node) -> Read<Plugin> {
    let table = node.table(&[
        "name",
        "language",
        "sdk",
        "toolchain",
        "host",
        "target",
        "source",
        "wasm",
        "sha256",
        "command",
        "environment",
        "output",
    ])?;
    let text = |key: &str| table.need(key)?.text().map(str::to_owned);
    let command = table.need("command")?;
    if command.list()?.is_empty() {
        return command.complain("the command is empty");
    }
    let variable = |(name, value): &(String, Node)| Ok((name.clone(), value.text()?.to_owned()));
    Ok(Plugin {
        name: text("name")?,
        sdk: text("sdk")?,
        toolchain: text("toolchain")?,
        host: text("host")?,
        target: text("target")?,
        source: text("source")?,
        wasm: text("wasm")?,
        sha256: text("sha256")?,
        command: command.list()?.iter().map(|word| word.text().map(str::to_owned)).collect::<Read<_>>()?,
        environment: match table.find("environment") {
            Some(variables) => variables.entries()?.iter().map(variable).collect::<Read<_>>()?,
            None => Vec::new(),
        },
        output: text("output")?,
        lines: node.entries()?.iter().map(|(key, value)| (key.clone(), value.line)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_the_catalog_is_read_and_changed_in_place() {
        let source = pw_harness::embedded::text(crate::plugins::MANIFEST).unwrap_or_default();
        let manifest = Manifest::parse(Path::new(""), source).unwrap_or_else(|error| panic!("{error}"));
        assert!(manifest.plugins.len() >= 3);
        let second = &manifest.plugins[1];
        assert!(second.environment.iter().any(|(name, _)| name == "CARGO_TARGET_DIR"));
        let changed = replaced(&manifest.source, second, &[("sha256", "00ff")]);
        let differ: Vec<(&str, &str)> =
            manifest.source.lines().zip(changed.lines()).filter(|(one, other)| one != other).collect();
        assert_eq!(differ, [(format!("sha256 = \"{}\"", second.sha256).as_str(), "sha256 = \"00ff\"")]);
    }
}
