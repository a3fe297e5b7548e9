//! A map of fields: names and values in order, with duplicates; names are compared case-insensitively.

use std::fmt;

use crate::planted::planted;

mod index;

use index::Index;

/// Header, trailer or metadata fields.
///
/// All text is in one buffer, so that a copy of a map costs two allocations, whatever the number of fields; a map of many
/// fields also has an index. Adding, replacing, removing and finding a field take the same time, whatever the number of fields.
#[derive(Clone, Default)]
pub struct Fields {
    text: Vec<u8>,
    spans: Vec<Span>,
    /// Bytes of current names and values; the rest of `text` was replaced or removed.
    live: usize,
    /// The number of spans of removed fields, which only a map with an index has.
    removed: usize,
    index: Option<Box<Index>>,
}

/// The maximum number of fields of a map without an index.
const MAX_UNINDEXED: usize = 64;

/// Bytes of text above which a map is compacted.
const MIN_COMPACTED_BYTES: usize = 64 << 10;

/// The ranges of a field's name and value in the text.
#[derive(Clone, Copy)]
struct Span {
    name: (usize, usize),
    value: (usize, usize),
}

impl Span {
    /// Stands for a removed field.
    const REMOVED: Span = Span { name: (usize::MAX, usize::MAX), value: (usize::MAX, usize::MAX) };

    fn exists(&self) -> bool {
        self.name.0 != usize::MAX
    }

    fn bytes(&self) -> usize {
        self.name.1 - self.name.0 + self.value.1 - self.value.0
    }
}

impl Fields {
    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.spans.len() - self.removed
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let existing = self.spans.iter().filter(|span| span.exists());
        existing.map(|span| (self.slice(span.name), self.slice(span.value)))
    }

    /// The first value of a name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name).map(|place| self.slice(self.spans[place].value))
    }

    /// Adds a field at the end; its name is converted to lower case.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.compact();
        planted!(DuplicatesFolded => self.remove(name));
        planted!(QuadraticMap => { std::hint::black_box(self.spans.iter().filter(|span| self.slice(span.name) == name).count()); });
        let name = self.put(name);
        self.text[name.0..name.1].make_ascii_lowercase();
        let value = self.put(value);
        let span = Span { name, value };
        self.spans.push(span);
        self.live += span.bytes();
        match &mut self.index {
            Some(index) => index.add(&self.text[name.0..name.1], self.spans.len() - 1, span.bytes()),
            None if self.spans.len() > MAX_UNINDEXED => self.build_index(),
            None => {}
        }
    }

    /// Replaces the first value of a name, and removes its others; adds a field if there is none of that name.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.compact();
        let Some(first) = self.find(name) else { return self.add(name, value) };
        let old = self.spans[first];
        let (start, end) = old.value;
        self.spans[first].value = if value.len() <= end - start {
            self.text[start..start + value.len()].copy_from_slice(value);
            (start, start + value.len())
        } else {
            self.put(value)
        };
        let bytes = self.spans[first].bytes();
        self.live = self.live - old.bytes() + bytes;
        match &mut self.index {
            Some(index) => {
                let others = index.keep_first(name, bytes);
                others.into_iter().for_each(|place| self.clear(place));
            }
            None => {
                let is = |span: &Span| Text(&self.text).is(span.name, name);
                if self.spans[first + 1..].iter().any(is) {
                    self.retain(|text, place, span| place <= first || !text.is(span.name, name));
                }
            }
        }
    }

    /// Removes all fields of a name.
    pub fn remove(&mut self, name: &[u8]) {
        planted!(OthersStay => if self.index.is_none() && let Some(first) = self.find(name) {
            self.live -= self.spans.remove(first).bytes();
            return;
        });
        match &mut self.index {
            Some(index) => {
                if let Some(group) = index.remove(name) {
                    self.clear(group.first);
                    group.others.into_iter().for_each(|place| self.clear(place));
                }
            }
            None => self.retain(|text, _, span| !text.is(span.name, name)),
        }
        self.compact();
    }

    /// Bytes of names and values.
    pub(crate) fn bytes(&self) -> usize {
        self.live
    }

    /// Bytes of heap that the map holds, about.
    pub(crate) fn footprint(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |_| self.text.len() + self.spans.len() * index::FIELD);
        self.text.capacity() + self.spans.capacity() * size_of::<Span>() + index
    }

    /// Whether the map with another field, which may replace those of its name, has at most `max` bytes.
    pub(crate) fn has_room(&self, name: &[u8], value: &[u8], replaces: bool, max: usize) -> bool {
        let more = name.len() + value.len();
        let fits = |bytes: usize| bytes.checked_add(more).is_some_and(|bytes| bytes <= max);
        fits(self.live) || replaces && fits(self.live - self.bytes_of(name))
    }

    /// The size of the map when serialised, in bytes.
    pub(crate) fn serialized_size(&self) -> usize {
        // The same as `pw_abi::pairs::size`.
        if self.is_empty() { 0 } else { 4 + 10 * self.len() + self.live }
    }

    /// Bytes of all fields of a name.
    fn bytes_of(&self, name: &[u8]) -> usize {
        match &self.index {
            Some(index) => index.get(name).map_or(0, |group| group.bytes),
            None => {
                let of_name = self.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
                of_name.map(|(name, value)| name.len() + value.len()).sum()
            }
        }
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        planted!(CaseSensitive => return self.spans.iter().position(|span| self.slice(span.name) == name));
        match &self.index {
            Some(index) => index.get(name).map(|group| group.first),
            // Names are in lower case here, and `name` mostly is.
            None => self.spans.iter().position(|span| self.slice(span.name) == name).or_else(|| {
                let mixed = name.iter().any(u8::is_ascii_uppercase);
                let is = |span: &Span| Text(&self.text).is(span.name, name);
                if mixed { self.spans.iter().position(is) } else { None }
            }),
        }
    }

    fn slice(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.text[start..end]
    }

    /// Removes fields from a map without an index.
    fn retain(&mut self, keep: impl Fn(Text<'_>, usize, &Span) -> bool) {
        let text = Text(&self.text);
        let (mut place, mut removed) = (0, 0);
        self.spans.retain(|span| {
            place += 1;
            let kept = keep(text, place - 1, span);
            removed += if kept { 0 } else { span.bytes() };
            kept
        });
        self.live -= removed;
    }

    /// Removes a field from a map with an index.
    fn clear(&mut self, place: usize) {
        let span = std::mem::replace(&mut self.spans[place], Span::REMOVED);
        self.live -= span.bytes();
        self.removed += 1;
    }

    fn build_index(&mut self) {
        let mut index = Index::default();
        for (place, span) in self.spans.iter().enumerate() {
            index.add(&self.text[span.name.0..span.name.1], place, span.bytes());
        }
        self.index = Some(Box::new(index));
    }

    /// Frees what was replaced or removed, if that is most of a large map.
    fn compact(&mut self) {
        let text = self.text.len() > MIN_COMPACTED_BYTES && self.live < self.text.len() / 2;
        let spans = self.removed > MAX_UNINDEXED && self.removed > self.spans.len() / 2;
        if text || spans {
            planted!(CompactionFolds => {
                let mut map = Fields::new();
                self.iter().for_each(|(name, value)| map.replace(name, value));
                *self = map;
                return;
            });
            *self = self.iter().collect();
        }
    }

    fn put(&mut self, text: &[u8]) -> (usize, usize) {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        (start, self.text.len())
    }
}

