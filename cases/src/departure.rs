//! What a host does in place of what the reference host does, as a campaign that compares the two reports it.

use std::fmt;
use std::str::FromStr;

/// A departure. Its text is read again as the same departure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// A call returns another status, by its name, or its number if it has none.
    Status(String),
    /// A call returns the same status and other values.
    OtherValues,
    /// A callback has other arguments.
    OtherArguments,
    /// A callback reports elements where there are none; all else is the same.
    AdditionalElements,
    /// What reaches a peer, or the log, differs.
    AnotherMessage,
    /// Something else happens first: a callback, a call with its status, or what is sent where.
    First(String),
    /// Nothing happens.
    Nothing,
    /// It happens, and is not expected.
    Unexpected,
    /// The host crashes, with a signal or exit code.
    Crash(String),
}

const FIXED: [(&str, Departure); 6] = [
    ("other values", Departure::OtherValues),
    ("other arguments", Departure::OtherArguments),
    ("additional elements", Departure::AdditionalElements),
    ("another message", Departure::AnotherMessage),
    ("nothing", Departure::Nothing),
    ("unexpected", Departure::Unexpected),
];
const CRASHES: &str = "crashes with ";
const FIRST: &str = " first";

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Departure::Status(name) => f.write_str(name),
            Departure::First(what) => write!(f, "{what}{FIRST}"),
            Departure::Crash(how) => write!(f, "{CRASHES}{how}"),
            fixed => {
                let text = FIXED.iter().find(|(_, departure)| departure == fixed).map_or("", |(text, _)| text);
                f.write_str(text)
            }
        }
    }
}

impl FromStr for Departure {
    type Err = String;

    fn from_str(text: &str) -> Result<Departure, String> {
        if let Some((_, departure)) = FIXED.iter().find(|(fixed, _)| *fixed == text) {
            return Ok(departure.clone());
        }
        let is_status = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        match (text.strip_suffix(FIRST), text.strip_prefix(CRASHES)) {
            (Some(what), _) if !what.is_empty() => Ok(Departure::First(what.to_owned())),
            (_, Some(how)) if !how.is_empty() => Ok(Departure::Crash(how.to_owned())),
            _ if !text.is_empty() && text.chars().all(is_status) => Ok(Departure::Status(text.to_owned())),
            _ => {
                let fixed: Vec<String> = FIXED.iter().map(|(fixed, _)| format!("`{fixed}`")).collect();
                let fixed = fixed.join(", ");
                Err(format!("unknown departure `{text}`: write a status, {fixed}, `X first` or `crashes with SIGNAL`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_departure_is_read_as_it_is_written() {
        let all = [
            Departure::Status("BAD_ARGUMENT".to_owned()),
            Departure::Status("17".to_owned()),
            Departure::OtherValues,
            Departure::OtherArguments,
            Departure::AdditionalElements,
            Departure::AnotherMessage,
            Departure::First("proxy_on_log".to_owned()),
            Departure::First("proxy_log/OK".to_owned()),
            Departure::Nothing,
            Departure::Unexpected,
            Departure::Crash("SIGSEGV".to_owned()),
            Departure::Crash("exit status 1".to_owned()),
        ];
        for departure in all {
            assert_eq!(departure.to_string().parse(), Ok(departure));
        }
        for text in ["", "dies", "other", " first", "crashes with ", "bad_argument"] {
            assert!(text.parse::<Departure>().is_err(), "{text}");
        }
    }
}
