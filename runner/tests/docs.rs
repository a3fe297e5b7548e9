//! What the pages say holds: their commands are right and run, their examples are read, their links lead somewhere.

mod support;

use std::path::{Path, PathBuf};

use clap::Parser;
use pw_conform::cli::Cli;
use support::Folder;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// In the order in which somebody reads them: later commands use files that earlier ones write.
const PAGES: [&str; 11] = [
    "README.md",
    "docs/verdicts.md",
    "docs/cases.md",
    "docs/plugins.md",
    "docs/adapters.md",
    "docs/sdks.md",
    "docs/fuzzing.md",
    "docs/host.md",
    "docs/glossary.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
];

/// Commands of which a part is in one of these are not run here: they need Envoy, an adapter that has still to be written, a
/// checkout or minutes. Other tests run them.
const ELSEWHERE: [&str; 6] = ["envoy", "my-adapter", "fuzz", "soak", "--leaks", "<section>"];

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
                if text == INIT_SDK {
                    write_plugins(&folder);
                    folder.write("my-sdk/known.toml", &known_of_the_sdk());
                }
            }
        }
    }
    assert!(run > 12, "{run} commands were run");
}

/// After this command of a page, a reader writes plugins.
const INIT_SDK: &str = "init sdk my-sdk";

/// The first six plugins of the SDK kit, with a manifest, as a reader of `docs/sdks.md` would have them.
fn write_plugins(folder: &Folder) {
    let mut manifest = String::from("sdk = \"my-sdk\"\nversion = \"0.1.0\"\nlanguage = \"Rust\"\n");
    for name in ["headers", "body", "authorise", "configuration", "access_log", "state"] {
        let wasm = std::fs::read(format!("{ROOT}/cases/plugins/rust-0.2.5/{name}.wasm"));
        folder.write_bytes(&format!("my-sdk/{name}.wasm"), &wasm.unwrap_or_else(|error| panic!("{name}: {error}")));
        manifest += &format!("[plugin.{name}]\nmodule = \"{name}.wasm\"\n");
    }
    folder.write("my-sdk/sdk.toml", &(manifest + &block("docs/sdks.md", "[plugin.tcp]")));
}

fn known_of_the_sdk() -> String {
    block("docs/sdks.md", "[[known]]")
}

#[test]
fn the_failure_of_the_page_about_sdks_is_what_a_run_says() {
    let folder = Folder::new("docs_sdk");
    folder.run(&["init", "sdk", "my-sdk"]).check(0, &[]);
    write_plugins(&folder);
    let said = folder.run(&["sdk", "my-sdk", "access_log/any_bytes"]);
    let block = block("docs/sdks.md", "fail  access_log/any_bytes");
    let lines: Vec<&str> = block.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // The last line is a command, which names the program.
    let (command, lines) = lines.split_last().expect("it is a block");
    said.check(1, lines);
    said.check(1, &[command.strip_prefix("pw-conform").unwrap_or(command)]);
    folder.write("my-sdk/known.toml", &known_of_the_sdk());
    folder.run(&["sdk", "my-sdk", "access_log/any_bytes"]).check(0, &["1 known", "1 with expected failures"]);
}

#[test]
fn an_expected_failure_of_the_pages_is_read() {
    let text = block("docs/verdicts.md", "[[known]]");
    let known =
        pw_cases::known::ExpectedFailures::parse("docs/verdicts.md", &text).unwrap_or_else(|error| panic!("{error}"));
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

/// Phrases that are not plain English, in lower case.
fn phrases() -> Vec<&'static str> {
    let lines = include_str!("phrases.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The phrases that are in a text as whole words.
fn found(text: &str) -> Vec<&'static str> {
    let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "-_".contains(c));
    let is_there = |phrase: &&str| {
        words.match_indices(*phrase).any(|(at, _)| {
            !is_inside(words[..at].chars().next_back()) && !is_inside(words[at + phrase.len()..].chars().next())
        })
    };
    phrases().into_iter().filter(is_there).collect()
}

/// The text literals of a line of Rust, roughly: what stands between quotes.
fn literals(line: &str) -> String {
    let code = line.split("//").next().unwrap_or_default();
    code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ")
}

/// Sources of the workspace, but for data and what is built.
fn sources(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_skipped =
            name.starts_with('.') || ["target", "reports", "catalog", "corpus", "snapshots"].contains(&name);
        match path.is_dir() {
            true if is_skipped => {}
            true => sources(&path, extension, files),
            false if name.ends_with(extension) => files.push(path),
            false => {}
        }
    }
}

#[test]
fn docs_help_and_messages_are_plain_english() {
    let mut bad = Vec::new();
    let mut note = |place: String, text: &str| {
        for phrase in found(text) {
            bad.push(format!("{place}: {phrase:?} in {text}"));
        }
    };
    let [mut pages, mut code] = [Vec::new(), Vec::new()];
    sources(Path::new(ROOT), ".md", &mut pages);
    sources(Path::new(ROOT), ".rs", &mut code);
    assert!(pages.len() > 12 && code.len() > 200, "{} pages, {} sources", pages.len(), code.len());
    for (paths, is_code) in [(&pages, false), (&code, true)] {
        for path in paths.iter().filter(|path| !path.ends_with("tests/docs.rs")) {
            let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for (line, number) in text.lines().zip(1..) {
                let place = format!("{}:{number}", path.display());
                note(place, &if is_code { literals(line) } else { line.to_owned() });
            }
        }
    }
    // Help is in doc comments, which are no literals.
    let mut program = <Cli as clap::CommandFactory>::command();
    program.build();
    let mut commands: Vec<clap::Command> = program.get_subcommands().cloned().collect();
    commands.extend(commands.clone().iter().flat_map(clap::Command::get_subcommands).cloned());
    commands.push(program);
    for mut command in commands {
        note(format!("pw-conform {} --help", command.get_name()), &command.render_long_help().to_string());
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    // It can fail.
    assert_eq!(found("They are  told\tof it."), ["told of", "are told"]);
    assert!(found("hold often; untold of; told office").is_empty());
}
