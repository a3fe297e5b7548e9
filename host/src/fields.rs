//! A map of fields: names and values in their order, duplicates kept, names compared without regard to case.

use bytes::Bytes;

/// Header, trailer or metadata fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Bytes, Bytes)>);

impl Fields {
    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first value of a name.
    pub fn get(&self, name: &[u8]) -> Option<&Bytes> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Adds a field at the end; its name becomes lower-case.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((lower(name), Bytes::copy_from_slice(value)));
    }

    /// Puts a value in the place of a name's first, and removes its others; adds it if there is none.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        let Some(first) = self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            return self.add(name, value);
        };
        self.0[first].1 = Bytes::copy_from_slice(value);
        let mut index = 0;
        self.0.retain(|(known, _)| {
            index += 1;
            index - 1 <= first || !known.eq_ignore_ascii_case(name)
        });
    }

    /// Removes all fields of a name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The size of the map when serialised, in bytes.
    pub(crate) fn serialized_size(&self) -> usize {
        pw_abi::pairs::size(self.iter())
    }
}

fn lower(name: &[u8]) -> Bytes {
    Bytes::from(name.to_ascii_lowercase())
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Fields {
        let field = |(name, value): (N, V)| (lower(name.as_ref()), Bytes::copy_from_slice(value.as_ref()));
        Fields(fields.into_iter().map(field).collect())
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const S: usize> From<[(N, V); S]> for Fields {
    fn from(fields: [(N, V); S]) -> Fields {
        fields.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_kept_replaced_and_removed_together() {
        let mut fields = Fields::from([("a", "1"), ("b", "2"), ("A", "3")]);
        assert_eq!(fields.get(b"A").map(Bytes::as_ref), Some(&b"1"[..]));
        fields.replace(b"a", b"4");
        assert_eq!(fields, Fields::from([("a", "4"), ("b", "2")]));
        fields.add(b"B", b"5");
        assert_eq!(fields.len(), 3);
        fields.remove(b"b");
        assert_eq!(fields, Fields::from([("a", "4")]));
    }
}
