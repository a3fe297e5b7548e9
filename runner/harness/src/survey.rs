//! Which functions of the ABI a host links. Found out before the cases are run, by probes that import them and do nothing.

use pw_abi::{Function, Version};
use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::probe::{Template, assemble};
use pw_cases::scenario::{Guest, Plugin, Scenario};
use pw_cases::script;
use pw_cases::transcript::Event;

use crate::error::HarnessError;

/// The functions that a host lacks, by version of the ABI; versions without such functions are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey(Vec<(Version, Vec<&'static str>)>);

impl Survey {
    /// Asks a host for the functions of these versions, where it implements them.
    ///
    /// # Errors
    ///
    /// The adapter failed.
    pub fn of(adapter: &mut dyn Adapter, versions: &[Version]) -> Result<Survey, HarnessError> {
        let abi = adapter.host().abi.clone();
        let mut lacking = Vec::new();
        for version in versions.iter().copied().filter(|version| abi.iter().any(|name| name == version.name())) {
            let functions: Vec<&'static str> = functions(version).map(|row| row.name).collect();
            let lacks = match links(adapter, version, &[])? {
                // Nothing can be said of a host that does not even load this.
                false => Vec::new(),
                true => lacks(adapter, version, &functions)?,
            };
            if !lacks.is_empty() {
                lacking.push((version, lacks));
            }
        }
        Ok(Survey(lacking))
    }

    /// The functions of a version that the host lacks.
    pub fn lacks(&self, version: Version) -> &[&'static str] {
        self.0.iter().find(|(known, _)| *known == version).map_or(&[], |(_, lacks)| lacks)
    }

    /// Versions and functions, as the record keeps them.
    pub fn rows(&self) -> impl Iterator<Item = (Version, &[&'static str])> {
        self.0.iter().map(|(version, lacks)| (*version, lacks.as_slice()))
    }
}

/// The functions of a version.
fn functions(version: Version) -> impl Iterator<Item = &'static Function> {
    script::functions().filter(move |row| row.versions.contains(version))
}

/// Those of the functions that the host does not link: halves of a list that it refuses are asked for apart.
fn lacks(
    adapter: &mut dyn Adapter,
    version: Version,
    functions: &[&'static str],
) -> Result<Vec<&'static str>, HarnessError> {
    if functions.is_empty() || links(adapter, version, functions)? {
        return Ok(Vec::new());
    }
    if let [function] = functions {
        return Ok(vec![function]);
    }
    let (first, second) = functions.split_at(functions.len() / 2);
    let mut lacking = lacks(adapter, version, first)?;
    lacking.extend(lacks(adapter, version, second)?);
    Ok(lacking)
}

/// Whether the host starts a plugin that imports these functions.
fn links(adapter: &mut dyn Adapter, version: Version, functions: &[&'static str]) -> Result<bool, HarnessError> {
    let probe = Template::importing(version, functions).wat(&[]);
    let wasm = assemble(&probe).map_err(|error| HarnessError::new(format!("failed to assemble the probe: {error}")))?;
    let plugins = vec![Plugin::new("survey", Guest::Module(wasm))];
    let scenario = Scenario { plugins, steps: Vec::new(), hazard: false };
    match adapter.run("survey", version, &scenario)? {
        Outcome::Ran(transcript) => {
            let fails = |event: &Event| matches!(event, Event::Refused { .. } | Event::Died { .. });
            Ok(!transcript.events.iter().any(fails))
        }
        Outcome::Skipped(reason) => {
            Err(HarnessError::new(format!("the adapter skips a plugin that does nothing: {reason}")))
        }
    }
}
