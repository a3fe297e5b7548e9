//! Compiled modules on disk. Nothing that goes wrong here is an error: the module is compiled then.
//!
//! wasmtime writes and reads the entries. What it does not do is done here: it does not notice an entry that has changed on
//! disk, and it removes old ones only if the process lives long enough.

mod seals;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use wasmtime::CacheConfig;

use self::seals::Seals;

/// Where compiled modules are kept on disk, so that a module is compiled once, however many processes use it.
///
/// What is read from there is run as it is: nobody but the user of the process should be able to write there. A changed or
/// broken entry is noticed by its checksum, and compiled again; that guards against disks, not against attackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The folder. It is made if it is not there, and has nothing else in it.
    pub folder: PathBuf,
    /// Bytes of all files in it. When an engine is made and there are more, the oldest are removed.
    pub size: u64,
}

/// A cache that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(super) wasmtime: wasmtime::Cache,
    seals: Arc<Seals>,
}

impl Cache {
    /// None if the folder cannot be used.
    pub(super) fn open(&self) -> Option<Opened> {
        let folder = std::path::absolute(&self.folder).ok()?;
        shrink(&folder, self.size);
        // wasmtime removes from its folder what it does not know.
        let compiled = folder.join("compiled");
        let mut config = CacheConfig::new();
        config.with_directory(&compiled).with_files_total_size_soft_limit(self.size);
        // Writing takes a fraction of the time; and entries are not written again, which would break their seals.
        config.with_baseline_compression_level(1).with_optimized_compression_usage_counter_threshold(u64::MAX);
        let wasmtime = wasmtime::Cache::new(config).ok()?;
        Some(Opened { wasmtime, seals: Arc::new(Seals::new(folder.join("seals"), compiled.join("modules"))) })
    }
}

impl Opened {
    /// Compiles a module, or reads what was compiled before.
    pub(crate) fn around<T>(&self, wasm: &[u8], compile: impl FnOnce() -> T) -> T {
        if self.seals.hold(wasm) {
            return compile();
        }
        let before = self.seals.entries();
        let compiled = compile();
        self.seals.add(wasm, &before);
        compiled
    }
}

/// Removes the oldest files until all together are well within `size`, if they are not within it.
fn shrink(folder: &Path, size: u64) {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = files(folder, 3)
        .into_iter()
        .filter_map(|path| {
            let about = fs::symlink_metadata(&path).ok()?;
            Some((about.modified().ok()?, about.len(), path))
        })
        .collect();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if total <= size {
        return;
    }
    files.sort();
    for (_, bytes, path) in files {
        if total <= size / 4 * 3 {
            return;
        }
        if fs::remove_file(path).is_ok() {
            total -= bytes;
        }
    }
}

/// The files in a folder and in the folders in it, down to a depth.
fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => found.extend(files(&entry.path(), depth - 1)),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
