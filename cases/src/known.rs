//! The expected failures of a host: which cases fail on it, what it does instead, and why.
//!
//! They are in `known/<host>.toml`. Knows nothing of runs, and reads no files.
//!
//! ```toml
//! [[known]]
//! case   = "http_fields/get_value_missing_key"     # an id, with `*` for anything, or a list of these
//! abi    = "0.2.0.."                               # as in a case; left out: all versions
//! clause = "proxy_get_header_map_value/NOT_FOUND"  # or a list; not in a file about an SDK
//! does   = "answers OK and an empty value"         # what the host does instead
//! why    = "its map cannot tell the two apart"     # why it does that, and why the case is right
//! link   = "https://github.com/…"                  # may be left out
//! host   = "1.38.."                                # versions of the host, as `abi`: `..1.38` has 1.38.3; left out: all
//! on     = "envoy"                                 # in a file about an SDK: the host, or a list; left out: all
//! sdk    = "proxy-wasm"                            # in a file about a host and the SDK kit: the SDK, or a list; left out: all
//! differs = "proxy_get_header_map_value/NOT_FOUND: OK"  # how `fuzz --host` reports it, or a list; may be left
//!                                                  # out. `*` in place of the clause stands for any; `after` and calls, such
//!                                                  # as `after proxy_on_log/proxy_continue_stream`, may follow
//! ```
//!
//! An entry about functions that a host does not link has `lacks` in place of `case`, and covers all cases that fail for that:
//!
//! ```toml
//! [[known]]
//! lacks  = ["proxy_get_status", "proxy_set_tick_period_milliseconds"]
//! why    = "the host was written before they were (src/imports.c)"
//! ```
//!
//! An entry about plugins that need more and more memory has `leaks` in place of `case`: the cases that `--leaks` finds them with.

use pw_abi::Version;

use crate::case::Case;
use crate::clause;
use crate::departure::Departure;
use crate::format::{self, Complaint, Error, Node, Read, Table, Value, meant};

/// What is known of a host.
#[derive(Clone, Debug, Default)]
pub struct ExpectedFailures {
    file: String,
    entries: Vec<Known>,
    /// What the host is known to get wrong in cases of the SDK kit.
    faults: Vec<Known>,
}

/// One departure of a host.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its line in the file.
    pub line: usize,
    patterns: Vec<(usize, String)>,
    /// The cases whose plugins leak: the entry is about nothing else then.
    leaks: Vec<(usize, String)>,
    versions: Vec<Version>,
    hosts: Hosts,
    /// The hosts that it is about; none means all.
    names: Vec<String>,
    /// The SDKs that it is about; none means all.
    sdks: Vec<String>,
    /// It is about the host that is run.
    applies: bool,
    /// The functions that the host does not link: the entry is about all cases that cite one of them.
    pub lacks: Vec<String>,
    /// The clauses that it departs from.
    pub clauses: Vec<String>,
    /// What it does instead.
    pub does: String,
    /// Why.
    pub why: String,
    /// Where more is said.
    pub link: Option<String>,
    /// How `fuzz --host` reports it.
    pub differs: Vec<Differs>,
}

impl Known {
    fn functions(&self) -> impl Iterator<Item = &str> {
        self.lacks.iter().map(String::as_str)
    }
}

/// What a file is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Sdk,
    /// A host, in cases of the SDK kit.
    Kit,
}

impl Kind {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Kind::Host => &["case", "lacks", "abi", "clause", "does", "why", "link", "host", "differs"],
            Kind::Sdk => &["case", "leaks", "abi", "does", "why", "link", "on", "host"],
            Kind::Kit => &["case", "abi", "does", "why", "link", "sdk", "host"],
        }
    }
}

/// A range of versions of a host. A bound means all versions that begin with it.
#[derive(Clone, Debug, Default)]
struct Hosts {
    since: Vec<u64>,
    until: Option<Vec<u64>>,
}

impl Hosts {
    fn contain(&self, version: &str) -> bool {
        let version = numbers(version);
        let until = self.until.as_ref();
        version >= self.since && until.is_none_or(|until| version.iter().take(until.len()).le(until.iter()))
    }
}

