//! The command line. Help, completions and the man page come from these definitions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use pw_abi::Version;
use pw_cases::case::Level;

use pw_harness::console::ColorWhen;
use pw_harness::embedded::{self, Catalog};
use pw_harness::error::HarnessError;
use pw_harness::plan::Shard;
use pw_harness::running::Verbosity;
use pw_harness::sdk::Sdk;
use pw_plugin::check::CheckArgs;
use pw_plugin::choices::ChoiceArgs;
use pw_plugin::try_plugin::TryArgs;

use crate::{duration, examples};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "pw-conform",
    version,
    about = "Conformance tests for hosts of Proxy-Wasm plugins, and tools for plugin authors",
    after_help = "Exit codes: 0 nothing failed; 1 a case failed, an expected failure passed, or a plugin faulted; \
                  2 the harness or its input failed; 130 interrupted."
)]
pub struct Cli {
    /// When to colour what is printed; NO_COLOR is honoured too
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", value_parser = color())]
    pub color: ColorWhen,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run cases on a host
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// List cases
    #[command(after_help = examples::LIST)]
    List(ListArgs),
    /// Run one case and show all of it: clauses, script, transcript, expected against actual
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// Check plugins against the ABI without running them: versions, imports, exports, and which hosts load them
    #[command(after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Send one request through a plugin, or a chain of them, on the reference host
    #[command(after_help = examples::TRY)]
    Try(TryArgs),
    /// Run the SDK kit's cases with the plugins that an SDK makes
    #[command(after_help = examples::SDK)]
    Sdk(SdkArgs),
    /// Write a starter for an adapter, or for the plugins of the SDK kit
    #[command(subcommand, after_help = examples::INIT)]
    Init(InitCommand),
    /// Check an adapter with ten cases, in the order in which it is written, up to the first that fails
    #[command(after_help = examples::SMOKE)]
    Smoke(SmokeArgs),
    /// Look for bugs with random scenarios: on the reference host, judged by a model; on another host, compared with it
    #[command(after_help = examples::FUZZ)]
    Fuzz(FuzzArgs),
    /// Test fault isolation under load: healthy plugins beside ones that misbehave all the time
    #[command(after_help = examples::SOAK)]
    Soak(SoakArgs),
    /// Print the ABI: every function, parameter, status and version
    #[command(after_help = examples::ABI)]
    Abi(AbiArgs),
    /// Show how much of the specification the catalog checks
    #[command(after_help = examples::COVERAGE)]
    Coverage(CoverageArgs),
    /// Make badges, the matrix of hosts and the questions to the specification from records
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// Run an adapter of this program, which speaks the adapter protocol on standard input and output
    #[command(hide = true, subcommand)]
    Adapter(AdapterCommand),
    /// Print the JSON Schema of case files, of the messages of the adapter protocol, or of the lines of a record
    #[command(after_help = examples::SCHEMA)]
    Schema {
        /// Which schema
        name: SchemaName,
        /// Print the reference of case files for people instead, in Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Print completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(after_help = examples::MAN)]
    Man,
}

/// The formats that have a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SchemaName {
    Case,
    Protocol,
    Record,
}

/// The adapters in this program.
#[derive(Clone, Debug, Subcommand)]
pub enum AdapterCommand {
    /// Drive the reference host
    Reference {
        #[expect(missing_docs, reason = "its type says it")]
        #[command(flatten)]
        choices: ChoiceArgs,
    },
    /// Drive a real Envoy, over real sockets
    Envoy {
        /// The Envoy [default: $PW_CONFORM_ENVOY, or `envoy` in the PATH]
        #[arg(long, value_name = "PATH")]
        envoy: Option<PathBuf>,
    },
    /// Drive the sidecar, the reference host over real sockets
    Sidecar {
        /// Be the sidecar itself, with this configuration
        #[arg(long, value_name = "FILE")]
        serve: Option<PathBuf>,
    },
}

/// Which host, and how.
#[derive(Clone, Debug, Args)]
pub struct HostArgs {
    /// The host: `reference`, `envoy`, `sidecar`, or the command line of a program that speaks the adapter protocol
    #[arg(long, value_name = "HOST", default_value = "reference")]
    pub host: String,
    /// The Envoy that `--host envoy` runs [default: $PW_CONFORM_ENVOY, or `envoy` in the PATH]
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// Seconds that an adapter may take for a case
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// The host's expected failures [default: the catalog's for a host of that name, if it has them]
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
    /// Copy every line between this program and the adapters to a file
    #[arg(long, value_name = "FILE")]
    pub trace_adapter: Option<PathBuf>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub choices: ChoiceArgs,
}

