//! Writes the files of a run: opens them before it begins, so that a path that cannot be written costs nothing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::HarnessError;
use crate::record::{Counts, CutShort, Footer, Header, Line};

/// A file that is open for writing.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    /// Opens the file, empty.
    pub fn create(path: &Path) -> Result<Output, HarnessError> {
        let file = File::create(path).map_err(|error| HarnessError::io("write", path.display(), &error))?;
        Ok(Output { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Writes text, at once.
    pub fn write(&mut self, text: &str) -> Result<(), HarnessError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|error| HarnessError::io("write", self.path.display(), &error))
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
        recorder.line(&Line::Header(header.clone()))?;
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
