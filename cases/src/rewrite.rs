//! A case that was changed, as a file: the same modules, and another course of events.

use std::fmt::Write;

use pw_abi::Version;

use crate::case::{Case, Module};
use crate::format::{self, Error, KIT};
use crate::language::{self, text};
use crate::scenario::Scenario;

/// What a plugin that shares another's VM has of its own, besides `name`.
const OWN: [&str; 4] = ["configuration", "background", "standby", "failure"];

impl Case {
    /// Whether each of its plugins has a module of its own, so that a changed course of events is a case again.
    pub fn has_modules_only(&self) -> bool {
        self.plugins.iter().all(|plugin| plugin.module.is_some())
    }

    /// The plugin of the SDK kit that the plugin is, or the name of the file that is its module.
    pub fn made_of<'a>(&'a self, plugin: &'a str) -> &'a str {
        let module =
            self.plugins.iter().find(|known| known.settings.name == plugin).and_then(|known| known.module.as_ref());
        module.map_or(plugin, |module| name(module).strip_prefix(KIT).unwrap_or(name(module)))
    }

    /// The text of a case for that version in which this happens, and that expects nothing but what always holds: no plugin faults. `beside` is the path of a
    /// module's file, given as the case names it. The plugins of the scenario are some of this case's, with other settings.
    pub fn rewritten(
        &self,
        version: Version,
        scenario: &Scenario,
        (title, why): (&str, &str),
        beside: impl Fn(&str) -> String,
    ) -> String {
        let mut out = format!("title = {}\nwhy = {}\nabi = \"{version}\"\n", text(title), text(why));
        if !self.is_of_the_kit() {
            out += "level = \"extension\"\nclause = [\"#plugin-crashes\"]\n";
        }
        if !scenario.choices.is_empty() {
            let choices: Vec<String> =
                scenario.choices.iter().map(|(name, answer)| format!("{name} = {answer}")).collect();
            let _ = writeln!(out, "choices = {{ {} }}", choices.join(", "));
        }
        for plugin in &scenario.plugins {
            let _ = writeln!(out, "\n[[plugin]]\nname = {}", text(&plugin.settings.name));
            let known = self.plugins.iter().find(|known| known.settings.name == plugin.settings.name);
            let home = known.and_then(|known| self.plugins.get(known.home?));
            if let Some(home) = home {
                let keys: Vec<_> = language::SETTINGS.iter().filter(|key| OWN.contains(&key.name)).copied().collect();
                let _ = writeln!(out, "vm = {}", text(&home.settings.name));
                out += &language::entries(&plugin.settings, &keys);
                continue;
            }
            let module = known.and_then(|known| known.module.as_ref()).map_or("", name);
            let _ = match module.strip_prefix(KIT) {
                Some(kit) => writeln!(out, "kit = {}", text(kit)),
                None => writeln!(out, "module = {}", text(&beside(module))),
            };
            out += &language::entries(&plugin.settings, &language::SETTINGS[1..]);
        }
        for step in &scenario.steps {
            let _ = write!(out, "\n[[step]]\n{}", language::step(step));
        }
        out
    }

    /// Reads the text of a case about modules of this one, which it names as this one does.
    ///
    /// # Errors
    ///
    /// The text is not a case.
    pub fn read_again(&self, text: &str) -> Result<Case, Error> {
        let modules = |wanted: &str| {
            let mut known = self.plugins.iter().filter_map(|plugin| plugin.module.as_ref());
            let found = known.find(|module| name(module) == wanted).map(|module| match module {
                Module::Text { text, .. } => text.clone().into_bytes(),
                Module::Binary { bytes, .. } => bytes.clone(),
            });
            found.ok_or_else(|| "it is none of the case's".to_owned())
        };
        format::parse(&self.id, &self.file, text, &modules)
    }

    fn is_of_the_kit(&self) -> bool {
        let mut modules = self.plugins.iter().filter_map(|plugin| plugin.module.as_ref());
        modules.any(|module| name(module).starts_with(KIT))
    }
}

fn name(module: &Module) -> &str {
    match module {
        Module::Text { name, .. } | Module::Binary { name, .. } => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Step;

    const CASE: &str = "title = \"t\"\nlevel = \"extension\"\nclause = [\"#integration\"]\nabi = \"0.2.1\"\n\
        [[plugin]]\nname = \"one\"\nmodule = \"m.wat\"\nvm_id = \"v\"\nenvironment = { A = \"b\" }\n\
        [[plugin]]\nname = \"two\"\nvm = \"one\"\nconfiguration = \"c\"\n\
        [[step]]\nrequest_headers = [[\":path\", \"/\"]]\n[expect]\nfault = false\n";

    #[test]
    fn a_changed_case_is_read_back_as_it_is() {
        let module = |_: &str| Ok(b"(module (func (export \"$marker\")))".to_vec());
        let case = format::parse("a", "a.toml", CASE, &module).unwrap_or_else(|error| panic!("{error}"));
        let lowered = |case: &Case| case.lower(Version::V0_2_1).map(|lowered| lowered.scenario);
        let mut scenario = lowered(&case).unwrap_or_else(|error| panic!("{}", error.message));
        scenario.choices.insert("x".to_owned(), true);
        scenario.plugins[0].settings.limits.insert("calls".to_owned(), 0);
        scenario.plugins[1].settings.limits.insert("calls".to_owned(), 0);
        scenario.steps.push(Step::ClientReset { stream: 0 });
        let text = case.rewritten(Version::V0_2_1, &scenario, ("new", "it is new"), str::to_owned);
        let again = case.read_again(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let read = lowered(&again).unwrap_or_else(|error| panic!("{}", error.message));
        assert_eq!((read.steps, &read.choices), (scenario.steps, &scenario.choices));
        for (read, plugin) in read.plugins.iter().zip(&scenario.plugins) {
            assert_eq!(read.settings, plugin.settings, "{text}");
        }
        assert!(again.has_modules_only() && again.made_of("two") == "m.wat");
    }
}
