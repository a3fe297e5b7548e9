//! Finds case files and reads them, and adds what is derived. Names files; [`files`](crate::files) reads them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::derive;
use crate::files;
use crate::format::{self, Error};

/// The catalog of the checkout that this was built in.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog")
}

/// The catalog in `folder`, hand-written cases first, with those that are derived from the ABI table.
pub fn whole(folder: &Path) -> (Vec<Case>, Vec<Error>) {
    let (cases, errors) = load(folder);
    let (derived, derived_errors) = derive::cases();
    ([cases, derived].concat(), [errors, derived_errors].concat())
}

/// All cases in files below `folder`, sorted by id; ids are paths below it.
pub fn load(folder: &Path) -> (Vec<Case>, Vec<Error>) {
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    for file in below(folder, &mut errors) {
        match load_file(&file, folder) {
            Ok(case) => cases.push(case),
            Err(error) => errors.push(error),
        }
    }
    (cases, errors)
}

/// The case in `file`, with an id that is its path below `folder`, or its name.
pub fn load_file(file: &Path, folder: &Path) -> Result<Case, Error> {
    let name = shown(file);
    let fail = |message: String| Error { file: name.clone(), line: 0, message };
    let source = files::text(file, files::CASE).map_err(|error| fail(format!("failed to read the file: {error}")))?;
    let inside = file.strip_prefix(folder).ok().or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    let id = inside.with_extension("").to_string_lossy().replace('\\', "/");
    let beside = file.parent().unwrap_or(folder);
    let modules = |module: &str| {
        let folder = if module.starts_with("plugins/") { Path::new(env!("CARGO_MANIFEST_DIR")) } else { beside };
        files::read(&folder.join(module), files::MODULE).map_err(|error| error.to_string())
    };
    format::parse(&id, &name, &source, &modules)
}

/// A path as messages name it: from the current folder on, if it is below that.
fn shown(file: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(current).unwrap_or(file).display().to_string()
}

/// The case files below a folder. Links to folders are not followed: they may go round.
fn below(folder: &Path, errors: &mut Vec<Error>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("failed to read the folder: {error}");
            errors.push(Error { file: shown(folder), line: 0, message });
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true if path.is_symlink() => {
                let message = "it is a symbolic link to a folder, which is not followed: name that folder".to_owned();
                errors.push(Error { file: shown(&path), line: 0, message });
                Vec::new()
            }
            true => below(&path, errors),
            false if path.extension().is_some_and(|extension| extension == "toml") => vec![path],
            false => Vec::new(),
        })
        .collect()
}
