//! SDKs side by side as Markdown: how many plugins of the kit pass on which host, which do not, and the faults of each SDK by cause.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pw_harness::record::{Case, Record};
use pw_harness::sdk::Standing;
use pw_harness::verdict::Verdict;

use crate::sdks::Build;
use crate::text::{cell, host};

/// The number of cases that a cause names.
const NAMED_CASES: usize = 8;

/// How a reason begins that is functions which the host does not have.
const LACKS: &str = "lacks ";

/// How tables show a standing, and what it means.
const MARKS: [(Standing, &str, &str); 6] = [
    (Standing::Passes, "✓", "passes all of its cases that the host can run"),
    (Standing::Known, "~", "fails some, and it is known why"),
    (Standing::Fails, "✗", "fails some otherwise"),
    (Standing::NotRun, "–", "the host can run none of its cases"),
    (Standing::NotOffered, "·", "the SDK cannot express it"),
    (Standing::Missing, "?", "it is missing"),
];

/// The Markdown.
pub fn render(builds: &[Build<'_>]) -> String {
    let hosts = hosts(builds);
    let all = builds.first().map_or(0, |build| build.kit.len());
    let mut text = format!(
        "# SDKs\n\nMade by `pw-conform report` from records of `pw-conform sdk`. The [SDK kit](../cases/kit/README.md) is {all} plugins, described \
         by what they do. Each SDK was used to write them, and the kit's cases judge them on these hosts; [docs/sdks.md](../docs/sdks.md) is for \
         makers of SDKs.\n\n"
    );
    let marks = MARKS.map(|(_, mark, meaning)| format!("{mark} {meaning}"));
    let _ = writeln!(text, "{}.\n", marks.join("; "));
    let _ = writeln!(text, "Hosts: {}.\n", hosts.iter().cloned().collect::<Vec<_>>().join(", "));
    by_host(&mut text, builds, &hosts);
    by_plugin(&mut text, builds, &hosts);
    for build in builds {
        faults(&mut text, build, &hosts);
    }
    not_run(&mut text, builds, &hosts);
    text
}

/// The hosts of all builds, each once, by name.
fn hosts(builds: &[Build<'_>]) -> BTreeSet<String> {
    builds.iter().flat_map(|build| &build.records).map(|record| host(record)).collect()
}

fn mark(standing: Standing) -> &'static str {
    MARKS.iter().find(|(known, ..)| *known == standing).map_or("", |(_, mark, _)| mark)
}

fn by_host(text: &mut String, builds: &[Build<'_>], hosts: &BTreeSet<String>) {
    let heads: String = hosts.iter().map(|host| format!(" {} |", brief(host, hosts))).collect();
    let _ = writeln!(text, "| SDK | language | offered |{heads} on all |");
    let _ = writeln!(text, "|---|---|---:|{}---:|", "---:|".repeat(hosts.len()));
    for build in builds {
        let cells = hosts.iter().map(|name| match build.records.iter().find(|record| host(record) == *name) {
            Some(record) => counts(build, record),
            None => String::new(),
        });
        let all = build.kit.len();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} of {all} |",
            cell(&build.title()),
            cell(&build.sdk.language),
            all - build.count(Standing::NotOffered) - build.count(Standing::Missing),
            cells.collect::<Vec<_>>().join(" | "),
            build.count(Standing::Passes),
        );
    }
}

