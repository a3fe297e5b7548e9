//! Fields of HTTP messages: how to make one, and how to find one.

use pw_cases::data::{Data, Fields};

/// A field of these texts.
pub fn field(name: &str, value: &str) -> (Data, Data) {
    (Data::from(name), Data::from(value))
}

/// The value of the first field with this name, which is compared byte by byte.
pub fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a Data> {
    fields.iter().find(|(found, _)| found.as_str() == Some(name)).map(|(_, value)| value)
}
