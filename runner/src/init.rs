//! The command `init`: writes the beginning of an adapter, or of the plugins of the SDK kit, into a new folder.

use std::fs;
use std::path::Path;

use pw_harness::embedded;
use pw_harness::error::HarnessError;
use pw_harness::invocation::program;
use pw_harness::sdk::MANIFEST;

use crate::cli::{InitAdapterArgs, Language};

/// The manual, which every skeleton comes with.
const MANUAL: (&str, &str) = ("docs/adapters.md", include_str!("../../docs/adapters.md"));

/// The files of a skeleton: their paths in the folder, and their texts.
pub fn skeleton(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::Python => &[MANUAL, ("adapter.py", include_str!("../../adapters/skeleton/adapter.py"))],
        Language::Go => &[
            MANUAL,
            ("go.mod", include_str!("../../adapters/skeleton/go/go.mod")),
            ("main.go", include_str!("../../adapters/skeleton/go/main.go")),
        ],
        Language::Rust => &[
            MANUAL,
            ("Cargo.toml", include_str!("../../adapters/skeleton/rust/Cargo.toml")),
            ("src/main.rs", include_str!("../../adapters/skeleton/rust/src/main.rs")),
        ],
    }
}

/// Writes a skeleton. The answer says what was written, and the commands to type next.
///
/// # Errors
///
/// The folder has files, or cannot be written.
pub fn adapter(args: &InitAdapterArgs) -> Result<String, HarnessError> {
    let folder = &args.folder;
    let text = write(folder, skeleton(args.lang).iter().map(|(name, content)| (*name, (*content).to_owned())))?;
    Ok(text + "\nNext, and after each TODO:\n" + &next(args.lang, folder))
}

/// The manual for makers of SDKs.
const SDK_MANUAL: &str = include_str!("../../docs/sdks.md");
/// The plugins of the kit to begin with.
const FIRST: [&str; 6] = ["headers", "body", "authorise", "configuration", "access_log", "state"];

/// Writes an empty manifest of the SDK kit, the manual, and what each plugin does. The answer is as that of [`adapter`].
///
/// # Errors
///
/// As for [`adapter`].
pub fn sdk(folder: &Path) -> Result<String, HarnessError> {
    let written = |path: &str| embedded::text(path).unwrap_or_default();
    let readme = |plugin: &str| {
        (format!("kit/{plugin}/README.md"), written(&format!("cases/kit/{plugin}/README.md")).to_owned())
    };
    // Links lead to where the files are here.
    let manual = unlinked(&SDK_MANUAL.replace("](../cases/kit/", "](kit/"));
    let kit = written("cases/kit/README.md").replace("](../../docs/sdks.md)", "](../README.md)");
    let files = [("README.md", manual), (MANIFEST, manifest()), ("kit/README.md", kit)];
    let files = files.map(|(name, content)| (name.to_owned(), content)).into_iter();
    let text = write(folder, files.chain(embedded::kit().into_iter().map(readme)))?;
    let (first, command, shown) = (FIRST[0], program(), quoted(folder));
    Ok(format!(
        "{text}\nNext: write {first} as kit/README.md and kit/{first}/README.md say, and remove the `#` of its entry in {MANIFEST}.\n\
         Then, and after each plugin:\n    {command} sdk {shown}\n"
    ))
}

/// The text with the paths of files of the repository in place of links to them, which lead nowhere from a folder of its own.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let Some((target, more)) = after.split_once(')') else { break };
        let path = target.split('#').next().unwrap_or_default();
        let path = path.strip_prefix("../").map_or_else(|| format!("docs/{path}"), str::to_owned);
        let leads = ["kit/", "#", "https:"].iter().any(|start| target.starts_with(start));
        match before.rfind('[').filter(|_| !leads) {
            Some(begin) => out += &format!("{}{} (`{path}` in the repository)", &before[..begin], &before[begin + 1..]),
            None => out += &format!("{before}]({target})"),
        }
        rest = more;
    }
    out + rest
}

/// A manifest that has every plugin of the kit as a comment.
fn manifest() -> String {
    let mut text = String::from(include_str!("init/sdk.toml"));
    let kit = embedded::kit();
    for plugin in FIRST.iter().chain(kit.iter().filter(|plugin| !FIRST.contains(plugin))) {
        let readme = embedded::text(&format!("cases/kit/{plugin}/README.md")).unwrap_or_default();
        let does = readme.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
        text += &format!("\n# {does}\n# [plugin.{plugin}]\n# module = \"{plugin}.wasm\"\n");
    }
    text
}

/// Writes files into a new or empty folder, and says which.
fn write<Name: AsRef<Path>>(
    folder: &Path,
    files: impl Iterator<Item = (Name, String)>,
) -> Result<String, HarnessError> {
    if !is_free(folder)? {
        let folder = folder.display();
        return Err(HarnessError::new(format!(
            "{folder} is there and not empty: name another folder, nothing was written"
        )));
    }
    let mut text = String::new();
    for (name, content) in files {
        let file = folder.join(name);
        let failed = |error| HarnessError::io("write", file.display(), &error);
        fs::create_dir_all(file.parent().unwrap_or(folder)).map_err(failed)?;
        fs::write(&file, content).map_err(failed)?;
        text += &format!("wrote {}\n", file.display());
    }
    Ok(text)
}

/// Whether the folder is not there, or empty.
fn is_free(folder: &Path) -> Result<bool, HarnessError> {
    if !folder.exists() {
        return Ok(true);
    }
    let entries = fs::read_dir(folder).map_err(|error| HarnessError::io("read", folder.display(), &error))?;
    Ok(entries.count() == 0)
}

/// The commands that build an adapter in a folder, and check it.
fn next(language: Language, folder: &Path) -> String {
    // A path without `/` is looked up in the PATH.
    let program_in = |name: &str| quoted(&Path::new(".").join(folder).join(name));
    let (build, host) = match language {
        Language::Python => (String::new(), format!("python3 {}", quoted(&folder.join("adapter.py")))),
        Language::Go => (format!("    go build -C {} -o adapter\n", quoted(folder)), program_in("adapter")),
        Language::Rust => {
            let manifest = quoted(&folder.join("Cargo.toml"));
            (format!("    cargo build --manifest-path {manifest}\n"), program_in("target/debug/adapter"))
        }
    };
    let host = shlex::try_quote(&host).map_or_else(|_| host.clone(), |host| host.into_owned());
    format!("{build}    {} smoke --host {host}\n", program())
}

/// A path as a word of a command line.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map_or(path.clone(), |quoted| quoted.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_paths() {
        let text = "[a](kit/a.md) and [b](../c/b.md#d), [e](#f) [g](h.md)!";
        let expected = "[a](kit/a.md) and b (`c/b.md` in the repository), [e](#f) g (`docs/h.md` in the repository)!";
        assert_eq!(unlinked(text), expected);
    }

    #[test]
    fn the_next_commands_name_the_folder() {
        let rows = [
            (Language::Python, "mine", vec!["smoke --host 'python3 mine/adapter.py'"]),
            (Language::Go, "mine", vec!["go build -C mine -o adapter", "smoke --host ./mine/adapter"]),
            (Language::Rust, "/a/b", vec!["--manifest-path /a/b/Cargo.toml", "smoke --host /a/b/target/debug/adapter"]),
        ];
        for (language, folder, expected) in rows {
            let text = next(language, Path::new(folder));
            for line in expected {
                assert!(text.contains(line), "{line} is not in {text}");
            }
        }
    }
}
