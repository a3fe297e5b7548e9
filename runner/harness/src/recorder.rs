//! Writes the files of a run: opens them before it begins, so that a path that cannot be written costs nothing.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::HarnessError;
use crate::record::{Counts, CutShort, Footer, Header, Line};

/// A file that is open for writing. What was in it stays until there is something to write.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    is_new: bool,
    is_written: bool,
}

impl Output {
    /// Opens the file, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be written to.
    pub fn create(path: &Path) -> Result<Output, HarnessError> {
        let failed = |error| HarnessError::io("write", path.display(), &error);
        let is_new = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
        Ok(Output { path: path.to_owned(), file: BufWriter::new(file), is_new, is_written: false })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether that is this file, by this or another name. Devices and pipes are not compared.
    pub fn is(&self, other: &Path) -> bool {
        self.path.is_file() && same_file::is_same_file(&self.path, other).unwrap_or(false)
    }

    /// Writes text, at once; the first of it in place of what was there before.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&mut self, text: &str) -> Result<(), HarnessError> {
        let written = self.begin().and_then(|()| self.file.write_all(text.as_bytes())).and_then(|()| self.file.flush());
        written.map_err(|error| HarnessError::io("write", self.path.display(), &error))
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.is_written && self.file.get_ref().metadata()?.is_file() {
            self.file.get_ref().set_len(0)?;
        }
        self.is_written = true;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_new && !self.is_written {
            // An empty file that cannot be removed does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Counts the lines of a run, and writes them if that is wanted.
#[derive(Debug)]
pub struct Recorder {
    counts: Counts,
    output: Option<Output>,
}

impl Recorder {
    /// Begins a record.
    pub fn begin(header: &Header, output: Option<Output>) -> Result<Recorder, HarnessError> {
        let mut recorder = Recorder { counts: Counts::default(), output };
        recorder.line(&Line::Header(Box::new(header.clone())))?;
        Ok(recorder)
    }

    /// Adds a case.
    pub fn add(&mut self, case: crate::record::Case) -> Result<(), HarnessError> {
        self.counts.add(case.verdict);
        self.line(&Line::Case(Box::new(case)))
    }

    /// Ends the record.
    pub fn end(&mut self, cut_short: Option<CutShort>) -> Result<Footer, HarnessError> {
        let footer = Footer { counts: self.counts, cut_short };
        self.line(&Line::Footer(footer))?;
        Ok(footer)
    }

    fn line(&mut self, line: &Line) -> Result<(), HarnessError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let text = serde_json::to_string(line).expect("lines have text keys only, so that they always are JSON");
        output.write(&(text + "\n"))
    }
}
