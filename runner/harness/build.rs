//! Puts the catalog, the SDK kit, the expected failures and the committed records into the program.
//!
//! Cargo looks at the folders that are named here, with all that is in them, so that a case that was changed, added or removed
//! is noticed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is looked at as a whole, below `cases`.
const FOLDERS: [&str; 3] = ["catalog", "kit", "known"];

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or(io::Error::other("Cargo sets it"));
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..").canonicalize()?;
    let cases = root.join("cases");
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", cases.join(folder).display());
        below(&cases.join(folder), &mut files)?;
    }
    // A package without records is whole: `explain` has nothing to say of other hosts then.
    let reports = entries(&root.join("reports")).unwrap_or_default();
    println!("cargo::rerun-if-changed={}", root.join("reports").display());
    files.extend(reports.into_iter().filter(|path| has_extension(path, &["jsonl"])));
    files.sort();
    files.iter().for_each(|file| println!("cargo::rerun-if-changed={}", file.display()));
    let out = variable("OUT_DIR")?;
    let mut text = String::from("[\n");
    for file in &files {
        let inside = file.strip_prefix(&root).map_err(io::Error::other)?;
        let name = inside.to_string_lossy().replace('\\', "/");
        let included = if has_extension(file, &["jsonl"]) { compressed(file, &out)? } else { file.clone() };
        let _ = writeln!(text, "    ({name:?}, include_bytes!({included:?}) as &[u8]),");
    }
    fs::write(out.join("files.rs"), text + "]\n")
}

/// Compresses a record, which is twenty times as long otherwise.
fn compressed(file: &Path, out: &Path) -> io::Result<PathBuf> {
    let place = out.join(file.file_name().unwrap_or_default()).with_extension("gz");
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(&place)?, flate2::Compression::default());
    io::copy(&mut fs::File::open(file)?, &mut encoder)?;
    encoder.finish()?;
    Ok(place)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in entries(folder)? {
        match path.is_dir() {
            true => below(&path, files)?,
            false if has_extension(&path, &["toml", "wat", "wasm", "yaml", "json", "md"]) => files.push(path),
            false => {}
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
}
