//! What variations find: each cause once, in the smallest case that shows it, as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pw_abi::Version;
use pw_cases::case::Case;
use pw_cases::scenario::Scenario;
use pw_fuzz::canonical::canonical;
use pw_fuzz::shrink::{Reduce, shrink};
use pw_harness::error::HarnessError;
use pw_harness::invocation::Invocation;
use pw_reference::Reference;

use super::tried::Tried;
use super::vary::Variation;
use super::watch::{Cause, Fault, Piece, watch};

/// How many smaller versions of a find are tried at most.
const MAX_TRIES: u32 = 500;
/// How many cases and variations are named.
const NAMED: usize = 3;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Finds<'a> {
    found: Vec<Find<'a>>,
    /// By plugin and what came as it was sent: the variations, each with its cases.
    passed: BTreeMap<(String, String), BTreeMap<usize, BTreeSet<&'a str>>>,
}

/// A cause, and what shows it.
struct Find<'a> {
    /// The first plugin that shows it, in the case below.
    plugin: String,
    plugins: BTreeSet<String>,
    fault: Fault,
    /// A case shows it as it is.
    is_shown: bool,
    /// A host that is right shows it.
    is_specified: bool,
    /// The first variation that shows it.
    variation: usize,
    scenario: Scenario,
    case: &'a Case,
    version: Version,
    cases: BTreeSet<&'a str>,
    variations: BTreeSet<usize>,
}

/// A find that was written down.
pub(crate) struct Kept {
    plugins: Vec<String>,
    fault: Fault,
    variations: Vec<String>,
    cases: Vec<String>,
    file: String,
    version: Version,
}

impl<'a> Finds<'a> {
    /// Adds a fault of a plugin.
    pub(crate) fn add(
        &mut self,
        is_shown: bool,
        plugin: String,
        (variation, is_specified): (usize, bool),
        one: &'a Tried<'a>,
        scenario: Scenario,
        fault: Fault,
    ) {
        let case = &one.selected.case;
        let known = self.found.iter_mut().find(|find| find.fault.cause.is_same(&fault.cause));
        let Some(find) = known else {
            let (cases, variations) = ([case.id.as_str()].into(), [variation].into());
            let version = one.version;
            self.found.push(Find {
                plugins: [plugin.clone()].into(),
                plugin,
                fault,
                is_shown,
                is_specified,
                variation,
                scenario,
                case,
                version,
                cases,
                variations,
            });
            return;
        };
        find.is_shown |= is_shown;
        find.plugins.insert(plugin.clone());
        find.cases.insert(&case.id);
        find.variations.insert(variation);
        let order =
            |specified: bool, variation: usize, scenario: &Scenario| (!specified, variation, scenario.steps.len());
        if order(is_specified, variation, &scenario) < order(find.is_specified, find.variation, &find.scenario) {
            let version = one.version;
            find.is_specified = is_specified;
            (find.plugin, find.fault, find.variation) = (plugin, fault, variation);
            (find.scenario, find.case, find.version) = (scenario, case, version);
        }
    }

    /// Adds something that came as it was sent, though usually it does not.
    pub(crate) fn pass(&mut self, plugin: String, piece: Piece, variation: usize, one: &'a Tried<'a>) {
        let variations = self.passed.entry((plugin, piece.to_string())).or_default();
        variations.entry(variation).or_default().insert(&one.selected.case.id);
    }

    /// How many causes the cases show as they are.
    pub(crate) fn shown(&self) -> usize {
        self.found.iter().filter(|find| find.is_shown).count()
    }

    /// Makes each of the others small, and writes it into the folder.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(crate) fn keep(
        &mut self,
        host: &Reference,
        variations: &[Variation],
        folder: &Path,
    ) -> Result<Vec<Kept>, HarnessError> {
        self.found.sort_by(|one, other| {
            (&one.plugin, &one.fault.cause, one.variation).cmp(&(&other.plugin, &other.fault.cause, other.variation))
        });
        let mut written = BTreeSet::new();
        let new = self.found.iter().filter(|find| !find.is_shown && find.is_specified);
        new.map(|find| find.keep(host, variations, folder, &mut written)).collect()
    }

    /// What came as it was sent, in lines.
    pub(crate) fn notes(&self, variations: &[Variation]) -> String {
        let note = |((plugin, piece), shown): (&(String, String), &BTreeMap<usize, BTreeSet<&str>>)| {
            let names = shown.keys().map(|number| variations[*number].name());
            let cases: BTreeSet<&str> = shown.values().flatten().copied().collect();
            format!(
                "note  {plugin}: lets {piece} pass as it came, which it usually does not\n      host   {}\n      cases  {}\n",
                list(names.collect()),
                list(cases.into_iter().map(str::to_owned).collect())
            )
        };
        let full = |find: &&Find<'_>| !find.is_shown && !find.is_specified;
        let full = self.found.iter().filter(full).map(|find| {
            let names = find.variations.iter().map(|number| variations[*number].name());
            let cases = find.cases.iter().map(|id| (*id).to_owned());
            format!(
                "note  {}: {}, which the specification does not name\n      host   {}\n      cases  {}\n",
                list(find.plugins.iter().cloned().collect()),
                find.fault.cause,
                list(names.collect()),
                list(cases.collect())
            )
        });
        self.passed.iter().map(note).chain(full).collect()
    }
}

