//! Checksums of the cache's entries, so that one that has changed on disk is not run.
//!
//! wasmtime does not reveal which entries are a module's: those that appear while it is compiled are.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Component, Path, PathBuf};

/// A file for each module: names of entries, each with its checksum.
#[derive(Debug)]
pub(super) struct Seals {
    folder: PathBuf,
    /// The folder that wasmtime's entries are in.
    entries: PathBuf,
}

impl Seals {
    pub(super) fn new(folder: PathBuf, entries: PathBuf) -> Seals {
        Seals { folder, entries }
    }

    /// Whether the entries of a module are as they were written. If one is not, it is removed.
    pub(super) fn hold(&self, wasm: &[u8]) -> bool {
        let Ok(seal) = fs::read_to_string(self.file(wasm)) else { return false };
        let holds = |line: &str| {
            let Some((sum, name)) = line.split_once(' ') else { return false };
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return false;
            }
            let entry = self.entries.join(name);
            let holds = checksum_of(&entry).is_some_and(|actual| actual == sum);
            if !holds {
                // If it cannot be removed, it is not there.
                let _ = fs::remove_file(entry);
            }
            holds
        };
        // All of them are looked at.
        seal.lines().filter(|line| !holds(line)).count() == 0
    }

    /// The entries that there are.
    pub(super) fn entries(&self) -> Vec<PathBuf> {
        let mut entries = super::files(&self.entries, 1);
        entries.retain(|entry| entry.extension().is_none());
        entries
    }

    /// Seals the entries that are new as those of a module.
    pub(super) fn add(&self, wasm: &[u8], before: &[PathBuf]) {
        let mut seal = String::new();
        for entry in self.entries() {
            if before.contains(&entry) {
                continue;
            }
            if let (Ok(name), Some(sum)) = (entry.strip_prefix(&self.entries), checksum_of(&entry)) {
                seal += &format!("{sum} {}\n", name.display());
            }
        }
        if !seal.is_empty() && fs::create_dir_all(&self.folder).is_ok() {
            // Without a seal the entry is used as it is.
            let _ = fs::write(self.file(wasm), seal);
        }
    }

    fn file(&self, wasm: &[u8]) -> PathBuf {
        self.folder.join(checksum(wasm))
    }
}

fn checksum_of(file: &Path) -> Option<String> {
    fs::read(file).ok().map(|bytes| checksum(&bytes))
}

/// Another version of Rust may have another one: then everything is compiled again.
fn checksum(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}