/// The numbers of a version: of `1.36.2-dev` 1, 36 and 2.
fn numbers(version: &str) -> Vec<u64> {
    let digits = |part: &str| part[..part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len())].parse().ok();
    version.trim_start_matches('v').split('.').map_while(digits).collect()
}

/// A departure as `fuzz --host` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// What it is about; none stands for anything.
    pub clause: Option<String>,
    /// What the host does instead.
    pub instead: Departure,
    /// What the plugin has called before: functions, or `callback/function`.
    pub after: Vec<String>,
}

impl ExpectedFailures {
    /// Reads the text of such a file about a host; `file` is its path for messages.
    pub fn parse(file: &str, source: &str) -> Result<ExpectedFailures, Error> {
        ExpectedFailures::read(file, source, Kind::Host)
    }

    /// Reads the text of such a file about an SDK.
    pub fn parse_of_sdk(file: &str, source: &str) -> Result<ExpectedFailures, Error> {
        ExpectedFailures::read(file, source, Kind::Sdk)
    }

    /// Reads the text of such a file about a host in cases of the SDK kit.
    pub fn parse_of_kit(file: &str, source: &str) -> Result<ExpectedFailures, Error> {
        ExpectedFailures::read(file, source, Kind::Kit)
    }

    fn read(file: &str, source: &str, kind: Kind) -> Result<ExpectedFailures, Error> {
        let read = || -> Read<Vec<Known>> {
            let root = format::read(source)?;
            root.table(&["known"])?.items("known")?.iter().map(|node| known(node, kind)).collect()
        };
        let error = |Complaint { line, message }| Error { file: file.to_owned(), line, message };
        let all = |entries| ExpectedFailures { file: file.to_owned(), entries, faults: Vec::new() };
        read().map(all).map_err(error)
    }

    /// The path that it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Those of a host of this name and version, such as `envoy` and `1.36.4`. The others stay, for [`ExpectedFailures::check`].
    #[must_use]
    pub fn of_host(mut self, name: &str, version: &str) -> ExpectedFailures {
        for entry in self.entries.iter_mut().chain(&mut self.faults) {
            let is_named = entry.names.is_empty() || entry.names.iter().any(|known| known == name);
            entry.applies = is_named && entry.hosts.contain(version);
        }
        self
    }

    /// These failures of an SDK, with what a host is known to get wrong in cases of the SDK kit: there no plugin can pass, and it is no fault of the SDK.
    #[must_use]
    pub fn with_faults(mut self, host: ExpectedFailures, sdk: &str) -> ExpectedFailures {
        self.faults = host.entries;
        self.faults.retain(|fault| fault.sdks.is_empty() || fault.sdks.iter().any(|known| known == sdk));
        self
    }

    /// What the host is known to get wrong in that case of the SDK kit.
    pub fn fault(&self, id: &str, version: Version) -> Option<&Known> {
        let mut faults = self.faults.iter().filter(|fault| fault.applies && fault.versions.contains(&version));
        faults.find(|fault| fault.patterns.iter().any(|(_, pattern)| is(pattern, id)))
    }

    /// The entry about the case in that version.
    pub fn find(&self, id: &str, version: Version) -> Option<&Known> {
        self.entries(version).find(|entry| entry.patterns.iter().any(|(_, pattern)| is(pattern, id)))
    }

    /// The entry that says that a case's plugins leak in that version.
    pub fn leak(&self, id: &str, version: Version) -> Option<&Known> {
        self.entries(version).find(|entry| entry.leaks.iter().any(|(_, pattern)| is(pattern, id)))
    }

    /// The entry that says of the first of these functions that the host does not link it, if there is one for each of them.
    pub fn lacking(&self, functions: &[&str], version: Version) -> Option<&Known> {
        let entry =
            |function: &&str| self.entries(version).find(|entry| entry.functions().any(|known| known == *function));
        functions.iter().map(entry).collect::<Option<Vec<_>>>()?.first().copied()
    }

    /// The functions that a host lacks by these entries, and that it links all the same, with the entry of each. `lacks` is what it does not link of
    /// a version.
    pub fn stale_lacks(&self, version: Version, lacks: &[&str]) -> Vec<(&Known, &str)> {
        let all = self.entries(version).flat_map(|entry| entry.functions().map(move |function| (entry, function)));
        let links = |function: &str| !lacks.contains(&function) && pw_abi::host_function(version, function).is_some();
        all.filter(|(_, function)| links(function)).collect()
    }