/// Which catalog.
#[derive(Clone, Debug, Default, Args)]
pub struct CatalogArgs {
    /// A folder with another catalog than the one in this program; the expected failures are in `known` beside it. With --sdk, another kit
    #[arg(long, value_name = "DIR")]
    pub catalog: Option<PathBuf>,
    /// The cases of the SDK kit in place of the catalog, with the plugins of this folder or manifest (see `sdk`)
    #[arg(long, value_name = "DIR|MANIFEST")]
    pub sdk: Option<PathBuf>,
}

impl CatalogArgs {
    /// The catalog, or the SDK kit.
    ///
    /// # Errors
    ///
    /// A folder is not there, or a manifest is wrong.
    pub fn open(&self) -> Result<Catalog, HarnessError> {
        match &self.sdk {
            None => Catalog::new(self.catalog.as_deref()),
            Some(sdk) => Ok(Catalog::Kit(Box::new(Sdk::read(sdk, &embedded::kit())?), self.catalog.clone())),
        }
    }
}

/// How plugins are tried beyond what their cases say.
#[derive(Clone, Debug, Args)]
pub struct BeyondArgs {
    /// Run the cases on hosts that behave otherwise and are right: each open question answered in the other way, N random answers to all of
    /// them [default: 8], full limits, calls that fail, bodies in pieces, streams that are given up. A plugin must not trap or hang
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "8", conflicts_with = "leaks")]
    pub variations: Option<u64>,
    /// Repeat the streams of each case 10,000 times, and find plugins whose memory grows
    #[arg(long)]
    pub leaks: bool,
    /// The folder for what --variations finds: each is a case file
    #[arg(long, value_name = "DIR", default_value = "finds")]
    pub finds: PathBuf,
}

impl BeyondArgs {
    /// Whether cases are to be run in another way than usual.
    pub fn is_asked_for(&self) -> bool {
        self.variations.is_some() || self.leaks
    }
}

/// See [`Command::Run`].
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Case files, folders of such, or parts of ids (`http_fields`, `http_fields/get_value`) [default: the catalog]
    #[arg(value_name = "PATH|FILTER", value_parser = OsStringValueParser::new().try_map(utf8))]
    pub cases: Vec<String>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub host: HostArgs,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Run for this version of the ABI only
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub abi: Option<Version>,
    /// Run cases of this level only: required, recommended, unspecified, extension
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<Level>,
    /// Run only what failed in this record
    #[arg(long, value_name = "FILE.jsonl")]
    pub failed: Option<PathBuf>,
    /// End the run after N failed cases
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_fail: Option<usize>,
    /// Exit with 1 if a smaller share of the required cases was run
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub require_coverage: Option<u8>,
    /// Show each case
    #[arg(long, short)]
    pub verbose: bool,
    /// Show only the counts
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Run part I of N of the cases, such as 1/4
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Number of adapter processes [default: one per core for the reference host, two for Envoy, else 1]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Write a record of the run, in JSON lines
    #[arg(long, value_name = "FILE.jsonl")]
    pub report: Option<PathBuf>,
    /// Write a JUnit report of the run
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub beyond: BeyondArgs,
    /// Write a new file with an expected failure for each cause of what fails; fill in its reasons, then use it by --known
    #[arg(long, value_name = "FILE.toml")]
    pub draft_known: Option<PathBuf>,
}

/// How much is shown with these flags.
pub fn verbosity(quiet: bool, verbose: bool) -> Verbosity {
    match (quiet, verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Usual,
    }
}

