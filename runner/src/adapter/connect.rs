//! Which adapter `--host` means, and how to start it.

use std::path::Path;
use std::time::Duration;

use crate::adapter::Adapter;
use crate::adapter::process::Process;
use crate::adapter::reference::Reference;
use crate::cli::HostArgs;
use crate::error::HarnessError;

/// How to get at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The reference host, in process.
    Reference,
    /// The adapter for Envoy, with its arguments; and how long it may take for a case. Several run side by side.
    Envoy(Vec<String>, Duration),
    /// A program, with its arguments, that speaks the adapter protocol; and how long it may take for a case.
    Process(Vec<String>, Duration),
}

impl Connection {
    /// What the flags say.
    pub fn new(args: &HostArgs) -> Result<Connection, HarnessError> {
        if args.envoy.is_some() && args.host != "envoy" {
            return Err(HarnessError::new("--envoy goes with --host envoy"));
        }
        let words = match args.host.as_str() {
            "reference" => return Ok(Connection::Reference),
            "envoy" => {
                let timeout = Duration::from_secs(args.timeout);
                return envoy(args.envoy.as_deref()).map(|words| Connection::Envoy(words, timeout));
            }
            command => match shlex::split(command) {
                Some(words) if !words.is_empty() => words,
                _ => {
                    let message = format!("--host {command:?} is no command line: a quote is open, or it is empty");
                    return Err(HarnessError::new(message));
                }
            },
        };
        Ok(Connection::Process(words, Duration::from_secs(args.timeout)))
    }

    /// Starts an adapter.
    pub fn open(&self) -> Result<Box<dyn Adapter>, HarnessError> {
        Ok(match self {
            Connection::Reference => Box::new(Reference::new()?),
            Connection::Envoy(words, timeout) | Connection::Process(words, timeout) => {
                Box::new(Process::start(words.clone(), *timeout)?)
            }
        })
    }

    /// How many adapters to use if nobody says it.
    pub fn jobs(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        match self {
            Connection::Reference => processors,
            // Most of the time they wait for an Envoy to be idle.
            Connection::Envoy(..) => 2 * processors,
            Connection::Process(..) => 1,
        }
    }
}

/// The adapter for Envoy, which is this program.
fn envoy(path: Option<&Path>) -> Result<Vec<String>, HarnessError> {
    let own = std::env::current_exe().map_err(|error| HarnessError::io("find", "this program", &error))?;
    let mut words = vec![text(&own)?, "adapter".to_owned(), "envoy".to_owned()];
    if let Some(path) = path {
        words.extend(["--envoy".to_owned(), text(path)?]);
    }
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
        HostArgs { host: host.to_owned(), envoy: None, timeout: 7, known: None }
    }

    #[test]
    fn a_host_is_a_name_or_a_command_line() {
        let words = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Ok(Connection::Process(words, Duration::from_secs(7)))
        };
        assert_eq!(Connection::new(&args("reference")), Ok(Connection::Reference));
        assert_eq!(Connection::new(&args("./mine --flag 'a b'")), words(&["./mine", "--flag", "a b"]));
        assert!(Connection::new(&args("./mine 'a")).is_err());
        assert!(Connection::new(&args(" ")).is_err());
        assert!(Connection::new(&HostArgs { envoy: Some("envoy".into()), ..args("reference") }).is_err());
    }
}
