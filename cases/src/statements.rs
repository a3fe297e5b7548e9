//! The statements of the specification, in our words: `statements/<section>.toml`. Each sentence that binds a host or a plugin is one, and
//! cases cite them.
//!
//! ```toml
//! [[statement]]
//! id = "get_value_missing"                 # unique in the file; cases cite `http_fields/get_value_missing`
//! level = "must"                           # must, should or may, as strong as the text is
//! who = "host"                             # whom it binds: host or plugin
//! abi = "0.2.0.."                          # as in a case; left out: all versions
//! says = "proxy_get_header_map_value returns NOT_FOUND if the map has no value for the key."
//! clause = "proxy_get_header_map_value/NOT_FOUND"
//! open = "…"                               # what the text leaves undecided; mostly left out
//! uncheckable = "…"                        # why no case can check it; mostly left out
//! missing = "…"                            # why no case checks it yet; mostly left out
//! lines = { "0.2.0" = 612, "0.2.1" = 655 } # in README.md of each version
//! digests = { "0.2.0" = "…", "0.2.1" = "…" } # of the sentence, see below
//! ```
//!
//! A digest is the first twelve hexadecimal digits of the SHA-256 of the sentence in lower case, without marks of Markdown. It tells
//! whether a later text says the same.

use std::sync::LazyLock;

use pw_abi::Version;

use crate::clause;
use crate::node::{self, Complaint, Error, Node, Read, meant};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Such as `http_fields/get_value_missing`.
    pub id: String,
    /// Its line in our file.
    pub line: usize,
    /// How strong it is.
    pub strength: Strength,
    /// Whom it binds.
    pub binds: Party,
    /// The versions that have it.
    pub versions: Vec<Version>,
    /// What it says, in our words.
    pub says: String,
    /// The clause that it belongs to.
    pub clause: String,
    /// What the text leaves undecided.
    pub open: Option<String>,
    /// Why no case can check it.
    pub uncheckable: Option<String>,
    /// Why no case checks it yet.
    pub missing: Option<String>,
    /// Where the texts say it.
    pub places: Vec<Place>,
}

/// Where the text of a version says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The version.
    pub version: Version,
    /// The line of its README.md.
    pub line: u32,
    /// The digest of the sentence.
    pub digest: String,
}

/// How strong a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the terms of RFC 2119")]
pub enum Strength {
    Must,
    Should,
    May,
}

/// Whom a statement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Party {
    Host,
    Plugin,
}

impl Statement {
    /// The link to the sentence in the text of a version: to its line, if the version has it, otherwise to its clause.
    pub fn url(&self, version: Version) -> String {
        match self.places.iter().find(|place| place.version == version) {
            Some(place) => format!("{}?plain=1#L{}", version.url(), place.line),
            None => pw_abi::clause_url(&self.clause, version),
        }
    }
}

macro_rules! files {
    ($($section:literal),* $(,)?) => {
        &[$(($section, include_str!(concat!("../statements/", $section, ".toml")))),*]
    };
}

/// The files, in the order of the text.
const FILES: &[(&str, &str)] = files![
    "general",
    "integration",
    "memory_management",
    "context_lifecycle",
    "configuration",
    "logging",
    "clocks",
    "timers",
    "randomness",
    "environment_variables",
    "buffers",
    "http_fields",
    "common_stream_operations",
    "tcp_streams",
    "http_streams",
    "http_calls",
    "grpc_calls",
    "shared_key_value_store",
    "shared_queues",
    "metrics",
    "properties",
    "foreign_function_interface",
    "unimplemented_wasi_functions",
    "types",
    "serialization",
    "security",
];

// A test reads them all: an error here is ours, and then there are none.
static ALL: LazyLock<Vec<Statement>> = LazyLock::new(|| read().unwrap_or_default());

/// All of them, in the order of the text.
pub fn all() -> &'static [Statement] {
    &ALL
}

/// The statement with this id.
pub fn find(id: &str) -> Option<&'static Statement> {
    static BY_ID: LazyLock<std::collections::HashMap<&str, &Statement>> =
        LazyLock::new(|| all().iter().map(|statement| (statement.id.as_str(), statement)).collect());
    BY_ID.get(id).copied()
}

/// The only statement about a clause in a version, if it is the only one.
pub fn of_clause(clause: &str, version: Version) -> Option<&'static Statement> {
    let mut found = all().iter().filter(|one| one.clause == clause && one.versions.contains(&version));
    found.next().filter(|_| found.next().is_none())
}

