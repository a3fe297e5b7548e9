//! What the pages say holds: their commands are right and run, their examples are read, their links lead somewhere.

mod support;

use std::path::{Path, PathBuf};

use clap::Parser;
use pw_conform::cli::Cli;
use support::Folder;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// In the order in which somebody reads them: later commands use files that earlier ones write.
const PAGES: [&str; 9] = [
    "README.md",
    "docs/verdicts.md",
    "docs/cases.md",
    "docs/plugins.md",
    "docs/adapters.md",
    "docs/fuzzing.md",
    "docs/glossary.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
];

/// Commands of which a part is in one of these are not run here: they need Envoy, an adapter that has still to be written, a
/// checkout or minutes. Other tests run them.
const ELSEWHERE: [&str; 6] = ["envoy", "my-adapter", "fuzz", "soak", "plugins --", "<section>"];

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The commands of a page: indented lines that begin with the program's name.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = lines.filter_map(|line| {
        line.strip_prefix("pw-conform ").or_else(|| line.strip_prefix("cargo conform ")).map(|args| args.to_owned())
    });
    let words = |args: String| {
        let args = args.split(" #").next().unwrap_or_default().to_owned();
        shlex::split(&args).unwrap_or_else(|| panic!("{args}"))
    };
    // A line of a failure that is shown ends in a command, too, and may be shortened.
    commands.filter(|args| !args.contains('…')).map(words).collect()
}

/// The first indented block of a page that begins with that text.
fn block(name: &str, begins: &str) -> String {
    let text = page(name);
    let start = text.find(&format!("    {begins}")).unwrap_or_else(|| panic!("{name} has no {begins}"));
    let lines = text[start..].lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect()
}

/// A plugin that adds a header to requests.
const PLUGIN: &str = r#"(module
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "x-pluginalive")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $add (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 5))) (i32.const 0)))"#;

#[test]
fn commands_of_the_pages_run() {
    let folder = Folder::new("docs");
    let wasm = wat::parse_str(PLUGIN).unwrap_or_else(|error| panic!("{error}"));
    std::fs::create_dir_all(folder.path("my-cases")).unwrap_or_else(|error| panic!("{error}"));
    for name in ["my_plugin.wasm", "stats.wasm", "auth.wasm", "my-cases/my_plugin.wasm"] {
        folder.write_bytes(name, &wasm);
    }
    folder.write("config.json", "{}");
    folder.write("chain.yaml", &block("docs/plugins.md", "apiVersion"));
    folder.write("my-cases/absent.toml", &block("docs/cases.md", "title"));
    folder.write("my-cases/header.toml", &block("docs/plugins.md", "title"));
    let mut run = 0;
    for name in PAGES {
        for args in commands(&page(name)) {
            let text = args.join(" ");
            let words = std::iter::once("pw-conform").chain(args.iter().map(String::as_str));
            assert!(Cli::try_parse_from(words).is_ok(), "{name}: {text}");
            if !ELSEWHERE.iter().any(|part| text.contains(part)) {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                folder.run(&args).check(0, &[]);
                run += 1;
            }
        }
    }
    assert!(run > 12, "{run} commands were run");
}

#[test]
fn an_expected_failure_of_the_pages_is_read() {
    let text = block("docs/verdicts.md", "[[known]]");
    let known = pw_cases::known::Ledger::parse("docs/verdicts.md", &text).unwrap_or_else(|error| panic!("{error}"));
    assert!(known.find("http_fields/get_value_missing_key", pw_abi::Version::V0_2_1).is_some());
}

#[test]
fn links_lead_somewhere() {
    let mut missing = Vec::new();
    for name in
        PAGES.into_iter().chain(["SECURITY.md", "CHANGELOG.md", "docs/threat-model.md", "cases/plugins/README.md"])
    {
        let text = page(name);
        let folder = Path::new(name).parent().map(PathBuf::from).unwrap_or_default();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") {
                continue;
            }
            let target = if path.is_empty() { PathBuf::from(name) } else { folder.join(path) };
            let found = Path::new(ROOT).join(&target);
            let is_there = match heading {
                "" => found.exists(),
                heading => {
                    std::fs::read_to_string(&found).is_ok_and(|text| text.lines().any(|line| slug(line) == heading))
                }
            };
            if !is_there {
                missing.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The name by which GitHub links to a heading; empty if the line is not one.
fn slug(line: &str) -> String {
    if !line.starts_with('#') {
        return String::new();
    }
    let kept = line.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
