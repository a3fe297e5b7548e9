//! What a table of the language says of itself.

use std::fmt;

/// A table of case files.
#[derive(Debug)]
pub struct Table {
    /// Its name in the reference and in the schema.
    pub name: &'static str,
    /// What it is, as sentences.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Table {
    /// The names of its keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What can stand there.
    pub form: Form,
    /// What holds where it is left out.
    pub usual: Usual,
    /// What it means, as a sentence.
    pub about: &'static str,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug)]
pub enum Usual {
    /// It must not be left out.
    Needed,
    /// What the key's sentence says.
    Said,
    /// This value, in JSON.
    Is(&'static str),
}

impl Key {
    pub(super) const fn needed(name: &'static str, form: Form, about: &'static str) -> Key {
        Key { name, form, usual: Usual::Needed, about }
    }

    pub(super) const fn said(name: &'static str, form: Form, about: &'static str) -> Key {
        Key { name, form, usual: Usual::Said, about }
    }

    pub(super) const fn usually(name: &'static str, form: Form, usual: &'static str, about: &'static str) -> Key {
        Key { name, form, usual: Usual::Is(usual), about }
    }
}

/// What can stand at a key.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// `true`, and nothing else: the key alone says it.
    True,
    /// A number in this range, both included.
    Number(i64, i64),
    /// `"text"`, `{ hex = "00ff" }` or `{ repeat = "ab", times = 1000 }`.
    Bytes,
    /// `[[name, value], …]`.
    Fields,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of a host function.
    Function,
    /// The name of a callback.
    Callback,
    /// The name of a callback, perhaps with a plugin's name and a slash in front.
    PluginCallback,
    /// A number, or `"end"`, `"end-4"`, `"end+1"`.
    Address,
    /// The name of a status, its number, or `"TRAP"`.
    Status,
    /// An argument of a call: it depends on the parameter.
    Argument,
    /// What is expected of a value.
    Wanted,
    /// What a callback returns: an action's name, a truth value or a number.
    Result,
    /// A list of these.
    List(&'static Form),
    /// One of these, or a list of alternatives.
    AnyOf(&'static Form),
    /// A table with keys of any name, and these.
    Map(&'static Form),
    /// A table.
    Table(&'static Table),
    /// A table with keys of two kinds: these, and parameters of the callback that it names.
    Arguments,
    /// Any of these.
    Or(&'static [Form]),
}

/// In words, such as `a list of texts`.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Text => f.write_str("text"),
            Form::Flag => f.write_str("true or false"),
            Form::True => f.write_str("true"),
            Form::Number(i64::MIN, i64::MAX) => f.write_str("number"),
            Form::Number(least, i64::MAX) => write!(f, "number from {least} on"),
            Form::Number(least, most) => write!(f, "number from {least} to {most}"),
            Form::Bytes => f.write_str("[bytes](#values)"),
            Form::Fields => f.write_str("[fields](#values)"),
            Form::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                f.write_str(&words.join(" or "))
            }
            Form::Function => f.write_str("name of a host function"),
            Form::Callback => f.write_str("name of a callback"),
            Form::PluginCallback => f.write_str("name of a callback, or `plugin/callback`"),
            Form::Address => f.write_str("[address](#values)"),
            Form::Status => f.write_str("name or number of a status, or `\"TRAP\"`"),
            Form::Argument => f.write_str("[argument](#values)"),
            Form::Wanted => f.write_str("[expected value](#expected-values)"),
            Form::Result => f.write_str("name of an action, true or false, or number"),
            Form::List(Form::Text) => f.write_str("list of texts"),
            Form::List(Form::Callback | Form::PluginCallback) => f.write_str("list of names of callbacks"),
            Form::List(form) => write!(f, "list of {form}"),
            Form::AnyOf(form) => write!(f, "{form}; or a list of alternatives"),
            Form::Map(form) => write!(f, "table: name = {form}"),
            Form::Table(table) => write!(f, "[{0}](#{0})", table.name),
            Form::Arguments => f.write_str("table: `callback`, and parameter = [expected value](#expected-values)"),
            Form::Or(forms) => {
                let forms: Vec<String> = forms.iter().map(Form::to_string).collect();
                f.write_str(&forms.join(", or "))
            }
        }
    }
}
