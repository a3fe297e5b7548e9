//! A map of fields: names and values in their order, duplicates kept, names compared without regard to case.

use std::fmt;

use crate::planted::planted;

/// Header, trailer or metadata fields.
///
/// All text lies in one piece, so that a copy of a map costs two allocations, however many fields it has.
#[derive(Clone, Default)]
pub struct Fields {
    text: Vec<u8>,
    spans: Vec<Span>,
}

/// From so many bytes on it is worth looking for what can be left out.
const LARGE: usize = 64 << 10;

/// Where a field's name and value lie.
#[derive(Clone, Copy)]
struct Span {
    name: (usize, usize),
    value: (usize, usize),
}

impl Fields {
    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.spans.iter().map(|span| (self.slice(span.name), self.slice(span.value)))
    }

    /// The first value of a name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name).map(|index| self.slice(self.spans[index].value))
    }

    /// Adds a field at the end; its name becomes lower-case.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        if self.text.len() > LARGE {
            self.tidy();
        }
        planted!(DuplicatesFolded => self.remove(name));
        let place = self.put(name);
        self.text[place.0..place.1].make_ascii_lowercase();
        let value = self.put(value);
        self.spans.push(Span { name: place, value });
    }

    /// Puts a value in the place of a name's first, and removes its others; adds it if there is none.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        if self.text.len() > LARGE {
            self.tidy();
        }
        let Some(first) = self.find(name) else { return self.add(name, value) };
        let old = self.spans[first].value;
        self.spans[first].value = if value.len() <= old.1 - old.0 {
            self.text[old.0..old.0 + value.len()].copy_from_slice(value);
            (old.0, old.0 + value.len())
        } else {
            self.put(value)
        };
        let mut index = 0;
        let text = &self.text;
        self.spans.retain(|span| {
            index += 1;
            index - 1 <= first || !text[span.name.0..span.name.1].eq_ignore_ascii_case(name)
        });
    }

    /// Removes all fields of a name.
    pub fn remove(&mut self, name: &[u8]) {
        let text = &self.text;
        self.spans.retain(|span| !text[span.name.0..span.name.1].eq_ignore_ascii_case(name));
    }

    /// Bytes of memory that the map takes.
    pub(crate) fn footprint(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// How many bytes of names and values the map has.
    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Whether there is room for a field, perhaps in the place of those of its name, in so many bytes.
    pub(crate) fn has_room(&self, name: &[u8], value: &[u8], replaces: bool, most: usize) -> bool {
        let more = name.len() + value.len();
        if self.text.len() + more <= most {
            return true;
        }
        let stays = |(known, _): &(&[u8], &[u8])| !replaces || !known.eq_ignore_ascii_case(name);
        let others: usize = self.iter().filter(stays).map(|(name, value)| name.len() + value.len()).sum();
        others + more <= most
    }

    /// The size of the map when serialised, in bytes.
    pub(crate) fn serialized_size(&self) -> usize {
        pw_abi::pairs::size(self.iter())
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        planted!(CaseSensitive => return self.spans.iter().position(|span| self.slice(span.name) == name));
        self.spans.iter().position(|span| self.slice(span.name).eq_ignore_ascii_case(name))
    }

    fn slice(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.text[start..end]
    }

    /// Leaves out what was replaced or removed, if that is most of a large map.
    fn tidy(&mut self) {
        if self.bytes() < self.text.len() / 2 {
            *self = self.iter().collect();
        }
    }

    fn put(&mut self, text: &[u8]) -> (usize, usize) {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        (start, self.text.len())
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text| String::from_utf8_lossy(text);
        f.debug_list().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Fields {
        let mut map = Fields::new();
        fields.into_iter().for_each(|(name, value)| map.add(name.as_ref(), value.as_ref()));
        map
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
        assert_eq!(fields.get(b"A"), Some(&b"1"[..]));
        fields.replace(b"a", b"4");
        assert_eq!(fields, Fields::from([("a", "4"), ("b", "2")]));
        fields.replace(b"a", b"longer");
        fields.replace(b"a", b"4");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"4"[..]), (b"b", b"2")]);
        fields.add(b"B", b"5");
        assert_eq!(fields.len(), 3);
        fields.remove(b"b");
        assert_eq!(fields, Fields::from([("a", "4")]));
    }
}