    /// The entries for that version.
    pub fn entries(&self, version: Version) -> impl Iterator<Item = &Known> {
        self.entries.iter().filter(move |entry| entry.applies && entry.versions.contains(&version))
    }

    /// What in it is about none of `cases`.
    pub fn check(&self, cases: &[&Case]) -> Vec<Error> {
        let all = |entry: &Known| entry.patterns.iter().chain(&entry.leaks).cloned().collect::<Vec<_>>();
        let patterns: Vec<(&Known, (usize, String))> =
            self.entries.iter().flat_map(|entry| all(entry).into_iter().map(move |pattern| (entry, pattern))).collect();
        let error = |line, message| Some(Error { file: self.file.clone(), line, message });
        let complaint = |(entry, (line, pattern)): &(&Known, (usize, String))| {
            let about: Vec<&&Case> = cases.iter().filter(|case| is(pattern, &case.id)).collect();
            if about.is_empty() {
                let meant = meant(pattern, cases.iter().map(|case| case.id.as_str()));
                return error(*line, format!("no case `{pattern}`{meant}"));
            }
            let runs = about.iter().any(|case| case.versions.iter().any(|version| entry.versions.contains(version)));
            if runs { None } else { error(*line, format!("`{pattern}` does not run in the versions of this entry")) }
        };
        patterns.iter().filter_map(complaint).collect()
    }
}

fn known(node: &Node, kind: Kind) -> Read<Known> {
    let table = node.table(kind.keys())?;
    let versions = table.map("abi", clause::versions)?.unwrap_or(Version::ALL.to_vec());
    let is_about_clauses = kind == Kind::Host && table.find("lacks").is_none();
    let clauses = if is_about_clauses { one_or_more(table.need("clause")?)? } else { Vec::new() };
    let clauses = clauses.into_iter().map(|node| clause::clause(node, &versions)).collect::<Read<_>>()?;
    let functions = table.map("lacks", one_or_more)?.unwrap_or_default();
    let lacks = functions.into_iter().map(|node| function(node, &versions)).collect::<Read<Vec<_>>>()?;
    let places =
        |nodes: Vec<&Node>| nodes.into_iter().map(|node| Ok((node.line, node.text()?.to_owned()))).collect::<Read<_>>();
    let leaks: Vec<(usize, String)> = places(table.map("leaks", one_or_more)?.unwrap_or_default())?;
    let patterns = match table.find("case") {
        Some(node) if !leaks.is_empty() => return node.complain("an entry has one of `case` and `leaks`"),
        None if !leaks.is_empty() => Vec::new(),
        Some(node) if !lacks.is_empty() => return node.complain("an entry has one of `case` and `lacks`"),
        None if !lacks.is_empty() => Vec::new(),
        _ => one_or_more(table.need("case")?)?,
    };
    let missing = |lacks: &[String]| format!("it does not link {}", lacks.join(", "));
    Ok(Known {
        line: node.line,
        patterns: places(patterns)?,
        leaks,
        versions,
        hosts: table.map("host", hosts)?.unwrap_or_default(),
        names: texts(&table, "on")?,
        sdks: texts(&table, "sdk")?,
        applies: true,
        clauses,
        does: match table.find("does") {
            None if !lacks.is_empty() => missing(&lacks),
            _ => sentence(table.need("does")?, kind)?,
        },
        lacks,
        why: sentence(table.need("why")?, kind)?,
        link: table.map("link", |node| node.text().map(str::to_owned))?,
        differs: table
            .map("differs", |node| one_or_more(node)?.into_iter().map(differs).collect())?
            .unwrap_or_default(),
    })
}

/// A text or several; none if the key is left out.
fn texts(table: &Table<'_>, key: &str) -> Read<Vec<String>> {
    let nodes = table.map(key, one_or_more)?.unwrap_or_default();
    nodes.into_iter().map(|node| node.text().map(str::to_owned)).collect()
}

/// A host function of one of the versions.
fn function(node: &Node, versions: &[Version]) -> Read<String> {
    let name = node.text()?;
    let names: Vec<&str> =
        versions.iter().flat_map(|version| pw_abi::host_functions(*version)).map(|row| row.name).collect();
    match versions.iter().any(|version| pw_abi::host_function(*version, name).is_some()) {
        true => Ok(name.to_owned()),
        false => node
            .complain(format!("no function `{name}` in the versions of this entry{}", meant(name, names.into_iter()))),
    }
}

