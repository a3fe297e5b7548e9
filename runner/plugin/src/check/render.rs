//! What was found, as text and as JSON. Pure.

use std::fmt::Write;

use pw_abi::Version;
use serde_json::{Value, json};

use crate::check::finding::Finding;
use crate::check::hosts::Does;
use crate::check::report::{Checked, Report};
use crate::check::weigh::{Note, Outlook};

/// For each module a line per finding, and a last one with the verdict. Files that could not be read are left out.
pub(super) fn text(checked: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { file, report } in checked {
        let Ok(report) = report else { continue };
        for finding in &report.findings {
            let severity = if finding.is_error() { "error" } else { "warning" };
            let _ = writeln!(text, "  {severity:9} {}{}", prefix(finding, report), line(&finding.message));
        }
        // The reference host's notes are the errors.
        for outlook in report.hosts.iter().skip(1) {
            for note in &outlook.notes {
                let _ = writeln!(text, "  {:9} {}", outlook.host, line(&said(note)));
            }
        }
        let _ = writeln!(text, "{file}: {}", verdict(report));
    }
    text
}

/// Words in which names from the module are, which may have ends of lines and worse.
fn line(words: &str) -> String {
    words.replace(char::is_control, "\u{fffd}")
}

/// For which versions a finding holds, if not for all that were checked.
fn prefix(finding: &Finding, report: &Report) -> String {
    if finding.abi.is_empty() || finding.abi.len() == report.versions.len() {
        return String::new();
    }
    format!("{}: ", joined(&finding.abi))
}

fn said(Note { does, why, case, .. }: &Note) -> String {
    let does = match does {
        Does::Refuses => "refuses it",
        Does::Hazard => "hazard",
    };
    let case = if case.is_empty() { String::new() } else { format!(" ({case})") };
    format!("{does}: {why}{case}")
}

/// `ABI v0.2.1, 0 errors, 1 warning; reference loads it, envoy 1.40 refuses it`.
fn verdict(report: &Report) -> String {
    let errors = report.errors();
    let warnings = report.findings.len() - errors;
    let assumed = if report.markers.is_empty() { "no version, checked as " } else { "" };
    let hosts: Vec<String> = report.hosts.iter().map(outlook).collect();
    let versions = joined(&report.versions);
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    format!("{assumed}ABI {versions}, {errors}, {warnings}; {}", hosts.join(", "))
}

fn outlook(outlook: &Outlook) -> String {
    let does = match outlook.loads() {
        false => "refuses it",
        true if outlook.notes.is_empty() => "loads it",
        true => "loads it at a hazard",
    };
    format!("{} {} {does}", outlook.host, outlook.version)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn joined(versions: &[Version]) -> String {
    versions.iter().map(|version| format!("v{version}")).collect::<Vec<_>>().join(" and ")
}

/// An array of objects, one per file.
pub(super) fn json(checked: &[Checked]) -> String {
    format!("{:#}\n", Value::Array(checked.iter().map(object).collect()))
}

fn object(Checked { file, report }: &Checked) -> Value {
    match report {
        Err(error) => json!({ "file": file, "verdict": "unreadable", "error": error.to_string() }),
        Ok(report) => json!({
            "file": file,
            "verdict": if report.errors() > 0 { "errors" } else { "passes" },
            "markers": names(&report.markers),
            "abi": names(&report.versions),
            "imports": report.imports,
            "exports": report.exports,
            "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
            "hosts": report.hosts.iter().map(host).collect::<Vec<_>>(),
        }),
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "severity": if finding.is_error() { "error" } else { "warning" },
        "kind": finding.kind.to_string(),
        "name": finding.name,
        "abi": names(&finding.abi),
        "message": finding.message,
        "refused_by": finding.refused_by,
    })
}

fn host(outlook: &Outlook) -> Value {
    json!({
        "host": outlook.host,
        "version": outlook.version,
        "abi": outlook.abi.map(Version::name),
        "loads": outlook.loads(),
        "notes": outlook.notes.iter().map(note).collect::<Vec<_>>(),
    })
}

fn note(Note { kind, does, why, case }: &Note) -> Value {
    json!({
        "kind": kind.to_string(),
        "does": match does {
            Does::Refuses => "refuses",
            Does::Hazard => "hazard",
        },
        "why": why,
        "case": (!case.is_empty()).then_some(case),
    })
}

fn names(versions: &[Version]) -> Vec<&'static str> {
    versions.iter().map(|version| version.name()).collect()
}
