//! Runs the program on cases and adapters that tests make.

#![expect(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A module that any host starts.
const MODULE: &str = "(module (memory (export \"memory\") 1) (func (export \"$marker\")))";
/// What all cases here have in common.
pub(crate) const HEAD: &str = "title = \"it starts\"\nclause = [\"#integration\"]\nabi = \"0.2.1\"\n";
/// The plugin of all cases here.
pub(crate) const PLUGIN: &str = "[[plugin]]\nmodule = \"any.wat\"\n";

/// A folder of cases, and of what a run writes.
pub(crate) struct Folder(PathBuf);

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("cases")).unwrap_or_else(|error| panic!("{error}"));
        let folder = Folder(path);
        folder.write("cases/any.wat", MODULE);
        folder
    }

    /// A folder of cases that want this of the start.
    pub(crate) fn of_cases(name: &str, cases: &[(&str, &str)]) -> Folder {
        let folder = Folder::new(name);
        for (case, start) in cases {
            let text = format!("{HEAD}level = \"required\"\n{PLUGIN}[expect]\nstart = \"{start}\"\n");
            folder.write(&format!("cases/{case}.toml"), &text);
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lines of a record.
    pub(crate) fn record(&self, name: &str) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.read(name).lines().map(line).collect()
    }

    /// Runs the program in this folder.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.run_with(args, &[])
    }

    /// Runs the program in this folder, with these variables in its environment.
    pub(crate) fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pw-conform"));
        // What is kept of compiled plugins is the test's own.
        command.env("XDG_CACHE_HOME", self.path("cache")).envs(environment.iter().copied());
        command.args(args).current_dir(&self.0).env("SOURCE_DATE_EPOCH", "0").env_remove("NO_COLOR");
        let output = command.output().unwrap_or_else(|error| panic!("{error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { exit: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The command line of the adapter in `examples/fake_adapter.rs`.
pub(crate) fn fake(mode: &str) -> String {
    example(&format!("fake_adapter {mode}"))
}

/// A command line that begins with the name of an example.
pub(crate) fn example(words: &str) -> String {
    let (name, mode) = words.split_once(' ').unwrap_or((words, ""));
    let program = Path::new(env!("CARGO_BIN_EXE_pw-conform")).with_file_name("examples").join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.is_file(), "{} is missing: `cargo build -p pw-conform --examples`", program.display());
    format!("'{}' {mode}", program.display())
}

impl Said {
    /// Fails unless the exit code is that, and each of the texts was said.
    #[track_caller]
    pub(crate) fn check(&self, exit: i32, texts: &[&str]) {
        let Said { out, err, .. } = self;
        assert_eq!(self.exit, exit, "\n{out}\n{err}");
        for text in texts {
            assert!(out.contains(text) || err.contains(text), "{text:?} is in neither\n{out}\nnor\n{err}");
        }
    }
}