/// See [`Command::Sdk`].
#[derive(Clone, Debug, Args)]
pub struct SdkArgs {
    /// A folder with a manifest `sdk.toml`, or with modules that are called as the kit's plugins; or a manifest
    #[arg(value_name = "DIR|MANIFEST")]
    pub sdk: PathBuf,
    /// Parts of ids of the kit's cases (`headers`, `headers/copies`) [default: all]
    #[arg(value_name = "FILTER", value_parser = OsStringValueParser::new().try_map(utf8))]
    pub cases: Vec<String>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub host: HostArgs,
    /// A folder with another kit than the one in this program
    #[arg(long, value_name = "DIR")]
    pub kit: Option<PathBuf>,
    /// Run only what failed in this record
    #[arg(long, value_name = "FILE.jsonl")]
    pub failed: Option<PathBuf>,
    /// Show each case
    #[arg(long, short)]
    pub verbose: bool,
    /// Show only the counts
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Number of adapter processes [default: one per core for the reference host, two for Envoy, else 1]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Write a record of the run, in JSON lines
    #[arg(long, value_name = "FILE.jsonl")]
    pub report: Option<PathBuf>,
    /// Write a JUnit report of the run
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub beyond: BeyondArgs,
    /// Write a new file with an expected failure for each cause of what fails; fill in its reasons, then call it `known.toml`
    #[arg(long, value_name = "FILE.toml")]
    pub draft_known: Option<PathBuf>,
}

/// See [`Command::List`].
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Case files, folders of such, or parts of ids [default: the catalog]
    #[arg(value_name = "PATH|FILTER", value_parser = OsStringValueParser::new().try_map(utf8))]
    pub cases: Vec<String>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Print JSON, an object per case
    #[arg(long)]
    pub json: bool,
}

/// See [`Command::Explain`].
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// An id, a part of one that no other case has, or a file
    #[arg(value_name = "CASE", value_parser = OsStringValueParser::new().try_map(utf8))]
    pub case: String,
    /// For this version of the ABI [default: the latest of the case that the host implements]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub abi: Option<Version>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub host: HostArgs,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// What `init` writes.
#[derive(Clone, Debug, Subcommand)]
pub enum InitCommand {
    /// Write the skeleton of an adapter, with its manual, into a new or empty folder
    Adapter(InitAdapterArgs),
    /// Write an empty manifest of the SDK kit's plugins, with what each of them does, into a new or empty folder
    Sdk(InitSdkArgs),
}

/// See [`InitCommand::Sdk`].
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::INIT)]
pub struct InitSdkArgs {
    /// The folder
    #[arg(value_name = "DIR", default_value = "sdk")]
    pub folder: PathBuf,
}

/// See [`InitCommand::Adapter`].
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::INIT)]
pub struct InitAdapterArgs {
    /// The language
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Language,
    /// The folder
    #[arg(value_name = "DIR", default_value = "adapter")]
    pub folder: PathBuf,
}

/// The languages in which there are skeletons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Python,
    Go,
    Rust,
}

/// See [`Command::Smoke`].
#[derive(Clone, Debug, Args)]
pub struct SmokeArgs {
    /// The host: the command line of a program that speaks the adapter protocol, or `reference` or `envoy`
    #[arg(long, value_name = "HOST")]
    pub host: String,
    /// The Envoy that `--host envoy` runs [default: $PW_CONFORM_ENVOY, or `envoy` in the PATH]
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// Seconds that the adapter may take for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Copy every line between this program and the adapter to a file
    #[arg(long, value_name = "FILE")]
    pub trace_adapter: Option<PathBuf>,
}

impl SmokeArgs {
    /// Which host, and how.
    pub fn host(&self) -> HostArgs {
        let SmokeArgs { host, envoy, timeout, trace_adapter } = self.clone();
        HostArgs { host, envoy, timeout, known: None, trace_adapter, choices: ChoiceArgs::default() }
    }
}

/// See [`Command::Fuzz`].
#[derive(Clone, Debug, Args)]
pub struct FuzzArgs {
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub host: HostArgs,
    /// The version of the ABI of the scenarios for another host
    #[arg(long, value_name = "VERSION", value_parser = version, default_value = "0.2.1")]
    pub abi: Version,
    /// Duration
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub time: Duration,
    /// Maximum number of inputs, per job
    #[arg(long, value_name = "N")]
    pub inputs: Option<u64>,
    /// Seed of the random bytes; each further job has the next one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Number of campaigns side by side
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Folder for finds
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    pub out: PathBuf,
    /// Folder of inputs to begin with; inputs that reach something new are added
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Run only the inputs of these folders and of --corpus, and add to that what reaches something new
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "corpus", conflicts_with_all = ["inputs", "time", "jobs"])]
    pub merge: Vec<PathBuf>,
    /// Plant the known bugs one by one, and print how long each takes to be found
    #[arg(long)]
    pub planted: bool,
    /// Number of seeds for each planted bug
    #[arg(long, value_name = "N", default_value_t = 5, requires = "planted", value_parser = clap::value_parser!(u64).range(1..=99))]
    pub seeds: u64,
}

