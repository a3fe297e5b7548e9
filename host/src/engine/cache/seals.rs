//! Checksums of the cache's entries, so that an entry that has changed on disk is not run.
//!
//! wasmtime does not reveal which entries belong to a module: those that appear while it is compiled are taken for its own.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Component, Path, PathBuf};

use super::files::files;

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

    /// Whether the entries of a module are as they were written. Those that are not are removed.
    pub(super) fn match_entries(&self, wasm: &[u8]) -> bool {
        let Ok(seal) = fs::read_to_string(self.file(wasm)) else { return false };
        let matches = |line: &str| {
            let Some((sum, name)) = line.split_once(' ') else { return false };
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return false;
            }
            let entry = self.entries.join(name);
            let matches = checksum_of(&entry).is_some_and(|actual| actual == sum);
            if !matches {
                // If it cannot be removed, it does not exist.
                let _ = fs::remove_file(entry);
            }
            matches
        };
        // All of them are checked.
        seal.lines().filter(|line| !matches(line)).count() == 0
    }

    /// All current entries.
    pub(super) fn entries(&self) -> Vec<PathBuf> {
        let mut entries = files(&self.entries, 1);
        entries.retain(|entry| entry.extension().is_none());
        entries
    }

    /// Writes the checksums of the new entries, as those of a module.
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

/// Another version of Rust may compute another checksum: then everything is compiled again.
fn checksum(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}