/// How many plugins of a record pass, fail, are known to fail or were not run. Plugins without a module are not counted.
fn counts(build: &Build<'_>, record: &Record) -> String {
    let standing: Vec<Standing> = build.kit.iter().map(|plugin| build.standing(record, plugin)).collect();
    let counts = MARKS[..4].iter().filter_map(|(which, mark, _)| {
        let count = standing.iter().filter(|standing| *standing == which).count();
        (count > 0).then(|| format!("{count} {mark}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn by_plugin(text: &mut String, builds: &[Build<'_>], hosts: &BTreeSet<String>) {
    let heads: String = builds.iter().map(|build| format!(" {} |", cell(&name(build, builds)))).collect();
    let _ = writeln!(
        text,
        "\n## Plugins\n\nA mark without hosts is for all other hosts that can run any plugin of the SDK.\n\n| plugin |{heads}"
    );
    let _ = writeln!(text, "|---|{}", "---|".repeat(builds.len()));
    for plugin in builds.first().map_or(&[][..], |build| build.kit) {
        let cells: Vec<String> = builds.iter().map(|build| folded(build, plugin, hosts)).collect();
        let _ = writeln!(text, "| [{plugin}](../cases/kit/{plugin}/README.md) | {} |", cells.join(" | "));
    }
}

/// An SDK's name without where it is from, with its version if there are several.
fn name(build: &Build<'_>, builds: &[Build<'_>]) -> String {
    let several = builds.iter().filter(|other| other.sdk.name == build.sdk.name).count() > 1;
    let title = if several { build.title() } else { build.sdk.name.clone() };
    title.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How a plugin does: the most frequent mark, then the others with their hosts.
fn folded(build: &Build<'_>, plugin: &str, hosts: &BTreeSet<String>) -> String {
    let mut by_mark: Vec<(Standing, Vec<String>)> = Vec::new();
    let is_of_use = |record: &&&Record| build.kit.iter().any(|plugin| is_run(build.standing(record, plugin)));
    for record in build.records.iter().filter(is_of_use) {
        let standing = build.standing(record, plugin);
        match by_mark.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, of)) => of.push(brief(&host(record), hosts)),
            None => by_mark.push((standing, vec![brief(&host(record), hosts)])),
        }
    }
    by_mark.sort_by_key(|(standing, of)| (std::cmp::Reverse(of.len()), *standing));
    let cells = by_mark.into_iter().enumerate().map(|(at, (standing, of))| match at {
        0 => mark(standing).to_owned(),
        _ => format!("{} {}", mark(standing), of.join(", ")),
    });
    cells.collect::<Vec<_>>().join("; ")
}

fn is_run(standing: Standing) -> bool {
    matches!(standing, Standing::Passes | Standing::Known | Standing::Fails)
}

/// A host's name, with its version if there are several.
fn brief(host: &str, hosts: &BTreeSet<String>) -> String {
    let name = |host: &str| host.split_once(' ').map_or(host.to_owned(), |(name, _)| name.to_owned());
    if hosts.iter().filter(|other| name(other) == name(host)).count() > 1 { host.to_owned() } else { name(host) }
}

/// What an SDK gets wrong, and what it does not offer.
fn faults(text: &mut String, build: &Build<'_>, hosts: &BTreeSet<String>) {
    let _ = writeln!(text, "\n## {}\n", cell(&build.title()));
    for (plugin, why) in &build.sdk.not_offered {
        let _ = writeln!(text, "- `{plugin}` is not offered: {}", cell(why));
    }
    if !build.sdk.not_offered.is_empty() {
        text.push('\n');
    }
    let known = causes(build, &[Verdict::Known], |case| case.reason.clone().unwrap_or_default());
    let failed = causes(build, &[Verdict::Fail, Verdict::Stale, Verdict::Error], |case| {
        let found = case
            .findings
            .iter()
            .map(|found| format!("{}: expected {}, actual {}", found.subject, found.expected, found.actual));
        case.reason.clone().unwrap_or_else(|| found.collect::<Vec<_>>().join("; "))
    });
    if known.is_empty() && failed.is_empty() {
        text.push_str("All of its plugins pass, as far as the hosts can run them.\n");
    }
    table(text, hosts, "what it does instead, and why", &known);
    if !known.is_empty() && !failed.is_empty() {
        text.push('\n');
    }
    table(text, hosts, "failures of which the cause is not known", &failed);
}

/// Cases that fail for the same reason, and the hosts on which they do.
#[derive(Default)]
struct Cause<'a> {
    hosts: BTreeSet<String>,
    ids: BTreeSet<&'a str>,
}

/// Cases of these verdicts by words, those of the most cases first.
fn causes<'a>(build: &Build<'a>, verdicts: &[Verdict], words: impl Fn(&Case) -> String) -> Vec<(String, Cause<'a>)> {
    let mut causes: BTreeMap<String, Cause<'a>> = BTreeMap::new();
    for record in &build.records {
        for case in record.cases.iter().filter(|case| verdicts.contains(&case.verdict)) {
            let cause = causes.entry(words(case)).or_default();
            cause.hosts.insert(host(record));
            cause.ids.insert(&case.id);
        }
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, cause)| std::cmp::Reverse(cause.ids.len()));
    causes
}