fn hosts(node: &Node) -> Read<Hosts> {
    let text = node.text()?;
    let (since, until) = text.split_once("..").unwrap_or((text, text));
    match (bound(since), bound(until)) {
        (Some(since), Some(until)) if !(since.is_empty() && until.is_empty()) => {
            Ok(Hosts { since, until: (!until.is_empty()).then_some(until) })
        }
        _ => node.complain("this needs versions of the host: `1.38`, `1.38..`, `..1.38` or `1.36..1.38`"),
    }
}

fn bound(text: &str) -> Option<Vec<u64>> {
    text.split('.').filter(|_| !text.is_empty()).map(|part| part.parse().ok()).collect()
}

fn differs(node: &Node) -> Read<Differs> {
    let Some((clause, instead)) = node.text()?.split_once(": ") else {
        return node.complain("this needs a clause, `: `, and what the host does instead");
    };
    let (instead, after) = instead.split_once(" after ").unwrap_or((instead, ""));
    Ok(Differs {
        clause: (clause != "*").then(|| clause.to_owned()),
        instead: instead.parse().or_else(|message: String| node.complain(message))?,
        after: after.split(", ").filter(|call| !call.is_empty()).map(str::to_owned).collect(),
    })
}

fn one_or_more(node: &Node) -> Read<Vec<&Node>> {
    match &node.value {
        Value::List(items) if items.is_empty() => node.complain("the list is empty"),
        Value::List(items) => Ok(items.iter().collect()),
        _ => Ok(vec![node]),
    }
}

fn sentence(node: &Node, kind: Kind) -> Read<String> {
    match node.text()?.trim().trim_end_matches('.') {
        "" if kind == Kind::Sdk => node.complain(
            "this is empty: write what the plugin does, or the cause in the SDK, with file and line (docs/sdks.md has examples)",
        ),
        "" => node
            .complain("this is empty: write why the host differs, or what it does (docs/verdicts.md has an example)"),
        text => Ok(text.to_owned()),
    }
}

