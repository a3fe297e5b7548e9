//! An index of fields by name, for long maps, in which a search through all fields would take too long.

use std::borrow::Cow;
use std::collections::HashMap;

/// For each name, in lower case, its fields. Places are indices into the map's spans, to which fields are only appended.
#[derive(Clone, Default)]
pub(super) struct Index {
    names: HashMap<Box<[u8]>, Group>,
}

/// Bytes of heap that a field takes in the index, about, besides its name: more in a table that is half empty, fewer if it shares its name.
pub(super) const FIELD: usize = size_of::<(Box<[u8]>, Group)>();

/// The fields of a name.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) first: usize,
    /// The places of the others, in order.
    pub(super) others: Vec<usize>,
    /// Bytes of all of their names and values.
    pub(super) bytes: usize,
}

impl Index {
    /// Adds the field at a place after all others; `name` is in lower case.
    pub(super) fn add(&mut self, name: &[u8], place: usize, bytes: usize) {
        if let Some(group) = self.names.get_mut(name) {
            group.others.push(place);
            group.bytes += bytes;
        } else {
            self.names.insert(name.into(), Group { first: place, others: Vec::new(), bytes });
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Group> {
        self.names.get(&*lower(name))
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Group> {
        self.names.remove(&*lower(name))
    }

    /// Removes all fields of a name but the first, which now has `bytes` bytes, and returns the places of the others.
    pub(super) fn keep_first(&mut self, name: &[u8], bytes: usize) -> Vec<usize> {
        let Some(group) = self.names.get_mut(&*lower(name)) else { return Vec::new() };
        group.bytes = bytes;
        std::mem::take(&mut group.others)
    }
}

fn lower(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(u8::is_ascii_uppercase) { name.to_ascii_lowercase().into() } else { name.into() }
}
