//! Which functions of the ABI a host links. Found out before the cases are run, by probes that import them and do nothing.

use pw_abi::{Function, Returns, Version};
use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::probe::{Template, assemble};
use pw_cases::scenario::{Guest, Plugin, Scenario};
use pw_cases::script;
use pw_cases::transcript::{Event, Transcript};

use crate::error::HarnessError;

/// The name of the plugin that is started.
const NAME: &str = "survey";
/// The number of functions that are shown where not all are.
const MAX_SHOWN: usize = 6;

/// What a host links, by version of the ABI; versions of which nothing is to be said are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The versions of which the host was asked.
    asked: Vec<Version>,
    lacking: Vec<Lacking>,
    /// The functions without a result that it links with one, by version.
    with_results: Vec<(Version, Vec<&'static str>)>,
    /// The versions of which it does not start a plugin that does nothing, with its own words.
    refused: Vec<(Version, String)>,
}

/// What a host lacks of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lacking {
    version: Version,
    functions: Vec<&'static str>,
    /// What the host said about the first of them.
    reason: String,
}

impl Survey {
    /// Asks a host for the functions of these versions, where it implements them.
    ///
    /// # Errors
    ///
    /// The adapter failed, or no report of a plugin arrived.
    pub fn of(adapter: &mut dyn Adapter, versions: &[Version]) -> Result<Survey, HarnessError> {
        let abi = adapter.host().abi.clone();
        let mut survey = Survey::default();
        for version in versions.iter().copied().filter(|version| abi.iter().any(|name| name == version.name())) {
            survey.asked.push(version);
            let transcript = started(adapter, version, &[])?;
            if let Some(reason) = refusal(&transcript) {
                survey.refused.push((version, reason));
                continue;
            }
            if let Some(wrong) = wrong_reports(&transcript, NAME) {
                let name = &adapter.host().name;
                return Err(HarnessError::new(format!(
                    "the adapter of {name} says that a plugin was started, but no report of it arrived: {wrong}\n\
                     (docs/adapters.md, section \"Log lines\")"
                )));
            }
            let functions: Vec<&'static str> = functions(version).map(|row| row.name).collect();
            let (mut lacks, mut with_results) = (lacks(adapter, version, &functions)?, Vec::new());
            for function in functions_without_result(version) {
                let Some(at) = lacks.iter().position(|(name, _)| *name == function) else { continue };
                if refusal(&started_with_results(adapter, version, function)?).is_none() {
                    lacks.remove(at);
                    with_results.push(function);
                }
            }
            if !with_results.is_empty() {
                survey.with_results.push((version, with_results));
            }
            if let Some((_, reason)) = lacks.first().cloned() {
                let functions = lacks.into_iter().map(|(function, _)| function).collect();
                survey.lacking.push(Lacking { version, functions, reason });
            }
        }
        Ok(survey)
    }

    /// Whether the host was asked for the functions of a version.
    pub fn knows(&self, version: Version) -> bool {
        self.asked.contains(&version)
    }

    /// The functions of a version that the host lacks.
    pub fn lacks(&self, version: Version) -> &[&'static str] {
        let known = self.lacking.iter().find(|lacking| lacking.version == version);
        known.map_or(&[], |lacking| &lacking.functions)
    }

    /// The functions of a version that have no result, and that the host links with one, as if they returned a status.
    pub fn with_results(&self, version: Version) -> &[&'static str] {
        let known = self.with_results.iter().find(|(known, _)| *known == version);
        known.map_or(&[], |(_, functions)| functions)
    }

    /// Versions and functions, as the record keeps them.
    pub fn rows(&self) -> impl Iterator<Item = (Version, &[&'static str])> {
        self.lacking.iter().map(|lacking| (lacking.version, lacking.functions.as_slice()))
    }

    /// What the host said when it did not start a plugin of a version that imports nothing but `proxy_log`; nothing if it starts it.
    pub fn refusal(&self, version: Version) -> Option<&str> {
        self.refused.iter().find(|(refused, _)| *refused == version).map(|(_, reason)| reason.as_str())
    }

    /// The versions of which the host starts no plugin, with its words, as the record keeps them.
    pub fn refused(&self) -> impl Iterator<Item = (Version, &str)> {
        self.refused.iter().map(|(version, reason)| (*version, reason.as_str()))
    }

    /// What is to be said of it before the cases are run, in lines: all functions, or the first of many.
    pub fn text(&self, host: &str, all: bool) -> Vec<String> {
        let refused = self.refused.iter().map(|(version, reason)| {
            format!(
                "{host} does not start a plugin of ABI v{version} that only logs, so cases that check that it does fail, and the others \
                 are skipped. It says: {reason}"
            )
        });
        let lacking = self.lacking.iter().map(|Lacking { version, functions, reason }| {
            let shown = if all { functions.len() } else { MAX_SHOWN };
            let more = match functions.len().saturating_sub(shown) {
                0 => String::new(),
                more => format!(" and {more} more (-v shows all)"),
            };
            let names = functions.iter().take(shown).copied().collect::<Vec<_>>().join(", ");
            let (count, noun) = (functions.len(), if functions.len() == 1 { "function" } else { "functions" });
            format!("{host} lacks {count} {noun} of ABI v{version}: {names}{more}. Of the first it says: {reason}")
        });
        let with_results = self.with_results.iter().map(|(version, functions)| {
            format!(
                "{host} links {} of ABI v{version} with a status as the result, which the specification gives and takes away: \
                 cases call them so",
                functions.join(", ")
            )
        });
        refused.chain(lacking).chain(with_results).collect()
    }
}

/// The functions of a version.
fn functions(version: Version) -> impl Iterator<Item = &'static Function> {
    script::functions().filter(move |row| row.versions.contains(version))
}

