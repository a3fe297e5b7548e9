//! Which cases are meant: by parts of their ids, by files, by folders.

use std::path::Path;

use pw_cases::case::Case;
use pw_cases::catalog::{self, Plugins};
use pw_cases::format::{Error, meant};

use crate::embedded::Catalog;
use crate::error::HarnessError;
use crate::invocation::program;
use crate::sdk::Sdk;

/// The number of ids that are shown where one is wanted.
const MAX_IDS: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Selection {
    /// The cases that are meant, those of the catalog first and in its order.
    pub cases: Vec<Selected>,
    /// The catalog's cases that are not.
    pub others: Vec<Case>,
    /// What is wrong with files that are meant, or may be.
    pub errors: Vec<Error>,
    /// All of the catalog could be read.
    pub catalog_is_whole: bool,
}

/// A case that is meant.
#[derive(Debug)]
pub struct Selected {
    /// The case.
    pub case: Case,
    /// What to call it on the command line: its id, or its file if it is not of the catalog.
    pub target: String,
}

impl Selection {
    /// How many cases the catalog has.
    pub fn catalog(&self) -> usize {
        self.others.len() + self.cases.iter().filter(|selected| selected.target == selected.case.id).count()
    }
}

/// The one case that `word` means: by its id, by a part of it that no other has, or by its file.
pub fn select_one(catalog: &Catalog, word: &str) -> Result<Selected, HarnessError> {
    let mut selection = select(catalog, &[word.to_owned()])?;
    if let Some(index) = selection.cases.iter().position(|selected| selected.case.id == word) {
        return Ok(selection.cases.swap_remove(index));
    }
    if let Some(error) = selection.errors.first() {
        return Err(HarnessError::new(error.to_string()));
    }
    match selection.cases.len() {
        1 => Ok(selection.cases.swap_remove(0)),
        count => {
            let mut ids: Vec<&str> = selection.cases.iter().map(|selected| selected.case.id.as_str()).collect();
            let more = format!("and {} more: `{} list {word}` shows all", count.saturating_sub(MAX_IDS), program());
            if count > MAX_IDS {
                ids.splice(MAX_IDS.., [more.as_str()]);
            }
            Err(HarnessError::new(format!("`{word}` means {count} cases; say which:\n  {}", ids.join("\n  "))))
        }
    }
}

/// The cases of the catalog and of files that `words` mean; with no words, the catalog.
pub fn select(catalog: &Catalog, words: &[String]) -> Result<Selection, HarnessError> {
    let folder = catalog.folder();
    let sdk = catalog.sdk();
    let plugins = sdk.map(Sdk::modules).unwrap_or_default();
    let (catalog, catalog_errors) = catalog.cases();
    let catalog_is_whole = catalog_errors.is_empty();
    let words: Vec<Word> = words.iter().map(|word| Word::new(word, folder)).collect::<Result<_, _>>()?;
    let mut cases = Vec::new();
    let mut others = Vec::new();
    for case in catalog {
        if words.is_empty() || words.iter().any(|word| word.means(&case.id)) {
            cases.push(Selected { target: case.id.clone(), case });
        } else {
            others.push(case);
        }
    }
    let about = |error: &Error| words.is_empty() || words.iter().any(|word| word.may_mean(&error.file));
    let mut errors: Vec<Error> = catalog_errors.into_iter().filter(about).collect();
    for word in &words {
        let (own, own_errors) = word.load(&plugins);
        let found = !own.is_empty() || cases.iter().any(|selected: &Selected| word.means(&selected.case.id));
        let is_new = |case: &Case| cases.iter().all(|selected| selected.case.file != case.file);
        let own: Vec<Case> = own.into_iter().filter(is_new).collect();
        cases.extend(own.into_iter().map(|case| Selected { target: case.file.clone(), case }));
        let ids = || cases.iter().map(|selected| &selected.case).chain(&others).map(|case| case.id.as_str());
        let broken = !own_errors.is_empty() || errors.iter().any(|error| word.may_mean(&error.file));
        if !found && !broken {
            let near = meant(word.text(), ids());
            let list = match sdk {
                None => format!(" (`{} list` shows all)", program()),
                Some(_) => format!(" (`{} list --sdk` shows all of the SDK kit)", program()),
            };
            return Err(HarnessError::new(match word {
                _ if let Some(why) = sdk.and_then(|sdk| sdk.why_not(word.text())) => why,
                Word::Folder(folder) => format!("the folder {folder} has no cases, which are .toml files"),
                _ if near.is_empty() && word.text().contains('/') => {
                    format!("no case matches `{}`, and there is no such file or folder{list}", word.text())
                }
                _ => format!("no case matches `{}`{near}{list}", word.text()),
            }));
        }
        errors.extend(own_errors);
    }
    let twice = (1..cases.len()).find(|at| cases[..*at].iter().any(|one| one.case.id == cases[*at].case.id));
    if let Some(at) = twice {
        let Case { id, file, .. } = &cases[at].case;
        return Err(HarnessError::new(format!("{file}: a second case of the id `{id}`: rename it")));
    }
    Ok(Selection { cases, others, errors, catalog_is_whole })
}

