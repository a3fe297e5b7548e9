//! The program alone: a copy of it, run in an empty folder with an empty environment, has all that it needs in itself.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use pw_cases::catalog;
use serde_json::Value;
use support::{HEAD, PLUGIN, Said};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A copy of the program, made once: one that is being written cannot be started, and a thread that starts another process
/// meanwhile keeps it open.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
    let program = folder.join("pw-conform").with_extension(std::env::consts::EXE_EXTENSION);
    std::fs::copy(env!("CARGO_BIN_EXE_pw-conform"), &program).unwrap_or_else(|error| panic!("{error}"));
    program
});

/// The copy of the program, and the empty folder outside of any clone that it runs in.
struct Installed {
    program: &'static Path,
    folder: PathBuf,
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Installed {
    fn new(name: &str) -> Installed {
        let folder = std::env::temp_dir().join(format!("pw-conform-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
        Installed { program: &PROGRAM, folder }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = self.folder.join(name);
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(file, bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Adds a compiled plugin.
    fn with_plugin(self, name: &str) -> Installed {
        let plugin = Path::new(ROOT).join("cases/plugins/c/headers.wasm");
        self.write(name, std::fs::read(plugin).unwrap_or_else(|error| panic!("{error}")));
        self
    }

    fn run(&self, args: &[&str]) -> Said {
        let output = Command::new(self.program).args(args).current_dir(&self.folder).env_clear().output();
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { exit: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

#[test]
fn runs_every_case_of_the_catalog() {
    let installed = Installed::new("installed_run");
    installed.run(&["run", "--report", "record.jsonl"]).check(0, &["passed, 0 failed, "]);
    let record = std::fs::read_to_string(installed.folder.join("record.jsonl")).unwrap_or_default();
    let lines = record.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}")));
    let cases: Vec<Value> = lines.filter(|line: &Value| line["type"] == "case").collect();
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    for case in &cases {
        let expected = if case["level"] == "unspecified" { "unspecified" } else { "pass" };
        assert_eq!(case["verdict"], expected, "{case:#}");
    }
    let seen: BTreeSet<String> = cases.iter().map(|case| field(case, "id") + " " + &field(case, "abi")).collect();
    let (catalog, errors) = catalog::whole(&Path::new(ROOT).join("cases/catalog"));
    assert!(errors.is_empty(), "{errors:?}");
    let jobs = catalog.iter().flat_map(|case| case.versions.iter().map(|version| format!("{} {version}", case.id)));
    assert!(seen == jobs.collect(), "other cases are in the program than in the catalog");
}

#[test]
fn every_command_works() {
    let installed = Installed::new("installed_commands").with_plugin("p.wasm").with_plugin("sdk/headers.wasm");
    let rows: [(&[&str], i32, &str); 11] = [
        (&["list"], 0, "http_fields/get_value"),
        (&["explain", "http_fields/get_value_missing_key"], 0, "file      cases/catalog/http_fields/"),
        (&["explain", "integration/bare_module"], 0, "pass"),
        (&["check", "p.wasm"], 0, "p.wasm: "),
        (&["try", "p.wasm"], 0, "client 0 <- "),
        (&["fuzz", "--inputs", "20"], 0, ""),
        (&["coverage"], 0, "http_fields "),
        (&["abi", "--markdown"], 0, "proxy_get_header_map_value"),
        (&["sdk", "sdk"], 0, "passed, 0 failed"),
        (&["completions", "bash"], 0, "pw-conform"),
        (&["man"], 0, "pw-conform"),
    ];
    for (args, exit, text) in rows {
        installed.run(args).check(exit, &[text]);
    }
    let listed = installed.run(&["--help"]).out;
    let is_hidden = listed.lines().all(|line| !line.starts_with("  adapter"));
    assert!(is_hidden, "a hidden command is listed:\n{listed}");
}

#[cfg(unix)]
#[test]
fn drives_envoy_by_itself() {
    let installed = Installed::new("installed_envoy");
    installed.run(&["run", "readme", "--host", "envoy"]).check(2, &["adapter envoy` crashed", "no Envoy was found."]);
    let none = ["run", "readme", "--host", "envoy", "--envoy", "./none"];
    installed.run(&none).check(2, &["./none is not an Envoy: "]);
}

#[test]
fn messages_name_the_program_as_it_was_started() {
    let installed = Installed::new("installed_messages");
    installed.write("any.wat", "(module (memory (export \"memory\") 1) (func (export \"$marker\")))");
    installed.write("own.toml", format!("{HEAD}level = \"required\"\n{PLUGIN}[expect]\nstart = \"started\"\n"));
    let program = installed.program.display();
    let again = format!("{program} explain own.toml --abi 0.2.1 --host reference\n");
    installed.run(&["run", "own.toml"]).check(1, &[&again]);
    installed.run(&["explain", "own.toml"]).check(1, &[&again]);
    installed.run(&["run", "no_case_is_called_so"]).check(2, &[&format!("(`{program} list` shows all)")]);
}

/// A path like that of a file in the program means the user's file.
#[test]
fn a_module_of_an_own_case_is_beside_it() {
    let installed = Installed::new("installed_module").with_plugin("own.wasm");
    let case = |module: &str| format!("{HEAD}level = \"required\"\n[[plugin]]\nmodule = \"{module}\"\n");
    installed.write("own.toml", case("own.wasm"));
    installed.run(&["run", "own.toml"]).check(0, &["1 passed, 0 failed"]);
    for module in ["integration/bare_module.wat", "../catalog/integration/bare_module.wat"] {
        installed.write("own.toml", case(module));
        let missing = format!("own.toml:6: failed to read the module {module}: ");
        installed.run(&["run", "own.toml"]).check(2, &[&missing]);
    }
}

#[test]
fn another_catalog_is_a_folder() {
    let installed = Installed::new("installed_catalog");
    let catalog = installed.folder.join("other/catalog");
    for folder in [&catalog, &installed.folder.join("other/known")] {
        std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
    }
    installed.write("other/catalog/any.wat", "(module (memory (export \"memory\") 1) (func (export \"$marker\")))");
    let case = format!("{HEAD}level = \"required\"\n{PLUGIN}[expect]\nstart = \"started\"\n");
    installed.write("other/catalog/mine.toml", case);
    installed.run(&["list", "mine", "--catalog", "other/catalog"]).check(0, &["mine  0.2.1"]);
    let run = ["run", "mine", "--catalog", "other/catalog"];
    installed.run(&run).check(1, &["explain mine --abi 0.2.1 --host reference --catalog other/catalog\n"]);
    let entry = "[[known]]\ncase = \"mine\"\nclause = \"proxy_log/OK\"\ndoes = \"a\"\nwhy = \"b\"\n";
    installed.write("other/known/reference.toml", entry);
    installed.run(&run).check(0, &["0 passed, 0 failed, 1 known"]);
    installed.run(&["run", "--catalog", "none"]).check(2, &["--catalog none: there is no such folder"]);
}

/// The folder in which the program was built may be gone when it runs.
#[test]
fn no_source_of_the_program_names_the_folder_of_the_build() {
    let crates = ["abi", "adapters/envoy", "cases", "fuzz/core", "host", "reference", "runner"];
    let mut sources = crates.map(|name| Path::new(ROOT).join(name).join("src")).to_vec();
    let mut looked_at = 0;
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!program.contains("CARGO_MANIFEST_DIR"), "{}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "{looked_at} files");
}
