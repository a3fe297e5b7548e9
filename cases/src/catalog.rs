//! Finds case files and reads them, from a folder or from files in the program, and adds what is generated. Names files;
//! [`crate::files`] reads those that are on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::files;
use crate::format::{self, Error};
use crate::generate;

/// A file in the program: its path, with `/` between names, and its bytes.
pub type File = (&'static str, &'static [u8]);

/// The catalog in `folder`, hand-written cases first, with those that are generated from the ABI table.
pub fn whole(folder: &Path) -> (Vec<Case>, Vec<Error>) {
    with_generated(load(folder))
}

/// These cases, and after them those that are generated from the ABI table.
pub fn with_generated((cases, errors): (Vec<Case>, Vec<Error>)) -> (Vec<Case>, Vec<Error>) {
    let (generated, generated_errors) = generate::cases();
    ([cases, generated].concat(), [errors, generated_errors].concat())
}

/// All cases in files below `folder`, sorted by id; ids are paths below it.
pub fn load(folder: &Path) -> (Vec<Case>, Vec<Error>) {
    load_with(folder, &[])
}

/// The same, of a folder in which there may be cases about these plugins of the SDK kit.
pub fn load_with(folder: &Path, plugins: Plugins<'_>) -> (Vec<Case>, Vec<Error>) {
    let mut errors = Vec::new();
    let files = below(folder, &mut errors);
    read_all(files.iter().map(|file| load_file(file, folder, plugins)), errors)
}

/// The cases of the SDK kit in `folder` that are about these plugins, by name, which are made of these modules. The ids are as of [`load`].
pub fn load_kit(folder: &Path, plugins: Plugins<'_>) -> (Vec<Case>, Vec<Error>) {
    let mut errors = Vec::new();
    let folders: Vec<PathBuf> =
        plugins.iter().map(|(name, _)| folder.join(name)).filter(|path| path.is_dir()).collect();
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| below(folder, &mut errors)).collect();
    read_all(files.iter().map(|file| load_file(file, folder, plugins)), errors)
}

/// The cases of the SDK kit among `files`, as [`load_kit`].
pub fn embedded_kit(files: &[File], folder: &str, plugins: Plugins<'_>) -> (Vec<Case>, Vec<Error>) {
    let folders: Vec<String> = plugins.iter().map(|(name, _)| format!("{folder}/{name}/")).collect();
    let files = files.iter().filter(|(path, _)| folders.iter().any(|folder| path.starts_with(folder)));
    read_all(files.filter_map(|file| embedded_file(file, folder, &|name| of_the_kit(name, plugins))), Vec::new())
}

/// Modules by the name of the plugin.
pub type Plugins<'a> = &'a [(String, Vec<u8>)];

fn of_the_kit(name: &str, plugins: Plugins<'_>) -> Option<Vec<u8>> {
    let name = name.strip_prefix(format::KIT)?;
    plugins.iter().find(|(known, _)| known == name).map(|(_, module)| module.clone())
}

fn read_all(read: impl Iterator<Item = Result<Case, Error>>, mut errors: Vec<Error>) -> (Vec<Case>, Vec<Error>) {
    let mut cases = Vec::new();
    for case in read {
        match case {
            Ok(case) => cases.push(case),
            Err(error) => errors.push(error),
        }
    }
    (cases, errors)
}

/// The case in `file`, with an id that is its path below `folder`, or its name. Its modules are beside it, or are these plugins of the SDK kit.
pub fn load_file(file: &Path, folder: &Path, plugins: Plugins<'_>) -> Result<Case, Error> {
    let name = shown(file);
    let fail = |message: String| Error { file: name.clone(), line: 0, message };
    let source = files::text(file, files::CASE).map_err(|error| fail(format!("failed to read the file: {error}")))?;
    let inside = file.strip_prefix(folder).ok().or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    let id = inside.with_extension("").to_string_lossy().replace('\\', "/");
    let beside = file.parent().unwrap_or(folder);
    let modules = |module: &str| match of_the_kit(module, plugins) {
        Some(module) => Ok(module),
        None => files::read(&beside.join(module), files::MODULE).map_err(|error| error.to_string()),
    };
    format::parse(&id, &name, &source, &modules)
}

/// All cases among `files` below `folder`, in their order; ids are paths below it.
pub fn embedded(files: &[File], folder: &str) -> (Vec<Case>, Vec<Error>) {
    let modules = |path: &str| files.iter().find(|(known, _)| *known == path).map(|(_, bytes)| bytes.to_vec());
    read_all(files.iter().filter_map(|file| embedded_file(file, folder, &modules)), Vec::new())
}

/// The case in a file of the program, if it is one below `folder`.
fn embedded_file(
    (path, bytes): &File,
    folder: &str,
    modules: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Option<Result<Case, Error>> {
    let inside = path.strip_prefix(folder).and_then(|path| path.strip_prefix('/'));
    let id = inside.and_then(|path| path.strip_suffix(".toml"))?;
    let beside = path.rsplit_once('/').map_or("", |(beside, _)| beside);
    let modules = |module: &str| {
        let path = if module.starts_with(format::KIT) { module.to_owned() } else { joined(beside, module) };
        modules(&path).ok_or_else(|| format!("there is no {path} in this program"))
    };
    Some(format::parse(id, path, &String::from_utf8_lossy(bytes), &modules))
}

/// A path from `folder` on, without `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut names: Vec<&str> = folder.split('/').collect();
    for name in path.split('/') {
        match name {
            ".." => drop(names.pop()),
            "." => {}
            name => names.push(name),
        }
    }
    names.join("/")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_looked_up_beside_the_case() {
        let rows = [
            ("cases/catalog/limits", "../integration/bare_module.wat", "cases/catalog/integration/bare_module.wat"),
            ("cases/catalog", "./name.wat", "cases/catalog/name.wat"),
            ("a", "../../../b", "b"),
        ];
        for (folder, module, path) in rows {
            assert_eq!(joined(folder, module), path);
        }
        let case: &[u8] = b"title = \"t\"\nclause = [\"#integration\"]\nlevel = \"required\"\n\
            [[plugin]]\nmodule = \"m.wat\"\n";
        let module: &[u8] = b"(module (func (export \"$marker\")))";
        let (cases, errors) = embedded(&[("c/a/one.toml", case), ("c/a/m.wat", module), ("c/two.toml", case)], "c");
        let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        let errors: Vec<String> = errors.iter().map(Error::to_string).collect();
        let missing = "c/two.toml:5: failed to read the module m.wat: there is no c/m.wat in this program";
        assert_eq!((ids, errors), (vec!["a/one"], vec![missing.to_owned()]));
    }
}