/// Those of the functions that the host does not link, with its words: halves of a list that it refuses are asked for apart.
fn lacks(
    adapter: &mut dyn Adapter,
    version: Version,
    functions: &[&'static str],
) -> Result<Vec<(&'static str, String)>, HarnessError> {
    if functions.is_empty() {
        return Ok(Vec::new());
    }
    let Some(reason) = refusal(&started(adapter, version, functions)?) else { return Ok(Vec::new()) };
    if let [function] = functions {
        return Ok(vec![(function, reason)]);
    }
    let (first, second) = functions.split_at(functions.len() / 2);
    let mut lacking = lacks(adapter, version, first)?;
    lacking.extend(lacks(adapter, version, second)?);
    Ok(lacking)
}

/// The functions of a version without a result, of which the specification says elsewhere that they return a status. Not WASI's.
fn functions_without_result(version: Version) -> impl Iterator<Item = &'static str> {
    functions(version).filter(|row| row.returns == Returns::Nothing && row.module == "env").map(|row| row.name)
}

/// What was seen when a host started a plugin that imports a function with a result that it does not have.
fn started_with_results(
    adapter: &mut dyn Adapter,
    version: Version,
    function: &'static str,
) -> Result<Transcript, HarnessError> {
    start(adapter, version, &Template::importing(version, &[function]).with_results(&[function]))
}

/// What was seen when a host started a plugin that imports these functions.
fn started(
    adapter: &mut dyn Adapter,
    version: Version,
    functions: &[&'static str],
) -> Result<Transcript, HarnessError> {
    start(adapter, version, &Template::importing(version, functions))
}

fn start(adapter: &mut dyn Adapter, version: Version, template: &Template) -> Result<Transcript, HarnessError> {
    let probe = template.wat(&[]);
    let wasm = assemble(&probe).map_err(|error| HarnessError::new(format!("failed to assemble the probe: {error}")))?;
    let plugins = vec![Plugin::new(NAME, Guest::Module(wasm))];
    let scenario = Scenario { plugins, ..Scenario::default() };
    match adapter.run("survey", version, &scenario)? {
        Outcome::Ran(transcript) => Ok(transcript),
        Outcome::Skipped(reason) => {
            Err(HarnessError::new(format!("the adapter skips a plugin that does nothing: {reason}")))
        }
    }
}

/// Why the plugin was not started; nothing if it was.
fn refusal(transcript: &Transcript) -> Option<String> {
    transcript.events.iter().find_map(|event| match event {
        Event::Refused { reason, .. } => Some(reason.lines().next().unwrap_or_default().to_owned()),
        Event::Died { how } => Some(format!("it crashed: {how}")),
        _ => None,
    })
}

/// What is wrong with the log lines of a plugin that was started; nothing if a report of its probe is among them.
pub fn wrong_reports(transcript: &Transcript, name: &str) -> Option<String> {
    let lines = transcript.events.iter().filter_map(|event| match event {
        Event::Log { plugin, message, .. } => Some((plugin.as_str(), message.as_str().unwrap_or_default())),
        _ => None,
    });
    let reports: Vec<(&str, &str)> = lines.clone().filter(|(_, line)| line.contains("pw 0")).collect();
    if reports.iter().any(|(plugin, line)| *plugin == name && line.starts_with("pw ")) {
        return None;
    }
    Some(match (reports.first(), lines.count()) {
        (Some((plugin, _)), _) if *plugin != name => {
            format!("its log lines carry the name `{plugin}`, but the plugin is called `{name}`")
        }
        (Some((_, line)), _) => {
            let before = line.split("pw 0").next().unwrap_or_default();
            format!("a report begins with `pw `, and these lines have something in front of it: `{before}`")
        }
        (None, 0) => "no log line of a plugin arrived".to_owned(),
        (None, _) => "there are log lines, but no report of a probe is among them".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_that_are_no_reports_are_explained() {
        let log = |plugin: &str, message: &str| Event::Log {
            plugin: plugin.into(),
            level: "INFO".into(),
            message: message.into(),
        };
        let rows = [
            (vec![], Some("no log line of a plugin arrived")),
            (vec![log("a", "hello")], Some("no report of a probe")),
            (vec![log("a", "[info] pw 00000000 c 1")], Some("something in front of it: `[info] `")),
            (vec![log("b", "pw 00000000 c 1")], Some("the name `b`, but the plugin is called `a`")),
            (vec![log("a", "hello"), log("a", "pw 00000000 c 1")], None),
        ];
        for (events, expected) in rows {
            let wrong = wrong_reports(&Transcript { events }, "a");
            assert_eq!(wrong.is_some(), expected.is_some(), "{wrong:?}");
            let wrong = wrong.unwrap_or_default();
            assert!(wrong.contains(expected.unwrap_or_default()), "{wrong}");
        }
    }

    #[test]
    fn of_many_functions_the_first_are_shown() {
        let functions = vec!["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let lacking = vec![Lacking { version: Version::V0_2_1, functions, reason: "unknown import".to_owned() }];
        let survey = Survey { lacking, ..Survey::default() };
        let expected = "x lacks 9 functions of ABI v0.2.1: a, b, c, d, e, f and 3 more (-v shows all). Of the first it says: unknown import";
        assert_eq!(survey.text("x", false), [expected]);
        assert!(survey.text("x", true)[0].contains("f, g, h, i. Of the first"));
    }
}