/// Reads the id of a statement that one of the versions has.
pub(crate) fn cited(node: &Node, versions: &[Version]) -> Read<&'static Statement> {
    let id = node.text()?;
    let Some(statement) = find(id) else {
        let ids = all().iter().map(|statement| statement.id.as_str());
        return node.complain(format!("unknown statement `{id}`{}", meant(id, ids)));
    };
    match versions.iter().any(|version| statement.versions.contains(version)) {
        true => Ok(statement),
        false => node.complain(format!("no version of this case has the statement `{id}`")),
    }
}

fn read() -> Result<Vec<Statement>, Error> {
    let mut all: Vec<Statement> = Vec::new();
    for (section, source) in FILES {
        let parse = || -> Read<Vec<Statement>> {
            let root = node::read(source)?;
            root.table(&["statement"])?.items("statement")?.iter().map(|node| statement(section, node)).collect()
        };
        let error =
            |Complaint { line, message }| Error { file: format!("cases/statements/{section}.toml"), line, message };
        for one in parse().map_err(error)? {
            if all.iter().any(|known| known.id == one.id) {
                return Err(error(Complaint { line: one.line, message: format!("a second statement `{}`", one.id) }));
            }
            all.push(one);
        }
    }
    Ok(all)
}

fn statement(section: &str, node: &Node) -> Read<Statement> {
    let keys = ["id", "level", "who", "abi", "says", "clause", "open", "uncheckable", "missing", "lines", "digests"];
    let table = node.table(&keys)?;
    let text = |key| table.map(key, |node| node.text().map(str::to_owned));
    let versions = table.map("abi", clause::versions)?.unwrap_or(Version::FINAL.to_vec());
    let strength = table.need("level")?;
    let who = table.need("who")?;
    Ok(Statement {
        id: format!("{section}/{}", table.need("id")?.text()?),
        line: node.line,
        strength: match strength.text()? {
            "must" => Strength::Must,
            "should" => Strength::Should,
            "may" => Strength::May,
            _ => return strength.complain("there are must, should and may"),
        },
        binds: match who.text()? {
            "host" => Party::Host,
            "plugin" => Party::Plugin,
            _ => return who.complain("there are host and plugin"),
        },
        clause: clause::clause(table.need("clause")?, &versions)?,
        says: table.need("says")?.text()?.to_owned(),
        open: text("open")?,
        uncheckable: text("uncheckable")?,
        missing: text("missing")?,
        places: places(table.need("lines")?, table.need("digests")?, &versions)?,
        versions,
    })
}

fn places(lines: &Node, digests: &Node, versions: &[Version]) -> Read<Vec<Place>> {
    let names: Vec<&str> = versions.iter().map(|version| version.name()).collect();
    let (line_of, digest_of) = (lines.table(&names)?, digests.table(&names)?);
    let place = |version: &Version| {
        let digest = digest_of.need(version.name())?;
        let text = digest.text()?;
        if text.len() != 12 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return digest.complain("a digest has twelve hexadecimal digits");
        }
        Ok(Place { version: *version, line: line_of.need(version.name())?.number()?, digest: text.to_owned() })
    };
    versions.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read() {
        let all = read().unwrap_or_else(|error| panic!("{error}"));
        assert!(all.len() > 500, "{}", all.len());
        assert_eq!(all.len(), super::all().len());
        for one in all {
            assert!(one.says.ends_with('.') && one.says.len() < 300, "{}: {}", one.id, one.says);
        }
    }

    #[test]
    fn each_promised_status_is_a_statement() {
        for version in Version::FINAL {
            for row in pw_abi::host_functions(version) {
                for promise in row.promises(version) {
                    let clause = format!("{}/{}", row.name, promise.name);
                    let is = |one: &Statement| one.clause == clause && one.versions.contains(&version);
                    assert!(all().iter().any(is), "no statement of ABI v{version} is about {clause}");
                }
            }
        }
    }

    #[test]
    fn each_status_that_a_statement_is_about_is_promised() {
        for one in all() {
            for version in &one.versions {
                let Some((name, status)) = one.clause.split_once('/') else { continue };
                let row = pw_abi::host_function(*version, name).unwrap_or_else(|| panic!("{}: no {name}", one.id));
                assert!(row.promises(*version).any(|promise| promise.name == status), "{} {version}: {status}", one.id);
            }
        }
    }
}
