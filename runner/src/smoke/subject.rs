//! The adapter under test: runs a check on it, and says in words what is wrong. Knows nothing of their order.

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome as Ran};
use pw_cases::case::Case;
use pw_cases::format;
use pw_cases::probe::{Template, assemble};
use pw_cases::protocol::{Feature, Host};
use pw_cases::scenario::{Guest, Plugin, Scenario};
use pw_cases::script::Script;
use pw_cases::transcript::{Event, Transcript};
use pw_harness::adapter::Process;
use pw_harness::attempt::{Attempt, attempt};
use pw_harness::connection::Connection;
use pw_harness::error::HarnessError;
use pw_harness::plan::Job;
use pw_harness::survey::Survey;

use super::{Check, Trial};

/// The number of lines of a transcript that are shown.
const MAX_LINES: usize = 16;
/// The number of findings of a case that are shown.
const MAX_FINDINGS: usize = 3;

/// The outcome of a check.
pub(super) enum Outcome {
    /// It passed; perhaps with something to say about it.
    Passed(Option<String>),
    /// It does not apply, for this reason.
    PassedOver(String),
    /// It failed: what was expected and what was seen.
    Failed(String),
    /// The same, and the host crashed.
    Died(String),
}

/// An adapter.
pub(super) struct Subject {
    connection: Connection,
    running: Option<Running>,
}

/// One that runs.
struct Running {
    process: Process,
    host: Host,
    /// The latest version that its host implements.
    version: Version,
    survey: Survey,
}

impl Subject {
    pub(super) fn new(connection: Connection) -> Subject {
        Subject { connection, running: None }
    }

    /// Runs a check.
    pub(super) fn try_out(&mut self, check: &Check) -> Outcome {
        if let (Trial::Start, _) | (_, None) = (check.trial, &self.running) {
            return self
                .start()
                .map_or_else(|error| Outcome::Failed(error.to_string()), |note| Outcome::Passed(Some(note)));
        }
        let outcome = match check.trial {
            Trial::Log(text) => self.survey().and_then(|()| self.running().map(|running| running.case(check, text))),
            trial => self.running().and_then(|running| running.try_out(check, trial)),
        };
        outcome.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
    }

    fn running(&mut self) -> Result<&mut Running, HarnessError> {
        self.running.as_mut().ok_or_else(|| HarnessError::new("the adapter does not run"))
    }

    /// Starts the adapter. The answer is who its host is.
    fn start(&mut self) -> Result<String, HarnessError> {
        let process = Process::start(self.connection.program.clone())?;
        let host = process.host().clone();
        let implements = |version: &Version| host.abi.iter().any(|name| name == version.name());
        let version = Version::FINAL.into_iter().rev().find(implements);
        let version = version.ok_or_else(|| {
            let names: Vec<&str> = Version::FINAL.into_iter().map(Version::name).collect();
            HarnessError::new(format!(
                "its host implements no version of the ABI: `abi` has none of {}",
                names.join(", ")
            ))
        })?;
        let features: Vec<&str> = host.features.iter().map(|feature| feature.name()).collect();
        let features =
            if features.is_empty() { "no features".to_owned() } else { format!("features {}", features.join(", ")) };
        let who = format!("{} {}; ABI {}; {features}", host.name, host.version, host.abi.join(", "));
        self.running = Some(Running { process, host, version, survey: Survey::default() });
        Ok(who)
    }

    /// Finds out which functions the host lacks, so that probes do not import them.
    fn survey(&mut self) -> Result<(), HarnessError> {
        let running = self.running()?;
        let survey = Survey::of(&mut running.process, &[running.version])?;
        if let Some(reason) = survey.refusal(running.version) {
            let version = running.version;
            return Err(HarnessError::new(format!(
                "expected that a plugin of ABI v{version} which imports only proxy_log is started\nactual   {reason}"
            )));
        }
        if survey != Survey::default() {
            self.connection = self.connection.clone().surveyed(survey.clone());
            self.running = None;
            self.start()?;
            self.running()?.survey = survey;
        }
        Ok(())
    }
}

impl Running {
    fn try_out(&mut self, check: &Check, trial: Trial) -> Result<Outcome, HarnessError> {
        Ok(match trial {
            Trial::Start => Outcome::Passed(None),
            Trial::Keep => self.keep()?,
            Trial::Refuse => self.refuse()?,
            Trial::Case(text) | Trial::Log(text) => self.case(check, text),
            Trial::Fault(first, second) => {
                let reported = first.replace("[true, false]", "true");
                let reports = self.host.features.contains(&Feature::Faults);
                match self.case(check, if reports { &reported } else { first }) {
                    Outcome::Passed(_) => self.case(check, second),
                    // That is the host's fault, which the catalog judges; here the adapter has to go on.
                    Outcome::Died(_) => match self.case(check, second) {
                        Outcome::Passed(_) => Outcome::Passed(Some("the trap crashes the host".to_owned())),
                        other => other,
                    },
                    other => other,
                }
            }
        })
    }