/// A word of the command line.
enum Word<'a> {
    /// A part of ids.
    Part(&'a str),
    /// A file or folder of the catalog, as an id or a part of ids.
    Catalogued(String, &'a str),
    /// A file of the user's.
    File(&'a str),
    /// A folder of the user's.
    Folder(&'a str),
}

impl<'a> Word<'a> {
    fn new(word: &'a str, folder: Option<&Path>) -> Result<Word<'a>, HarnessError> {
        let path = Path::new(word);
        let is_case = path.extension().is_some_and(|extension| extension == "toml");
        if !path.exists() && !is_case {
            return Ok(Word::Part(word));
        }
        let whole = path.canonicalize().map_err(|error| HarnessError::io("read", word, &error))?;
        let folder = folder.and_then(|folder| folder.canonicalize().ok());
        let inside = folder.and_then(|folder| Some(whole.strip_prefix(folder).ok()?.to_owned()));
        match inside {
            Some(inside) if inside.as_os_str().is_empty() => Ok(Word::Catalogued(String::new(), word)),
            Some(inside) => {
                let id = inside.with_extension("").to_string_lossy().replace('\\', "/");
                Ok(Word::Catalogued(if path.is_dir() { format!("{id}/") } else { id }, word))
            }
            None if path.is_dir() => Ok(Word::Folder(word)),
            None if is_case => Ok(Word::File(word)),
            None => Err(HarnessError::new(format!("{word} is not a case: cases are .toml files, or folders of them"))),
        }
    }

    /// As it was written.
    fn text(&self) -> &'a str {
        match self {
            Word::Part(word) | Word::Catalogued(_, word) | Word::File(word) | Word::Folder(word) => word,
        }
    }

    /// Whether it means the catalog's case of that id.
    fn means(&self, id: &str) -> bool {
        match self {
            Word::Part(part) => id.contains(part),
            Word::Catalogued(own, _) => {
                own.is_empty() || id == own || own.ends_with('/') && id.starts_with(own.as_str())
            }
            Word::File(_) | Word::Folder(_) => false,
        }
    }

    /// Whether it may mean a file of the catalog that could not be read.
    fn may_mean(&self, file: &str) -> bool {
        match self {
            Word::Part(part) => file.contains(part),
            Word::Catalogued(own, _) => file.contains(own.as_str()),
            Word::File(_) | Word::Folder(_) => false,
        }
    }

    /// The cases of a file or folder of the user's, which may be about these plugins of the SDK kit.
    fn load(&self, plugins: Plugins<'_>) -> (Vec<Case>, Vec<Error>) {
        match self {
            Word::Part(_) | Word::Catalogued(..) => (Vec::new(), Vec::new()),
            Word::Folder(folder) => catalog::load_with(Path::new(folder), plugins),
            Word::File(file) => {
                let path = Path::new(file);
                match catalog::load_file(path, path.parent().unwrap_or(Path::new("")), plugins) {
                    Ok(case) => (vec![case], Vec::new()),
                    Err(error) => (Vec::new(), vec![error]),
                }
            }
        }
    }
}
