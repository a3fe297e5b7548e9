//! What a host makes of a module, by the findings and its rules. Pure.

use pw_abi::beyond::beyond;
use pw_abi::{Lane, Version};
use pw_host::{Import, Interface, Item};

use crate::check::finding::{Finding, Kind};
use crate::check::hosts::{Does, Host, Rule};
use crate::check::inspect::REFERENCE;

/// What a host does with a module, as far as that can be seen without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The host.
    pub host: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version of the ABI for which it takes the module.
    pub abi: Option<Version>,
    /// What speaks against the module.
    pub notes: Vec<Note>,
}

/// Something that speaks against a module on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The finding that it comes of.
    pub kind: Kind,
    /// What the host does.
    pub does: Does,
    /// How that comes.
    pub why: String,
    /// The case of the catalog that shows it; empty if there is none.
    pub case: &'static str,
}

impl Outlook {
    /// Whether the host loads the module.
    pub fn loads(&self) -> bool {
        self.notes.iter().all(|note| note.does == Does::Hazard)
    }
}

/// What the reference host does: its own code has been asked.
pub fn reference(interface: &Interface, findings: &[Finding]) -> Outlook {
    let refused = findings.iter().filter(|finding| finding.refused_by.contains(&REFERENCE));
    let note = |finding: &Finding| {
        let Finding { kind, message, .. } = finding;
        Note { kind: *kind, does: Does::Refuses, why: message.clone(), case: "" }
    };
    let abi = interface.version().ok();
    Outlook { host: REFERENCE, version: env!("CARGO_PKG_VERSION"), abi, notes: refused.map(note).collect() }
}

/// What a host does by its rules; the findings for which it refuses the module are marked so.
pub fn by_rules(host: &'static Host, interface: &Interface, findings: &mut [Finding]) -> Outlook {
    let abi = interface.markers().into_iter().find(|version| host.abi.contains(version));
    let mut notes: Vec<Note> = Vec::new();
    let never_called: Vec<Option<String>> = findings
        .iter()
        .filter(|finding| finding.kind == Kind::NeverCalled)
        .map(|finding| finding.name.clone())
        .collect();
    for finding in findings {
        let concerns = finding.abi.is_empty() || abi.is_none_or(|abi| finding.abi.contains(&abi));
        let looked_at = finding.kind != Kind::ExportType || !never_called.contains(&finding.name);
        let Some(rule) = host.rule(finding, interface).filter(|_| concerns && looked_at) else { continue };
        if rule.does == Does::Refuses {
            finding.refused_by.push(host.name);
        }
        let note = Note { kind: rule.kind, does: rule.does, why: rule.why.to_owned(), case: rule.case };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Outlook { host: host.name, version: host.version, abi, notes }
}

impl Host {
    /// Whether an import beyond the specification links; none if the host does not have it.
    pub fn links(&self, import: &Import) -> Option<bool> {
        let Import { module, name, item } = import;
        let module = if module == self.alias.0 { self.alias.1 } else { module };
        if let Some((.., wanted)) = self.imports.iter().find(|known| (known.0, known.1) == (module, name)) {
            return Some(item.to_string() == *wanted);
        }
        let mut rows = Version::ALL.into_iter().flat_map(pw_abi::host_functions);
        if let Some(row) = rows.find(|row| import.module == self.alias.0 && row.module == module && row.name == name) {
            let lanes: Vec<Lane> = row.lanes().map(|(_, lane)| lane).collect();
            return Some(item.is_function(&lanes, row.result()));
        }
        let row = beyond(module, name).filter(|row| !self.lacks.contains(&row.name))?;
        Some(item.is_function(row.params, row.result))
    }

    /// The type of an export beyond the specification, if the host looks for it.
    pub fn export(&self, name: &str) -> Option<&'static str> {
        self.exports.iter().find(|known| known.0 == name).map(|known| known.1)
    }

    /// The rule for a finding, which may be a lesser one, or none, to this host.
    fn rule(&self, finding: &Finding, interface: &Interface) -> Option<&'static Rule> {
        let name = finding.name.as_deref().unwrap_or_default();
        let kind = match finding.kind {
            Kind::ImportUnknown | Kind::ImportBeyond => {
                let import = interface.imports.iter().find(|import| import.qualified() == name)?;
                match self.links(import) {
                    None => Kind::ImportUnknown,
                    Some(true) => return None,
                    Some(false) => Kind::ImportType,
                }
            }
            Kind::ExportBeyond => match interface.export(name)? {
                item @ Item::Function(_) if Some(item.to_string().as_str()) != self.export(name) => Kind::ExportType,
                _ => return None,
            },
            kind => kind,
        };
        self.rules.iter().find(|rule| rule.kind == kind)
    }
}
