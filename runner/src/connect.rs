//! The hosts that `--host` knows by name, and how their adapters are started.

use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use pw_harness::adapter::{Program, Shapes, Tap};
use pw_harness::connection::Connection;
use pw_harness::error::HarnessError;
use pw_harness::invocation::Invocation;
use pw_harness::survey::Survey;
use pw_plugin::choices::ChoiceArgs;

use crate::cli::{CatalogArgs, HostArgs};

/// How the host of these flags is driven. The adapters for hosts with a name are this program, started once more.
///
/// # Errors
///
/// The flags contradict each other, a command line cannot be split, or the file of `--trace-adapter` cannot be written.
pub fn connection(args: &HostArgs) -> Result<Connection, HarnessError> {
    if args.envoy.is_some() && args.host != "envoy" {
        return Err(HarnessError::new("--envoy goes with --host envoy"));
    }
    if !args.choices.is_empty() && args.host != "reference" {
        return Err(HarnessError::new("--choice and --choices go with the reference host"));
    }
    args.choices.choices()?;
    let cores = available_parallelism().map_or(1, usize::from);
    let (words, jobs) = match args.host.as_str() {
        "reference" => (own("reference", None, &args.choices)?, cores),
        // Most of the time they wait for an Envoy to be idle.
        "envoy" => (own("envoy", args.envoy.as_deref(), &args.choices)?, 2 * cores),
        "sidecar" => (own("sidecar", None, &args.choices)?, cores),
        command => (split(command)?, 1),
    };
    let tap = args.trace_adapter.as_deref().map(Tap::create).transpose()?;
    let timeout = Duration::from_secs(args.timeout);
    let (survey, shapes) = (Arc::new(Survey::default()), Shapes::default());
    Ok(Connection { program: Program { words, timeout, tap, survey, shapes }, jobs })
}

/// How to say in a message that something is to be run again with these flags.
pub fn invocation(host: &HostArgs, catalog: &CatalogArgs) -> Invocation {
    let paths =
        [("--envoy", &host.envoy), ("--known", &host.known), ("--catalog", &catalog.catalog), ("--sdk", &catalog.sdk)];
    let paths = paths.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?.display().to_string())));
    let choice = host.choices.choice.iter().map(|choice| ("--choice", choice.clone()));
    let seed = host.choices.choices_seed.iter().map(|seed| ("--choices", seed.to_string()));
    Invocation::new([("--host", host.host.clone())].into_iter().chain(paths).chain(choice).chain(seed).collect())
}

fn split(command: &str) -> Result<Vec<String>, HarnessError> {
    if let Some(name) = ["reference", "envoy", "sidecar"].into_iter().find(|name| is_near(command, name)) {
        return Err(HarnessError::new(format!("--host {command}: there is no such program, did you mean `{name}`?")));
    }
    shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(|| {
        HarnessError::new(format!("--host {command:?} is not a command line: a quote is open, or it is empty"))
    })
}

/// Whether a word is not a program, and a name that is badly spelt.
fn is_near(word: &str, name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_program = || std::env::split_paths(&folders).any(|folder| folder.join(word).is_file());
    !word.contains('/') && strsim::osa_distance(word, name) <= 2 && !is_program()
}

/// The adapter of that name in this program.
fn own(name: &str, envoy: Option<&Path>, choices: &ChoiceArgs) -> Result<Vec<String>, HarnessError> {
    let program = std::env::current_exe().map_err(|error| HarnessError::io("find", "this program", &error))?;
    let mut words = vec![text(&program)?, "adapter".to_owned(), name.to_owned()];
    if let Some(path) = envoy {
        words.extend(["--envoy".to_owned(), text(path)?]);
    }
    words.extend(choices.words());
    Ok(words)
}

fn text(path: &Path) -> Result<String, HarnessError> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| HarnessError::new(format!("the path {} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(host: &str) -> HostArgs {
        HostArgs {
            host: host.to_owned(),
            envoy: None,
            timeout: 7,
            known: None,
            trace_adapter: None,
            choices: ChoiceArgs::default(),
        }
    }

    #[test]
    fn a_host_is_a_name_or_a_command_line() {
        let words = |host: &str| connection(&args(host)).map(|connection| connection.program.words);
        let own = words("reference").expect("this program can be found");
        assert_eq!(own[1..], ["adapter", "reference"]);
        let others = words("./mine --flag 'a b'").expect("it is a command line");
        assert_eq!(others, ["./mine", "--flag", "a b"]);
        let error = words("refrence").expect_err("it is no program").to_string();
        assert!(error.ends_with("did you mean `reference`?"), "{error}");
        assert!(words("./mine 'a").is_err());
        assert!(words(" ").is_err());
        assert!(connection(&HostArgs { envoy: Some("envoy".into()), ..args("reference") }).is_err());
    }
}
