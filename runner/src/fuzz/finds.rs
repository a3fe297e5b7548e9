//! Finds on disk: each a case file.

use std::fs;
use std::path::Path;

use pw_fuzz::campaign::Find;
use pw_fuzz::keep::{self, Kept};
use pw_reference::Reference;

use pw_harness::error::HarnessError;

/// Makes finds small and writes each; with the names of the files.
pub(super) fn keep(host: &Reference, finds: &[Find], folder: &Path) -> Result<Vec<(Kept, String)>, HarnessError> {
    let one = |find: &Find| {
        let kept = keep::keep(host, find)?;
        let file = write(folder, &slug(&kept.find.finding.about), &kept.text)?;
        Ok((kept, file))
    };
    finds.iter().map(one).collect()
}

/// Writes a file, and tells its name.
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
