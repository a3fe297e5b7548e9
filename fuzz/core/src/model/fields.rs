//! A map of fields as the model has it: a list.

use pw_abi::pairs;
use pw_cases::data::Fields;

/// Names, in lower case, and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map(pub(super) Vec<(Vec<u8>, Vec<u8>)>);

impl Map {
    pub(super) fn of(fields: &Fields) -> Map {
        Map(fields.iter().map(|(name, value)| (name.0.to_ascii_lowercase(), value.0.clone())).collect())
    }

    /// A serialised map; none where it is none, or one that HTTP cannot carry.
    pub(super) fn parse(bytes: &[u8]) -> Option<Map> {
        let pairs = pairs::decode(bytes).ok()?;
        let sound = pairs.iter().all(|(name, value)| carries(name, value));
        let lower = |(name, value): (&[u8], &[u8])| (name.to_ascii_lowercase(), value.to_vec());
        sound.then(|| Map(pairs.into_iter().map(lower).collect()))
    }

    pub(super) fn serialised(&self) -> Vec<u8> {
        pairs::encode(self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The value takes the place of the name's first.
    pub(super) fn replace(&mut self, name: &[u8], value: &[u8]) {
        let first = self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        self.remove(name);
        let place = first.unwrap_or(self.0.len());
        self.0.insert(place, (name.to_ascii_lowercase(), value.to_vec()));
    }
}

/// Whether a field is one that HTTP can carry.
pub(super) fn carries(name: &[u8], value: &[u8]) -> bool {
    let breaks = |byte: &u8| [b'\r', b'\n', 0].contains(byte);
    !name.is_empty() && !name.iter().chain(value).any(breaks)
}
