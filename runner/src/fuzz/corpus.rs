//! Corpora: directories with an input per file, as libFuzzer has them for its target `scenario`.

use std::fs;
use std::path::Path;

use pw_cases::files;
use pw_fuzz::campaign::Input;
use pw_fuzz::coverage::Reached;
use pw_plugin::sha256::hex;

use pw_harness::error::HarnessError;

/// An input that is longer is none of ours; libFuzzer makes none of this size either.
const LARGEST: u64 = 1 << 20;

/// The inputs of a directory, small ones first. One that is not there has none.
pub(super) fn read(folder: &Path) -> Result<Vec<Vec<u8>>, HarnessError> {
    let failed = |error: &std::io::Error| HarnessError::io("read", folder.display(), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let mut inputs = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(&error))?.path();
        let failed = |error: &std::io::Error| HarnessError::io("read", path.display(), error);
        let about = fs::metadata(&path).map_err(|error| failed(&error))?;
        if about.is_file() && about.len() <= LARGEST {
            inputs.push(files::read(&path, LARGEST).map_err(|error| failed(&error))?);
        }
    }
    inputs.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    inputs.dedup();
    Ok(inputs)
}

/// The inputs of a directory that is there.
pub(super) fn existing(folder: &Path) -> Result<Vec<Vec<u8>>, HarnessError> {
    fs::metadata(folder).map_err(|error| HarnessError::io("read", folder.display(), &error))?;
    read(folder)
}

/// Adds inputs to a directory that reach something together which those that are there do not; how many were added.
pub(super) fn add(folder: &Path, known: &[Vec<u8>], inputs: &[&Input]) -> Result<usize, HarnessError> {
    let (old, mut new): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(|input| known.contains(&input.bytes));
    let mut reached = Reached::default();
    for input in old {
        reached.add(&input.coverage);
    }
    new.sort_by_key(|input| input.bytes.len());
    new.retain(|input| reached.add(&input.coverage));
    if !new.is_empty() {
        fs::create_dir_all(folder).map_err(|error| HarnessError::io("make", folder.display(), &error))?;
    }
    for input in &new {
        let file = folder.join(&hex(&input.bytes)[..40]);
        fs::write(&file, &input.bytes).map_err(|error| HarnessError::io("write", file.display(), &error))?;
    }
    Ok(new.len())
}