/// The text of a map.
#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn is(self, (start, end): (usize, usize), name: &[u8]) -> bool {
        // Lengths first: most names differ in them.
        end - start == name.len() && self.0[start..end].eq_ignore_ascii_case(name)
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
    fn keeps_duplicates_and_replaces_and_removes_them_together() {
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

    /// Does one operation of a long map on a list.
    fn step(list: &mut Vec<(String, String)>, what: u8, name: &str, value: &str) {
        let is = |(known, _): &(String, String)| known.eq_ignore_ascii_case(name);
        let field = (name.to_ascii_lowercase(), value.to_owned());
        match what {
            0 => list.push(field),
            1 => match list.iter().position(is) {
                Some(first) => {
                    let before = list[..first].to_vec();
                    let after: Vec<_> = list[first + 1..].iter().filter(|field| !is(field)).cloned().collect();
                    *list = before.into_iter().chain([field]).chain(after).collect();
                }
                None => list.push(field),
            },
            _ => list.retain(|field| !is(field)),
        }
    }

    #[test]
    fn behaves_like_a_list_at_any_length() {
        let mut random = fastrand::Rng::with_seed(1);
        for names in [2, 60, 300] {
            let (mut fields, mut list) = (Fields::new(), Vec::new());
            let mut longest = 0;
            for round in 0..3000 {
                // Alternates between mostly adding and mostly removing, so that the map gets an index and is compacted.
                let what = if random.u8(..10) < 7 { (round / 500 % 2) as u8 * 2 } else { random.u8(..3) };
                let name = format!("{}-{}", if random.bool() { "X" } else { "x" }, random.usize(..names));
                let value = "v".repeat(random.usize(..200));
                match what {
                    0 => fields.add(name.as_bytes(), value.as_bytes()),
                    1 => fields.replace(name.as_bytes(), value.as_bytes()),
                    _ => fields.remove(name.as_bytes()),
                }
                step(&mut list, what, &name, &value);
                longest = longest.max(list.len());
                let first = list.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, value)| value);
                assert_eq!(fields.get(name.as_bytes()), first.map(String::as_bytes));
                assert_eq!(fields.len(), list.len());
                let bytes = list.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                assert_eq!(fields.bytes(), bytes);
                let of_name = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(&name);
                let freed: usize = list.iter().filter(of_name).map(|(name, value)| name.len() + value.len()).sum();
                assert!(fields.has_room(name.as_bytes(), b"v", true, bytes - freed + name.len() + 1));
                assert!(!fields.has_room(name.as_bytes(), b"v", true, bytes - freed + name.len()));
                if round % 50 == 0 {
                    assert_eq!(fields, list.iter().cloned().collect());
                }
            }
            assert!(names == 2 || longest > MAX_UNINDEXED, "{names} names make a long map");
            assert_eq!(fields, list.into_iter().collect());
        }
    }

    #[test]
    fn frees_what_was_removed() {
        let mut fields: Fields = (0..20_000).map(|number| (format!("x-{number}"), "some value")).collect();
        let full = fields.footprint();
        assert!(full > 20_000 * size_of::<Span>());
        (0..20_000).for_each(|number| fields.remove(format!("x-{number}").as_bytes()));
        assert!(fields.is_empty());
        assert!(fields.footprint() < full / 50, "{} of {full} bytes are still held", fields.footprint());
    }

    #[test]
    fn replacing_repeatedly_does_not_grow_a_map() {
        let mut fields: Fields = (0..200).map(|number| (format!("x-{number}"), "")).collect();
        for round in 0..20_000 {
            let value = "v".repeat(round % 2 * 500);
            fields.replace(format!("x-{}", round / 2 % 200).as_bytes(), value.as_bytes());
        }
        assert_eq!(fields.len(), 200);
        assert!(fields.footprint() < 16 * MIN_COMPACTED_BYTES, "{}", fields.footprint());
    }
}
