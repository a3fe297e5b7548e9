//! A file that gets a copy of every line between the harness and its adapters.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::HarnessError;

/// The file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tap(Arc<Mutex<BufWriter<File>>>);

impl Tap {
    /// Opens the file, empty.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Tap, HarnessError> {
        let file = File::create(path).map_err(|error| HarnessError::io("write", path.display(), &error))?;
        Ok(Tap(Arc::new(Mutex::new(BufWriter::new(file)))))
    }

    /// Writes a line: `>` is to the adapter, `<` from it.
    pub fn write(&self, direction: char, line: &[u8]) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The copy is for people who look into what goes wrong: without it the run is the same.
        let _ = write!(file, "{direction} ").and_then(|()| file.write_all(line)).and_then(|()| file.write_all(b"\n"));
        let _ = file.flush();
    }
}