/// See [`Command::Soak`].
#[derive(Clone, Debug, Args)]
pub struct SoakArgs {
    /// Duration, after a warm-up of a tenth of it
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub time: Duration,
    /// Number of plugins, each in its own VM
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub plugins: u16,
    /// Number of them that misbehave
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub bad: u16,
    /// Seed of the choice which plugins get which requests
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Exit with 1 also if throughput, memory or the number of faults miss their promises
    #[arg(long)]
    pub check: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// See [`Command::Abi`].
#[derive(Clone, Debug, Args)]
pub struct AbiArgs {
    /// This version [default: 0.2.1]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub abi: Option<Version>,
    /// Print JSON, an object per function
    #[arg(long)]
    pub json: bool,
    /// Print reports/abi.md: all versions
    #[arg(long, conflicts_with_all = ["json", "abi"])]
    pub markdown: bool,
}

/// See [`Command::Coverage`].
#[derive(Clone, Debug, Args)]
pub struct CoverageArgs {
    /// Records of runs, one per host: shows on which host the covering cases pass
    #[arg(value_name = "FILE.jsonl")]
    pub records: Vec<PathBuf>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Print JSON, an object per statement and version
    #[arg(long)]
    pub json: bool,
    /// Print reports/coverage.md
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// List the statements whose sentence another text of the specification, a README.md, does not have
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "markdown", "records"])]
    pub against: Option<PathBuf>,
    /// The version of the ABI of that text
    #[arg(long, value_name = "VERSION", value_parser = version, default_value = "0.2.1")]
    pub abi: Version,
}

/// See [`Command::Report`].
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Records of runs, one per host
    #[arg(value_name = "FILE.jsonl", required = true)]
    pub records: Vec<PathBuf>,
    /// Where to write badges, matrix and questions
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// The words of `--color`.
fn color() -> impl TypedValueParser<Value = ColorWhen> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|word| match word.as_str() {
        "always" => ColorWhen::Always,
        "never" => ColorWhen::Never,
        _ => ColorWhen::Auto,
    })
}

fn level(name: &str) -> Result<Level, String> {
    let names = Level::ALL.map(|(name, _)| name).join(", ");
    let level = Level::ALL.into_iter().find(|(known, _)| *known == name);
    level.map(|(_, level)| level).ok_or_else(|| format!("there are {names}"))
}

fn utf8(text: OsString) -> Result<String, String> {
    text.into_string().map_err(|text| {
        let text = text.to_string_lossy();
        format!("{text:?} is not UTF-8, as ids and the paths of cases have to be: rename the file")
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number, 1 or more".to_owned())
}

fn version(name: &str) -> Result<Version, String> {
    let names: Vec<&str> = Version::ALL.into_iter().map(Version::name).collect();
    Version::parse(name).ok_or_else(|| format!("there are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_are_right() {
        let mut program = Cli::command();
        program.build();
        let mut commands: Vec<_> = program.get_subcommands().filter(|command| !command.is_hide_set()).collect();
        commands.retain(|command| command.get_name() != "help");
        assert!(commands.len() > 12);
        for command in commands {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().filter_map(|line| line.strip_prefix("  pw-conform "));
            // What follows several blanks is said of the example.
            let examples: Vec<&str> = examples.filter_map(|line| line.split("   ").next()).collect();
            assert!(!examples.is_empty(), "{name} has no example");
            for example in examples {
                let words = shlex::split(&format!("pw-conform {example}")).unwrap_or_else(|| panic!("{example}"));
                assert_eq!(words[1], name);
                assert!(Cli::try_parse_from(&words).is_ok(), "{example}");
            }
        }
    }

    #[test]
    fn try_takes_a_request_as_curl_does() {
        let words = ["pw-conform", "try", "p.wasm", "-X", "PUT", "-H", "a: b", "-H", "c: d", "-d", "body", "/x?y=z"];
        let Command::Try(args) = Cli::parse_from(words).command else { panic!("another command") };
        assert_eq!(
            (args.method.as_deref(), args.path.as_deref(), args.headers.len()),
            (Some("PUT"), Some("/x?y=z"), 2)
        );
    }
}
