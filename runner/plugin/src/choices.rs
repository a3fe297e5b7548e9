//! The flags by which the reference host answers open questions of the specification otherwise than usual.

use clap::Args;
use pw_harness::error::HarnessError;
use pw_host::Choices;

/// Answers to open questions.
#[derive(Clone, Debug, Default, Args)]
pub struct ChoiceArgs {
    /// How the reference host answers an open question, such as `log_plugin_contexts=true`; may be given several times
    #[arg(long = "choice", value_name = "NAME=BOOL")]
    pub choice: Vec<String>,
    /// Answer all open questions at random
    #[arg(long = "choices", value_name = "SEED")]
    pub choices_seed: Option<u64>,
}

impl ChoiceArgs {
    /// The answers: the usual ones, or those of the seed, and then what is chosen one by one.
    ///
    /// # Errors
    ///
    /// There is no choice of a name, or a value is neither true nor false.
    pub fn choices(&self) -> Result<Choices, HarnessError> {
        let mut choices = self.choices_seed.map_or_else(Choices::default, Choices::drawn);
        for words in &self.choice {
            let wrong = |message: String| HarnessError::new(format!("--choice {words}: {message}"));
            let (name, value) =
                words.split_once('=').ok_or_else(|| wrong("write NAME=true or NAME=false".to_owned()))?;
            let names = Choices::NAMES.iter().copied();
            let choice = choices.get_mut(name);
            let choice = choice
                .ok_or_else(|| wrong(format!("unknown choice `{name}`{}", pw_cases::format::meant(name, names))))?;
            *choice = value.parse().map_err(|_| wrong(format!("`{value}` is neither true nor false")))?;
        }
        Ok(choices)
    }

    /// The flags once more, for a program that is started with them.
    pub fn words(&self) -> Vec<String> {
        let seed = self.choices_seed.iter().flat_map(|seed| ["--choices".to_owned(), seed.to_string()]);
        let choice = self.choice.iter().flat_map(|choice| ["--choice".to_owned(), choice.clone()]);
        seed.chain(choice).collect()
    }

    /// Whether any answer is asked for.
    pub fn is_empty(&self) -> bool {
        self.choice.is_empty() && self.choices_seed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_passed_on() {
        let args = |choice: &[&str], seed| ChoiceArgs {
            choice: choice.iter().map(|one| (*one).to_owned()).collect(),
            choices_seed: seed,
        };
        let read = |choice: &[&str]| args(choice, None).choices().map_err(|error| error.to_string());
        assert_eq!(read(&[]), Ok(Choices::default()));
        assert_eq!(
            read(&["log_plugin_contexts=true"]),
            Ok(Choices { log_plugin_contexts: true, ..Choices::default() })
        );
        for (wrong, message) in [
            ("log_plugin_contexts", "write NAME=true or NAME=false"),
            ("log_plugin_context=true", "did you mean `log_plugin_contexts`?"),
            ("log_plugin_contexts=yes", "`yes` is neither true nor false"),
        ] {
            assert!(read(&[wrong]).is_err_and(|error| error.contains(message)), "{wrong}");
        }
        assert_eq!(args(&["a=true"], Some(7)).words(), ["--choices", "7", "--choice", "a=true"]);
    }
}
