//! What there is to say of a module's imports and exports, by the table. Pure; what hosts make of it is said elsewhere.

use pw_abi::beyond::{self, STATUS_IN_SDKS};
use pw_abi::{Callback, Version, Versions};
use pw_cases::format::meant;
use pw_host::{Export, Import, Interface, Item, ModuleError};

use crate::check::finding::{Finding, Kind};
use crate::check::hosts::HOSTS;

/// The name of the host whose own code says what it refuses.
pub const REFERENCE: &str = "reference";

/// What there is to say of a module that is checked for `versions`, in the order: markers, memory, imports, exports.
pub fn inspect(interface: &Interface, versions: &[Version]) -> Vec<Finding> {
    let mut findings = markers(interface);
    findings.iter_mut().for_each(|finding| finding.abi = versions.to_vec());
    for version in versions {
        let refused = interface.refusals(*version);
        let refused = refused.iter().map(|refusal| refusal_of(refusal, interface, *version));
        let own = own(interface, *version);
        for mut finding in refused.chain(own) {
            match findings.iter_mut().find(|known| known.message == finding.message && known.kind == finding.kind) {
                Some(known) => known.abi.push(*version),
                None => {
                    finding.abi.push(*version);
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

/// The reference host's engine finds the module's code not valid, or the module too large in some way.
pub fn invalid(error: &ModuleError) -> Finding {
    let kind = if matches!(error, ModuleError::Limit { .. }) { Kind::Limit } else { Kind::Invalid };
    refused(kind, "", error.to_string())
}

fn warn(kind: Kind, name: &str, message: String) -> Finding {
    let name = (!name.is_empty()).then(|| name.to_owned());
    Finding { kind, name, message, abi: Vec::new(), refused_by: Vec::new() }
}

fn refused(kind: Kind, name: &str, message: String) -> Finding {
    Finding { refused_by: vec![REFERENCE], ..warn(kind, name, message) }
}

/// What holds whichever version the module is taken for.
fn markers(interface: &Interface) -> Vec<Finding> {
    let mut findings = Vec::new();
    match interface.version() {
        Err(error @ ModuleError::SeveralMarkers(_)) => {
            findings.push(refused(Kind::SeveralMarkers, "", error.to_string()));
        }
        Err(error) => findings.push(refused(Kind::NoMarker, "", error.to_string())),
        Ok(Version::VNext) => {
            let message = "the module claims the version in progress only, which hosts need not know".to_owned();
            findings.push(warn(Kind::NextMarker, Version::VNext.marker(), message));
        }
        Ok(_) => {}
    }
    for Export { name, item } in &interface.exports {
        if is_marker(name) {
            if !matches!(item, Item::Function(_)) {
                let message = format!("the module exports `{name}` as {item}, but only a function is a marker");
                findings.push(warn(Kind::MarkerType, name, message));
            }
        } else if name.starts_with("proxy_abi_version_") {
            let meant = meant(name, Version::ALL.into_iter().map(Version::marker));
            let message = format!("the module exports `{name}`, which no version of the ABI has as its marker{meant}");
            findings.push(warn(Kind::UnknownMarker, name, message));
        }
    }
    findings
}

fn is_marker(name: &str) -> bool {
    Version::ALL.into_iter().any(|version| version.marker() == name)
}

/// A refusal of the reference host, with what else is known of the matter.
fn refusal_of(refusal: &ModuleError, interface: &Interface, version: Version) -> Finding {
    let text = refusal.to_string();
    match refusal {
        ModuleError::NoMemory => match interface.exports.iter().find(|export| export.item == Item::Memory) {
            Some(Export { name, .. }) => {
                refused(Kind::MemoryName, name, format!("{text}, but one called `{name}`: export it as `memory`"))
            }
            None => refused(Kind::NoMemory, "", text),
        },
        ModuleError::NoAllocator => refused(Kind::NoAllocator, "", text),
        ModuleError::UnknownImport { import, .. } => {
            let found = interface.imports.iter().find(|other| other.qualified() == *import);
            found.map_or_else(|| refused(Kind::ImportUnknown, import, text), |found| unknown_import(found, version))
        }
        ModuleError::ImportType { import, .. } => refused(Kind::ImportType, import, text),
        ModuleError::ExportType { export, .. } => {
            let function = matches!(interface.export(export), Some(Item::Function(_)));
            let kind = match function {
                _ if is_marker(export) => Kind::MarkerType,
                true => Kind::ExportType,
                false => Kind::ExportNoFunction,
            };
            refused(kind, export, text)
        }
        _ => refused(Kind::Invalid, "", text),
    }
}

fn unknown_import(import: &Import, version: Version) -> Finding {
    let name = import.qualified();
    let text = ModuleError::UnknownImport { version, import: name.clone() }.to_string();
    let kind = match import.item {
        Item::Function(_) => None,
        Item::Table | Item::Memory => Some(Kind::ImportOfMemory),
        Item::Global => Some(Kind::ImportOfGlobal),
        Item::Tag => Some(Kind::ImportOfTag),
    };
    if let Some(kind) = kind {
        let message = format!("the module imports `{name}`, {}: hosts provide functions only", import.item);
        return refused(kind, &name, message);
    }
    let rows = || Version::ALL.into_iter().flat_map(pw_abi::host_functions);
    if let Some(row) = rows().find(|row| row.module == import.module && row.name == import.name) {
        return refused(Kind::ImportOfOtherVersion, &name, format!("{text}, but {}", range(row.versions)));
    }
    let hosts: Vec<&str> = HOSTS.iter().filter(|host| host.links(import).is_some()).map(|host| host.name).collect();
    let moved = rows().find(|row| row.name == import.name);
    let hint = match moved {
        _ if !hosts.is_empty() => format!("; beyond the specification, {} has it", hosts.join(", ")),
        Some(row) => format!(", did you mean `{}.{}`?", row.module, row.name),
        None => {
            let names: Vec<String> =
                pw_abi::host_functions(version).map(|row| format!("{}.{}", row.module, row.name)).collect();
            meant(&name, names.iter().map(String::as_str))
        }
    };
    refused(Kind::ImportUnknown, &name, text + &hint)
}

/// `v0.1.0 has it`, `v0.2.0 and later have it`.
fn range(Versions { since, until }: Versions) -> String {
    match until {
        Version::VNext => format!("v{since} and later have it"),
        _ if since == until => format!("v{since} has it"),
        _ => format!("v{since} to v{until} have it"),
    }
}

/// What no host needs to refuse.
fn own(interface: &Interface, version: Version) -> Vec<Finding> {
    let mut findings = Vec::new();
    if interface.start_section {
        let message = "the module has a start section, which runs before hosts know the module's memory: \
            do in `_initialize` what calls the host";
        findings.push(warn(Kind::StartSection, "", message.to_owned()));
    }
    findings.extend(interface.imports.iter().filter_map(|import| beyond(import, version)));
    findings.extend(interface.exports.iter().filter_map(|export| uncalled(export, interface, version)));
    findings
}

fn beyond(import: &Import, version: Version) -> Option<Finding> {
    let name = import.qualified();
    let known = pw_abi::host_functions(version).any(|row| row.module == import.module && row.name == import.name);
    if known && STATUS_IN_SDKS.contains(&import.name.as_str()) {
        return if import.item.is_function(&[], None) {
            let message = format!("the module imports `{name}` without a result, where SDKs have a status");
            Some(warn(Kind::ImportWithoutStatus, &name, message))
        } else {
            let message = format!("the module imports `{name}` with a status, as SDKs do; the specification has none");
            Some(warn(Kind::ImportWithStatus, &name, message))
        };
    }
    if known {
        return None;
    }
    let module = beyond::canonical(&import.module);
    let own = pw_abi::host_functions(version).any(|row| row.module == module && row.name == import.name);
    let who = if own {
        "an older name of WASI, in older SDKs"
    } else {
        beyond::beyond(&import.module, &import.name)?.imported_by
    };
    let message = format!("the module imports `{name}`, which is beyond the specification ({who})");
    Some(warn(Kind::ImportBeyond, &name, message))
}

/// An export that the host never calls, although it looks as if it should.
fn uncalled(export: &Export, interface: &Interface, version: Version) -> Option<Finding> {
    let name = export.name.as_str();
    if pw_abi::callback(version, name).is_some() {
        let message = never_called(name, interface)?;
        return Some(warn(
            Kind::NeverCalled,
            name,
            format!("the module exports `{name}`, which is never called: {message}"),
        ));
    }
    if let Some(host) = HOSTS.iter().find(|host| host.export(name).is_some()) {
        let expected = host.export(name).unwrap_or_default();
        let actual = export.item.to_string();
        let wrong = if actual == expected { String::new() } else { format!(" as {expected}, but it is {actual} here") };
        let message =
            format!("the module exports `{name}`, which is beyond the specification; {} knows it{wrong}", host.name);
        return Some(warn(Kind::ExportBeyond, name, message));
    }
    if !name.starts_with("proxy_") || name.starts_with("proxy_abi_version_") {
        return None;
    }
    let text = format!("the module exports `{name}`, which ABI v{version} does not have, so that no host calls it");
    if let Some(row) = other_callback(name) {
        let message = format!("{text}, but {}", range(row.versions));
        return Some(warn(Kind::ExportOfOtherVersion, name, message));
    }
    let names: Vec<&str> = pw_abi::callbacks(version).map(|row| row.name).collect();
    let meant = meant(name, names.into_iter());
    Some(warn(Kind::ExportUnknown, name, text + &meant))
}

fn other_callback(name: &str) -> Option<&'static Callback> {
    Version::ALL.into_iter().find_map(|version| pw_abi::callback(version, name))
}

fn never_called(name: &str, interface: &Interface) -> Option<&'static str> {
    let reactor = matches!(interface.export("_initialize"), Some(Item::Function(_)));
    match name {
        "_start" if reactor => Some("there is `_initialize`"),
        "main" if !reactor => Some("there is no `_initialize`"),
        _ => None,
    }
}
