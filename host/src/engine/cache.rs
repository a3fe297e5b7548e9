//! Compiled modules on disk. A failure of the cache is not an error: the module is compiled then.
//!
//! wasmtime writes and reads the entries. This module does what wasmtime does not: it detects entries that have changed on
//! disk, and removes old ones, which wasmtime does only if the process runs long enough.

mod files;
mod seals;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use wasmtime::CacheConfig;

use self::files::files;
use self::seals::Seals;

/// A cache of compiled modules on disk, so that a module is compiled once for all processes that use it.
///
/// Entries are run as they are read: only the user of the process must be able to write there. A changed or broken entry is
/// detected by its checksum, and its module compiled again; this guards against faulty disks, not against attackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The folder. It is created if it does not exist, and must have nothing else in it.
    pub folder: PathBuf,
    /// Maximum size of all files in it, in bytes. If there are more when an engine is created, the oldest are removed.
    pub size: u64,
}

/// A cache that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(super) wasmtime: wasmtime::Cache,
    seals: Arc<Seals>,
}

impl Cache {
    /// Opens the cache; `None` if the folder cannot be used.
    pub(super) fn open(&self) -> Option<Opened> {
        let folder = std::path::absolute(&self.folder).ok()?;
        shrink(&folder, self.size);
        // wasmtime removes unknown files from its folder.
        let compiled = folder.join("compiled");
        let mut config = CacheConfig::new();
        config.with_directory(&compiled).with_files_total_size_soft_limit(self.size);
        // Writing takes a fraction of the time, and entries are not written again, which would change their checksums.
        config.with_baseline_compression_level(1).with_optimized_compression_usage_counter_threshold(u64::MAX);
        let wasmtime = wasmtime::Cache::new(config).ok()?;
        Some(Opened { wasmtime, seals: Arc::new(Seals::new(folder.join("seals"), compiled.join("modules"))) })
    }
}

impl Opened {
    /// Compiles a module, or reads what was compiled before.
    pub(crate) fn compile<T>(&self, wasm: &[u8], compile: impl FnOnce() -> T) -> T {
        if self.seals.match_entries(wasm) {
            return compile();
        }
        let before = self.seals.entries();
        let compiled = compile();
        self.seals.add(wasm, &before);
        compiled
    }
}

/// If the files exceed `size` bytes, removes the oldest until they take three quarters of it.
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
