//! Finds on disk: each a case file.

use std::fs;
use std::path::Path;

use pw_fuzz::campaign::Find;
use pw_fuzz::keep::{self, Kept};
use pw_reference::Reference;

use pw_harness::error::HarnessError;

/// Makes the folder, so that it is known at the start that finds can be written.
///
/// # Errors
///
/// It cannot be made, or no file can be made in it.
pub(crate) fn open(folder: &Path) -> Result<(), HarnessError> {
    fs::create_dir_all(folder).map_err(|error| HarnessError::io("make", folder.display(), &error))?;
    tempfile::tempfile_in(folder).map_err(|error| HarnessError::io("write into", folder.display(), &error))?;
    Ok(())
}

/// Removes the folder if it is empty.
pub(crate) fn close(folder: &Path) {
    // It fails if there is something in it, as it should.
    let _ = fs::remove_dir(folder);
}

/// Writes a find as it was found, before it is made small: it is there whatever ends the program.
pub(super) fn write_raw(folder: &Path, find: &Find) -> Result<String, HarnessError> {
    write(folder, &slug(&find.finding.about), &pw_fuzz::print::any(&find.scenario))
}

/// Makes finds small and writes each; with the names of the files.
pub(super) fn keep(host: &Reference, finds: &[Find], folder: &Path) -> Result<Vec<(Kept, String)>, HarnessError> {
    let one = |find: &Find| {
        let kept = keep::keep(host, find)?;
        let file = write(folder, &slug(&find.finding.about), &kept.text)?;
        Ok((kept, file))
    };
    finds.iter().map(one).collect()
}

/// Writes a file, and returns its name.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<String, HarnessError> {
    let file = folder.join(name).with_extension("toml");
    fs::create_dir_all(folder).map_err(|error| HarnessError::io("make", folder.display(), &error))?;
    fs::write(&file, text).map_err(|error| HarnessError::io("write", file.display(), &error))?;
    Ok(file.display().to_string())
}

/// What a find is about, as the name of a file.
fn slug(about: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    about.chars().map(word).take(60).collect()
}