fn table(text: &mut String, all: &BTreeSet<String>, heading: &str, causes: &[(String, Cause<'_>)]) {
    if causes.is_empty() {
        return;
    }
    let _ = writeln!(text, "| {heading} | hosts | cases | |\n|---|---|---:|---|");
    for (words, Cause { hosts, ids }) in causes {
        let on: Vec<String> = hosts.iter().map(|host| brief(host, all)).collect();
        let on = on.join(", ");
        let named: Vec<String> = ids.iter().take(NAMED_CASES).map(|id| format!("`{id}`")).collect();
        let more = match ids.len() - named.len() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let _ = writeln!(text, "| {} | {on} | {} | {}{more} |", cell(words), ids.len(), named.join(", "));
    }
}

/// Cases that were skipped for one reason.
#[derive(Default)]
struct Skipped<'a> {
    plugins: BTreeSet<&'a str>,
    ids: BTreeSet<&'a str>,
}

/// What hosts cannot run.
fn not_run(text: &mut String, builds: &[Build<'_>], hosts: &BTreeSet<String>) {
    let mut reasons: BTreeMap<(String, String), Skipped<'_>> = BTreeMap::new();
    // Functions that plugins import; which of them a case needs differs from SDK to SDK.
    let mut functions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for record in builds.iter().flat_map(|build| &build.records) {
        for case in record.cases.iter().filter(|case| case.verdict == Verdict::Skip) {
            let (host, reason) = (host(record), case.reason.as_deref().unwrap_or_default());
            let reason = reason.strip_prefix(&host).map_or(reason, str::trim_start);
            let reason = match reason.strip_prefix(LACKS) {
                Some(names) => {
                    functions.entry(host.clone()).or_default().extend(names.split(", "));
                    LACKS
                }
                None => reason,
            };
            let skipped = reasons.entry((host, reason.to_owned())).or_default();
            skipped.plugins.insert(case.section());
            skipped.ids.insert(&case.id);
        }
    }
    if reasons.is_empty() {
        return;
    }
    text.push_str("\n## Not run\n\n| host | why | cases | of the plugins |\n|---|---|---:|---|\n");
    for ((host, reason), Skipped { plugins, ids }) in reasons {
        let lacks: Vec<&str> =
            functions.get(&host).filter(|_| reason == LACKS).into_iter().flatten().copied().collect();
        let words = cell(&(reason + &lacks.join(", ")));
        let plugins: Vec<&str> = plugins.into_iter().collect();
        let plugins = match builds.first() {
            Some(build) if build.kit.len() == plugins.len() => "all".to_owned(),
            _ => plugins.join(", "),
        };
        let _ = writeln!(text, "| {} | {words} | {} | {plugins} |", brief(&host, hosts), ids.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdks::builds;
    use crate::sdks::tests::{KIT, judged};

    #[test]
    fn sdks_stand_side_by_side() {
        let one = judged(
            "one",
            &[
                ("body/x", Verdict::Pass),
                ("headers/a", Verdict::Known),
                ("headers/b", Verdict::Pass),
                ("state/x", Verdict::Fail),
            ],
        );
        let two = judged(
            "two",
            &[
                ("body/x", Verdict::Skip),
                ("headers/a", Verdict::Known),
                ("headers/b", Verdict::Known),
                ("state/x", Verdict::Pass),
            ],
        );
        let three =
            judged("three", &[("body/x", Verdict::Pass), ("headers/a", Verdict::Pass), ("state/x", Verdict::Pass)]);
        let mut other = judged("two", &[("body/x", Verdict::Pass)]);
        let sdk = other.header.sdk.as_mut().expect("it has one");
        (sdk.version, sdk.missing) = ("2.0".to_owned(), vec!["headers".to_owned(), "state".to_owned()]);
        let records = [one, two, three, other];
        let text = render(&builds(&records, &KIT));
        let lines = [
            "Hosts: one 1.2.3, three 1.2.3, two 1.2.3.",
            "| SDK | language | offered | one | three | two | on all |",
            "| s 1.0 | L | 3 | 1 ✓, 1 ~, 1 ✗ | 3 ✓ | 1 ✓, 1 ~, 1 – | 1 of 4 |",
            "| s 2.0 | L | 1 |  |  | 1 ✓ | 1 of 4 |",
            "| plugin | s 1.0 | s 2.0 |",
            "| [body](../cases/kit/body/README.md) | ✓; – two | ✓ |",
            "| [headers](../cases/kit/headers/README.md) | ~; ✓ three | ? |",
            "| [tcp](../cases/kit/tcp/README.md) | · | · |",
            "- `tcp` is not offered: no \\| contexts (src/x)",
            "| the reason \\| of &lt;known> | one, two | 2 | `headers/a`, `headers/b` |",
            "| proxy_log: expected OK, actual BAD_ARGUMENT | one | 1 | `state/x` |",
            "| two | the reason \\| of &lt;skip> | 1 | body |",
            "All of its plugins pass, as far as the hosts can run them.",
        ];
        for line in lines {
            assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn functions_that_a_host_lacks_are_one_row() {
        let mut record =
            judged("one", &[("body/x", Verdict::Skip), ("headers/x", Verdict::Skip), ("state/x", Verdict::Pass)]);
        record.cases[0].reason = Some("one 1.2.3 lacks proxy_b, proxy_a".to_owned());
        record.cases[1].reason = Some("one 1.2.3 lacks proxy_b".to_owned());
        let none = judged("none", &[("body/x", Verdict::Skip)]);
        let text = render(&builds(&[record, none], &KIT));
        assert!(text.contains("\n| one | lacks proxy_a, proxy_b | 2 | body, headers |\n"), "{text}");
        // A host that can run nothing of an SDK is in the first table only.
        assert!(text.contains("| [state](../cases/kit/state/README.md) | ✓ |\n"), "{text}");
    }

    #[test]
    fn versions_of_a_host_are_told_apart() {
        let mut records = ["1.0", "1.1"].map(|version| {
            let mut record = judged("one", &[("body/x", Verdict::Pass)]);
            record.header.host.version = version.to_owned();
            record
        });
        records[1].cases[0].verdict = Verdict::Known;
        let text = render(&builds(&records, &KIT));
        assert!(text.contains("| [body](../cases/kit/body/README.md) | ✓; ~ one 1.1 |\n"), "{text}");
    }
}