impl Find<'_> {
    fn keep(
        &self,
        host: &Reference,
        variations: &[Variation],
        folder: &Path,
        written: &mut BTreeSet<String>,
    ) -> Result<Kept, HarnessError> {
        let (scenario, fault) = self.smallest(host);
        // The one that the file is about comes first.
        let others = self.variations.iter().filter(|number| **number != self.variation);
        let names: Vec<String> =
            [&self.variation].into_iter().chain(others).map(|number| variations[*number].name()).collect();
        let title = format!("{}: it does not trap where {}", self.plugin, names[0]);
        let beside = |module: &str| relative(folder, &Path::new(&self.case.file).with_file_name(module));
        let why = format!("it {}", fault.cause);
        let text = self.case.rewritten(self.version, &scenario, (&title, &why), beside);
        let stem = Path::new(&self.plugin)
            .file_stem()
            .map_or_else(|| self.plugin.clone(), |stem| stem.to_string_lossy().into_owned());
        let name = (1..).map(|number| match number {
            1 => format!("{stem}_{}", fault.cause.slug()),
            _ => format!("{stem}_{}_{number}", fault.cause.slug()),
        });
        let name = name.into_iter().find(|name| written.insert(name.clone())).unwrap_or_default();
        let file = folder.join(name).with_extension("toml");
        fs::write(&file, text).map_err(|error| HarnessError::io("write", file.display(), &error))?;
        Ok(Kept {
            plugins: self.plugins.iter().cloned().collect(),
            fault,
            variations: names,
            cases: self.cases.iter().map(|id| (*id).to_owned()).collect(),
            file: file.display().to_string(),
            version: self.version,
        })
    }

    /// The smallest scenario that is found, as a case file, to show the same; it was found itself, and so shows it in any case.
    fn smallest(&self, host: &Reference) -> (Scenario, Fault) {
        let mut best = (self.scenario.clone(), self.fault.clone());
        let mut shows = |scenario: &Scenario| -> Result<bool, String> {
            let Some(fault) = self.shows(host, scenario) else { return Ok(false) };
            best = (scenario.clone(), fault);
            Ok(true)
        };
        let mut first = self.scenario.clone();
        canonical(&mut first);
        // A candidate that cannot be run is none; there is no error.
        if shows(&first) == Ok(true) {
            let _ = shrink(&first, Reduce::All, MAX_TRIES, &mut shows);
        }
        best
    }

    /// The fault of the same cause that a scenario shows, written down and read back.
    fn shows(&self, host: &Reference, scenario: &Scenario) -> Option<Fault> {
        let text = self.case.rewritten(self.version, scenario, ("t", ""), str::to_owned);
        let case = self.case.read_again(&text).ok()?;
        let scenario = case.lower(self.version).ok()?.scenario;
        let fault = watch(host, &scenario).ok()?.fault?;
        let is_same = |cause: &Cause| cause.is_same(&self.fault.cause) && cause.plugin == self.fault.cause.plugin;
        is_same(&fault.cause).then_some(fault)
    }
}

impl Kept {
    /// What was found, and how to see it.
    pub(crate) fn text(&self, invocation: &Invocation) -> String {
        let Kept { plugins, fault, variations, cases, file, version } = self;
        let complaint = fault.complaint.as_ref().map_or(String::new(), |line| format!("      logged {line}\n"));
        format!(
            "find  {}: {}\n      host   {}\n      cases  {}\n{complaint}      {}\n      {}\n",
            list(plugins.clone()),
            fault.cause,
            list(variations.clone()),
            list(cases.clone()),
            fault.reason,
            invocation.explain(file, *version)
        )
    }
}

/// The first of these, and how many more there are.
pub(crate) fn list(names: Vec<String>) -> String {
    match names.len().checked_sub(NAMED).filter(|more| *more > 1) {
        Some(more) => format!("{}; and {more} more", names[..NAMED].join("; ")),
        None => names.join("; "),
    }
}

/// The path of a file from a folder on, as a case file there names it.
fn relative(folder: &Path, file: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (folder, file) = (whole(folder), whole(file));
    let shared = folder.components().zip(file.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(file.components().skip(shared)).collect();
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_from_another_folder() {
        let rows = [("/a/finds", "/a/cases/m.wasm", "../cases/m.wasm"), ("/a", "/a/m.wasm", "m.wasm")];
        for (folder, file, path) in rows {
            assert_eq!(relative(Path::new(folder), Path::new(file)), path);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let list = |count: usize| list((1..=count).map(|number| number.to_string()).collect());
        assert_eq!(list(4), "1; 2; 3; 4");
        assert_eq!(list(5), "1; 2; 3; and 2 more");
    }
}
