//! The table as Markdown, for all versions: `reports/abi.md`.

use std::fmt::Write;

use pw_abi::{Callback, ENUMS, EnumTable, Function, SECTIONS, Section, Version};

use crate::table::{kind, lanes, range, signature};

/// The page.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The Proxy-Wasm ABI\n\nMade by `pw-conform abi --markdown` from the table in `abi/`. Where a version is named \
         behind a status, a parameter or a value, only that one and later ones have it.\n\n",
    );
    counts(&mut text);
    SECTIONS.iter().for_each(|section| of_section(&mut text, section));
    text += "\n## Enums\n";
    ENUMS.iter().for_each(|table| of_enum(&mut text, table));
    text
}

fn counts(text: &mut String) {
    *text += "| version | host functions | promised statuses | exports of plugins |\n|---|---:|---:|---:|\n";
    for version in Version::FINAL {
        let functions = pw_abi::host_functions(version).count();
        let promises: usize = pw_abi::host_functions(version).map(|row| row.promises(version).count()).sum();
        let callbacks = pw_abi::callbacks(version).count();
        let _ = writeln!(text, "| {version} | {functions} | {promises} | {callbacks} |");
    }
}

fn of_section(text: &mut String, section: &Section) {
    let _ = writeln!(text, "\n## {}\n\n[`{}`]({})", section.title, section.slug, section.url(Version::V0_2_1));
    if !section.host.is_empty() {
        *text += "\n| function of the host | what it does | statuses | versions |\n|---|---|---|---|\n";
        section.host.iter().for_each(|row| of_function(text, row));
    }
    if !section.guest.is_empty() {
        *text += "\n| export of the plugin | when it is called | parameters | versions |\n|---|---|---|---|\n";
        section.guest.iter().for_each(|row| of_callback(text, row));
    }
}

fn of_function(text: &mut String, row: &Function) {
    let statuses = row.promises.iter().map(|promise| since(promise.name, promise.versions.since, row.versions.since));
    let statuses: Vec<String> = statuses.collect();
    let signature = signature(&row.qualified(), &lanes(row), row.result());
    let url = row.url(row.versions.last_final());
    let _ =
        writeln!(text, "| [`{signature}`]({url}) | {} | {} | {} |", row.doc, statuses.join(", "), range(row.versions));
}

fn of_callback(text: &mut String, row: &Callback) {
    let params = row.params.iter().map(|param| {
        let name = format!("{}: {}", param.name, kind(param.kind));
        since(&name, param.versions.since, row.versions.since)
    });
    let params: Vec<String> = params.collect();
    let lanes: Vec<_> = row.params.iter().map(|param| (param.name, param.kind.lane())).collect();
    let signature = signature(row.name, &lanes, row.result.map(|kind| kind.lane()));
    let url = row.url(row.versions.last_final());
    let _ =
        writeln!(text, "| [`{signature}`]({url}) | {} | {} | {} |", row.doc, params.join(", "), range(row.versions));
}

fn of_enum(text: &mut String, table: &EnumTable) {
    let _ = writeln!(text, "\n### {}\n\n| value | name | versions |\n|---:|---|---|", table.name);
    for value in table.values {
        let _ = writeln!(text, "| {} | `{}` | {} |", value.value, value.name, range(value.versions));
    }
}

/// The name, with a version if it came later than what it belongs to.
fn since(name: &str, own: Version, whole: Version) -> String {
    if own > whole { format!("{name} (v{own})") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_came_later_says_since_when() {
        let text = super::markdown();
        let lines = [
            "| 0.2.1 | 47 | 132 |",
            "| Reads the value of a key. | OK, BAD_ARGUMENT, NOT_FOUND (v0.2.0), INVALID_MEMORY_ACCESS | all |",
            "| 6 | `VM_CONFIGURATION` | 0.2.0 on |",
        ];
        for line in lines {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }
}
