//! A plugin's module in a file, for as long as Envoy needs it to start.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::job::Plugin;

/// The file; it is removed when this is dropped.
pub struct Module(PathBuf);

impl Module {
    /// Writes a plugin's module to a file of its own.
    pub fn new(plugin: &Plugin) -> io::Result<Module> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pw-conform-{}-{number}.wasm", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let module = Module(path);
        file.write_all(&plugin.wasm)?;
        Ok(module)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // If it is gone already, there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}