    fn keep(&mut self) -> Result<Outcome, HarnessError> {
        let plugins = [Guest::Probe(Script::new(self.version)), Guest::Module(bare(self.version)?)];
        let plugins = plugins.map(|guest| Plugin::new("plugin", guest));
        self.process.keep_modules(self.version, &plugins)?;
        Ok(Outcome::Passed(None))
    }

    fn refuse(&mut self) -> Result<Outcome, HarnessError> {
        let module = Guest::Module(b"This is not WebAssembly.".to_vec());
        let scenario = Scenario { plugins: vec![Plugin::new("plugin", module)], ..Scenario::default() };
        Ok(match self.process.run("smoke/refused", self.version, &scenario)? {
            Ran::Skipped(reason) => Outcome::Failed(skipped(&reason)),
            Ran::Ran(transcript) => match transcript.events.as_slice() {
                [.., Event::Refused { plugin, .. }] if plugin == "plugin" => Outcome::Passed(None),
                _ => Outcome::Failed(format!(
                    "expected the event `refused` for the plugin called `plugin`, as the last event\n{}",
                    shown(&transcript)
                )),
            },
        })
    }

    fn case(&mut self, check: &Check, text: &str) -> Outcome {
        let name = format!("{} {}", self.host.name, self.host.version);
        let lacking: Vec<&str> =
            check.needs.iter().filter(|need| !self.host.features.contains(need)).map(|need| need.name()).collect();
        if !lacking.is_empty() {
            return Outcome::PassedOver(format!("{name} does not claim the feature {}", lacking.join(", ")));
        }
        let case = match read(text) {
            Ok(case) => case,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let job = Job { case: &case, target: &case.id, version: self.version };
        match attempt(job, &mut self.process, &self.survey) {
            Attempt::Judged(_, judgement) if judgement.findings.is_empty() => Outcome::Passed(None),
            Attempt::Judged(transcript, judgement) => {
                let findings = judgement.findings.iter().take(MAX_FINDINGS);
                let findings = findings.map(|finding| {
                    format!("{}\n  expected {}\n  actual   {}\n", finding.about(), finding.expected, finding.actual)
                });
                let text = format!("{}{}", findings.collect::<String>(), shown(&transcript));
                let died = transcript.events.iter().any(|event| matches!(event, Event::Died { .. }));
                if died { Outcome::Died(text) } else { Outcome::Failed(text) }
            }
            Attempt::Lacks(functions) => Outcome::PassedOver(format!("{name} lacks {}", functions.join(", "))),
            Attempt::Skipped(reason) => Outcome::Failed(skipped(&reason)),
            Attempt::Failed(error) | Attempt::Panicked(error) => Outcome::Failed(error.to_string()),
        }
    }
}

/// The case with this text.
fn read(text: &str) -> Result<Case, HarnessError> {
    let modules = |module: &str| Err(format!("a check has no module {module}"));
    format::parse("smoke/check", "smoke", text, &modules).map_err(|error| HarnessError::new(error.to_string()))
}

/// A module that imports the log and does nothing.
fn bare(version: Version) -> Result<Vec<u8>, HarnessError> {
    let text = Template::importing(version, &[]).wat(&[]);
    assemble(&text).map_err(|error| HarnessError::new(format!("failed to assemble the probe: {error}")))
}

fn skipped(reason: &str) -> String {
    format!("expected `ran`\nactual   `skipped`: {reason}")
}

/// The beginning of a transcript.
fn shown(transcript: &Transcript) -> String {
    let text = transcript.to_string();
    let more = text.lines().count().saturating_sub(MAX_LINES);
    let lines: String = text.lines().take(MAX_LINES).map(|line| format!("  {line}\n")).collect();
    match (more, lines.is_empty()) {
        (_, true) => "seen: nothing".to_owned(),
        (0, _) => format!("seen:\n{lines}"),
        _ => format!("seen:\n{lines}  and {more} more lines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoke::CHECKS;

    #[test]
    fn the_cases_of_the_checks_can_be_read() {
        for check in &CHECKS {
            let texts = match check.trial {
                Trial::Case(text) | Trial::Log(text) => vec![text],
                Trial::Fault(first, second) => vec![first, second],
                Trial::Start | Trial::Keep | Trial::Refuse => Vec::new(),
            };
            for text in texts {
                let case = read(text).unwrap_or_else(|error| panic!("{}: {error}", check.title));
                assert_eq!(case.versions, Version::FINAL, "{}", check.title);
            }
        }
    }
}
