//! How the crates are built: no files of a crate import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module in its crate; the crate's root has none.
type Module = Vec<String>;

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    let mut folders: Vec<String> = members.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    // Workspaces take in what a member depends on.
    folders.push("adapters/kit".to_owned());
    assert!(folders.len() >= 12, "{folders:?}");
    let mut circles = Vec::new();
    for folder in folders {
        let files = sources(&root.join(&folder).join("src"));
        assert!(files.contains_key(&Module::new()) || files.len() > 1, "{folder} has no sources");
        let circle = circle(imports(&files));
        circles.extend(circle.iter().map(|module| format!("{folder}: {}", module.join("::"))));
    }
    assert!(circles.is_empty(), "these import each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let file = |path: &str, text: &str| (path.split("::").map(str::to_owned).collect::<Module>(), text.to_owned());
    let files = |b: &str| [file("a", "use crate::b::{c::C, D};"), file("b", b), file("b::c", "")].into_iter().collect();
    assert_eq!(circle(imports(&files("use self::c::C; // crate::a"))), Vec::<Module>::new());
    let found = circle(imports(&files("fn f() { super::a::g() }")));
    assert_eq!(found, [vec!["a".to_owned()], vec!["b".to_owned()]]);
}

/// The texts of a crate's files.
fn sources(folder: &Path) -> BTreeMap<Module, String> {
    fn add(folder: &Path, module: &[String], files: &mut BTreeMap<Module, String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let own: Module = match stem.as_str() {
                "lib" | "main" | "mod" => module.to_vec(),
                _ => module.iter().cloned().chain([stem]).collect(),
            };
            if path.is_dir() {
                add(&path, &own, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                files.entry(own).or_default().push_str(&text);
            }
        }
    }
    let mut files = BTreeMap::new();
    add(folder, &[], &mut files);
    files
}

/// What each file imports of its crate, outside its tests.
fn imports(files: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |(module, text): (&Module, &String)| {
        let code: String =
            text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
        // `pub(in path)` says who may use something, and imports nothing.
        let code = code.split("#[cfg(test)]").next().unwrap_or_default().replace("(in crate::", "(in ");
        let starts = ["crate::", "super::", "self::"];
        let mut found = BTreeSet::new();
        for (at, _) in code.char_indices() {
            // `pub(crate)` has no `::` behind it, and `a::super::b` is not written.
            let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let Some(start) = starts.into_iter().find(|start| is_start && code[at..].starts_with(start)) else {
                continue;
            };
            found.extend(targets(files, module, start, &code[at..]));
        }
        found.remove(module);
        (module.clone(), found)
    };
    files.iter().map(of).collect()
}

/// The files that a path means, which may end in a list.
fn targets(files: &BTreeMap<Module, String>, module: &Module, start: &str, path: &str) -> Vec<Module> {
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut base = match start {
        "crate::" => Module::new(),
        "super::" => module[..module.len().saturating_sub(1)].to_vec(),
        _ => module.clone(),
    };
    let mut words: Vec<&str> = path.split("::").skip(1).filter(|word| !word.is_empty()).collect();
    while words.first() == Some(&"super") {
        base.pop();
        words.remove(0);
    }
    let within = |base: &Module, word: &str| {
        let inner: Module = base.iter().cloned().chain([word.to_owned()]).collect();
        files.contains_key(&inner).then_some(inner)
    };
    for word in words {
        match within(&base, word) {
            Some(inner) => base = inner,
            None => break,
        }
    }
    let Some(list) = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) else { return vec![base] };
    let names = list.split(',').filter_map(|item| item.trim().split("::").next()).filter(|name| !name.is_empty());
    names.map(|name| within(&base, name).unwrap_or_else(|| base.clone())).collect()
}

/// The files that are in a circle, or between two circles; none if there is no circle.
fn circle(mut imports: BTreeMap<Module, BTreeSet<Module>>) -> Vec<Module> {
    loop {
        let before = imports.len();
        let left: BTreeSet<Module> = imports.keys().cloned().collect();
        let imported: BTreeSet<Module> = imports.values().flatten().cloned().collect();
        imports.retain(|file, targets| imported.contains(file) && targets.iter().any(|target| left.contains(target)));
        if imports.len() == before {
            return imports.into_keys().collect();
        }
    }
}