/// Whether `id` is meant by the pattern, in which `*` stands for anything.
fn is(pattern: &str, id: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == id };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let rest = id.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    let skip_past = |rest: &mut &str, part: &str| {
        let at = rest.find(part)?;
        *rest = &rest[at + part.len()..];
        Some(())
    };
    rest.is_some_and(|mut rest| middle.split('*').all(|part| skip_past(&mut rest, part).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[known]]\ncase = [\"a/one\", \"b/*\", \"c/*.e\"]\nabi = \"0.2.0..\"\nclause = \"proxy_log/OK\"\n\
        does = \"Nothing.\"\nwhy = \"it sleeps\"\n";

    fn case(id: &str, abi: &str) -> Case {
        let source = format!("title = \"t\"\nclause = [\"proxy_log/OK\"]\nlevel = \"required\"\nabi = \"{abi}\"\n");
        format::parse(id, id, &source, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn read_known(source: &str) -> ExpectedFailures {
        ExpectedFailures::parse("known/x.toml", source).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn an_entry_is_found_by_id_prefix_and_version() {
        let known = read_known(ENTRY);
        let rows = [
            ("a/one", Version::V0_2_0, true),
            ("a/one", Version::V0_1_0, false),
            ("a/one_more", Version::V0_2_1, false),
            ("b/any", Version::V0_2_1, true),
            ("b", Version::V0_2_1, false),
            ("bc/any", Version::V0_2_1, false),
            ("c/d.e", Version::V0_2_1, true),
            ("c/x/d.e", Version::V0_2_1, true),
            ("c/d.e.f", Version::V0_2_1, false),
        ];
        for (id, version, found) in rows {
            assert_eq!(known.find(id, version).is_some(), found, "{id} {version}");
        }
        let entry = known.find("a/one", Version::V0_2_1).map(|entry| (entry.line, entry.does.as_str()));
        assert_eq!(entry, Some((1, "Nothing")));
    }

    #[test]
    fn a_fault_of_a_host_is_no_failure_of_the_sdk() {
        let faults = "[[known]]\ncase = \"tcp/*\"\nsdk = \"s\"\nabi = \"0.2.1\"\nhost = \"..1.2\"\ndoes = \"sleeps\"\nwhy = \"it can\"\n";
        let faults =
            ExpectedFailures::parse_of_kit("known/kit/x.toml", faults).unwrap_or_else(|error| panic!("{error}"));
        let known = ExpectedFailures::default().with_faults(faults.clone(), "s").of_host("x", "1.2.9");
        assert!(known.find("tcp/a", Version::V0_2_1).is_none());
        assert_eq!(known.fault("tcp/a", Version::V0_2_1).map(|fault| fault.does.as_str()), Some("sleeps"));
        assert!(known.fault("tcp/a", Version::V0_2_0).is_none() && known.fault("udp/a", Version::V0_2_1).is_none());
        assert!(ExpectedFailures::default().with_faults(faults, "t").fault("tcp/a", Version::V0_2_1).is_none());
        assert!(known.of_host("x", "1.3").fault("tcp/a", Version::V0_2_1).is_none());
    }

    #[test]
    fn an_entry_about_leaks_is_about_nothing_else() {
        let entry = "[[known]]\nleaks = \"a/*\"\nabi = \"0.2.0..\"\ndoes = \"grows\"\nwhy = \"it keeps all\"\n";
        let known = ExpectedFailures::parse_of_sdk("known.toml", entry).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(known.leak("a/one", Version::V0_2_1).map(|entry| entry.line), Some(1));
        assert!(known.leak("a/one", Version::V0_1_0).is_none() && known.leak("b/one", Version::V0_2_1).is_none());
        assert!(known.find("a/one", Version::V0_2_1).is_none());
        assert_eq!(known.check(&[&case("b/one", "0.2.0..")]).len(), 1);
        let both = ExpectedFailures::parse_of_sdk("known.toml", &format!("{entry}case = \"a/one\"\n"));
        assert!(both.is_err_and(|error| error.message.contains("one of `case` and `leaks`")));
        assert!(ExpectedFailures::parse("known.toml", entry).is_err(), "a host has no such entries");
    }

    #[test]
    fn entries_about_no_case_are_errors() {
        let errors =
            read_known(ENTRY).check(&[&case("a/two", "0.2.0.."), &case("b/x", "0.1.0"), &case("c/d.e", "0.2.0..")]);
        let errors: Vec<String> = errors.iter().map(Error::to_string).collect();
        assert_eq!(
            errors,
            [
                "known/x.toml:2: no case `a/one`, did you mean `a/two`?",
                "known/x.toml:2: `b/*` does not run in the versions of this entry",
            ]
        );
    }

    #[test]
    fn an_entry_may_be_about_some_versions_of_the_host() {
        let rows = [
            ("1.38..", ["1.37.9", "1.38.0", "2.0"], [false, true, true]),
            ("..1.38", ["1.36", "1.38.3", "1.39.0"], [true, true, false]),
            ("1.36..1.38", ["1.35.9", "1.36.1", "1.38.12"], [false, true, true]),
            ("1.4", ["1.4.0-dev", "1.40.0", "main"], [true, false, false]),
            ("1.10..", ["1.9", "v1.10", "1.11"], [false, true, true]),
        ];
        for (range, hosts, found) in rows {
            let known = read_known(&format!("{ENTRY}host = \"{range}\"\n"));
            let is_found = |host: &str| known.clone().of_host("x", host).find("a/one", Version::V0_2_1).is_some();
            assert_eq!(hosts.map(is_found), found, "{range}: {hosts:?}");
        }
        let other = read_known(&format!("{ENTRY}host = \"1.2\"\n")).of_host("x", "1.3");
        assert_eq!(other.check(&[&case("a/one", "0.2.0..")]).len(), 2, "`b/*` and `c/*.e` are wrong for any host");
    }

    #[test]
    fn what_a_campaign_reports_is_read() {
        let source = format!("{ENTRY}differs = [\"proxy_log/OK: other values\", \"*: crashes with x after a/b, c\"]\n");
        let known = read_known(&source);
        let found: Vec<&Differs> = known.entries(Version::V0_2_0).flat_map(|entry| &entry.differs).collect();
        let row = |clause: Option<&str>, instead: &str, after: &[&str]| Differs {
            clause: clause.map(str::to_owned),
            instead: instead.parse().unwrap_or_else(|error| panic!("{error}")),
            after: after.iter().map(|call| (*call).to_owned()).collect(),
        };
        assert_eq!(
            found,
            [&row(Some("proxy_log/OK"), "other values", &[]), &row(None, "crashes with x", &["a/b", "c"])]
        );
        assert_eq!(known.entries(Version::V0_1_0).count(), 0);
    }

    #[test]
    fn errors_name_the_line() {
        let hosts = "known/x.toml:7: this needs versions of the host: `1.38`, `1.38..`, `..1.38` or `1.36..1.38`";
        for range in ["", "..", "1.x", "1..2..3", "-1"] {
            let error =
                ExpectedFailures::parse("known/x.toml", &format!("{ENTRY}host = \"{range}\"\n")).expect_err(range);
            assert_eq!(error.to_string(), hosts, "{range}");
        }
        let rows = [
            ("[[known]]\ncase = \"a\"\nclaus = 1", "known/x.toml:3: unknown key `claus`, did you mean `clause`?"),
            ("[[known]]\ncase = \"a\"", "known/x.toml:1: `clause` is missing"),
            ("[[known]]\ncase = \"a\"\nclause = []", "known/x.toml:3: the list is empty"),
            (
                "[[known]]\ncase = \"a\"\nclause = \"proxy_log/OK\"\ndoes = \" \"",
                "known/x.toml:4: this is empty: write why the host differs, or what it does (docs/verdicts.md has an example)",
            ),
            (
                "[[known]]\ncase = \"a\"\nclause = \"proxy_log/OK\"\ndoes = \"x\"\nwhy = \"y\"\ndiffers = \"z\"",
                "known/x.toml:6: this needs a clause, `: `, and what the host does instead",
            ),
        ];
        for (source, message) in rows {
            let error = ExpectedFailures::parse("known/x.toml", source).expect_err(source);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_entry_may_be_about_some_hosts() {
        let source = "[[known]]\ncase = \"a/one\"\ndoes = \"d\"\nwhy = \"w\"\non = [\"x\", \"y\"]\n";
        let known = ExpectedFailures::parse_of_sdk("known.toml", source).unwrap_or_else(|error| panic!("{error}"));
        let is_found = |host: &str| known.clone().of_host(host, "1").find("a/one", Version::V0_2_1).is_some();
        assert_eq!(["x", "y", "z"].map(is_found), [true, true, false]);
    }

    #[test]
    fn an_entry_may_be_about_functions_that_the_host_lacks() {
        let known = read_known("[[known]]\nlacks = [\"proxy_get_status\", \"proxy_log\"]\nwhy = \"it is old\"\n");
        let does = |functions: &[&str]| known.lacking(functions, Version::V0_2_1).map(|known| known.does.as_str());
        let all = Some("it does not link proxy_get_status, proxy_log");
        assert_eq!((does(&["proxy_log"]), does(&["proxy_log", "proxy_get_status"])), (all, all));
        assert_eq!(does(&["proxy_log", "proxy_done"]), None, "no entry has the second");
        assert!(known.find("a/one", Version::V0_2_1).is_none());
        let stale = |version, lacks: &[&str]| -> Vec<String> {
            known.stale_lacks(version, lacks).into_iter().map(|(_, function)| function.to_owned()).collect()
        };
        assert_eq!(stale(Version::V0_2_1, &["proxy_log"]), ["proxy_get_status"]);
        assert!(stale(Version::V0_2_1, &["proxy_log", "proxy_get_status", "proxy_done"]).is_empty());
        assert_eq!(stale(Version::V0_1_0, &[]), ["proxy_get_status", "proxy_log"]);
        let rows = [
            (
                "lacks = \"proxy_lgo\"\nwhy = \"w\"\n",
                "no function `proxy_lgo` in the versions of this entry, did you mean `proxy_log`?",
            ),
            ("lacks = \"proxy_log\"\ncase = \"a\"\nwhy = \"w\"\n", "an entry has one of `case` and `lacks`"),
        ];
        for (text, message) in rows {
            let error = ExpectedFailures::parse("x", &format!("[[known]]\n{text}")).expect_err("it is wrong");
            assert!(error.to_string().ends_with(message), "{error}");
        }
    }
}
