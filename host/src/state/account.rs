//! Accounts of host memory: bytes that exist because of a plugin or a VM id, charged before they are allocated. Plain numbers;
//! knows nothing of what the bytes are.
//!
//! Each constant is the cost of an item in bytes, besides its own: its place in a collection that may be half empty, and the
//! overhead of the allocator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A piece of a message that waits.
pub(crate) const PIECE: usize = 96;
/// An effect that is not drained yet.
pub(crate) const EFFECT: usize = 208;
/// A due notice of an item in a queue.
pub(crate) const NOTICE: usize = 144;
/// An item of a queue.
pub(crate) const ITEM: usize = 64;
/// A key, a queue or a property: a place in one or two trees, and its name.
pub(crate) const ENTRY: usize = 192;
/// A metric: its places in three trees, besides its name in two of them.
pub(crate) const METRIC: usize = 256;
/// An HTTP or gRPC call in flight: its places in three trees.
pub(crate) const CALL: usize = 192;
/// A context whose stream has ended.
pub(crate) const CONTEXT: usize = 160;
/// A stream, besides its places.
pub(crate) const STREAM: usize = 768;
/// A place in a stream's chain.
pub(crate) const PLACE: usize = 640;
/// A map of fields, besides its text.
pub(crate) const MAP: usize = 128;

/// The bytes charged to a plugin or a VM id. Cheap to clone: all clones are one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account(Arc<AtomicUsize>);

impl Account {
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether `bytes` more are at most `max`.
    pub(crate) fn has_room(&self, bytes: usize, max: usize) -> bool {
        self.used().saturating_add(bytes) <= max
    }

    /// Charges bytes, to be released by [`Account::release`] later.
    pub(crate) fn add(&self, bytes: usize) {
        // Only the owner of the proxy changes it: no read-modify-write is needed, which costs as much as a call.
        self.0.store(self.used().saturating_add(bytes), Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.0.store(self.used().saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Charges bytes until the charge is dropped; `None` if the account would exceed `max`.
    pub(crate) fn charge(&self, bytes: usize, max: usize) -> Option<Charge> {
        self.has_room(bytes, max).then(|| {
            self.add(bytes);
            Charge { account: Some(self.clone()), bytes }
        })
    }
}

/// Bytes that are charged to an account for as long as this lives.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    account: Option<Account>,
    bytes: usize,
}

impl Charge {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes its size, in an account; changes nothing, and returns false, if the account would exceed `max`.
    pub(crate) fn resize(&mut self, account: &Account, bytes: usize, max: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !account.has_room(more, max) {
            return false;
        }
        let account = self.account.get_or_insert_with(|| account.clone());
        account.add(more);
        account.release(self.bytes.saturating_sub(bytes));
        self.bytes = bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.release(self.bytes);
        }
    }
}

/// Charges of several accounts for a piece of a message; mostly there are none.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "nothing is charged for most pieces, which stay small")]
pub(crate) struct Charges(Option<Box<Vec<Charge>>>);

impl Charges {
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn add(&mut self, mut charge: Charge) {
        let Some(account) = charge.account.as_ref().filter(|_| charge.bytes > 0) else { return };
        let charges = self.0.get_or_insert_default();
        let same = |known: &&mut Charge| known.account.as_ref().is_some_and(|known| Arc::ptr_eq(&known.0, &account.0));
        match charges.iter_mut().find(same) {
            Some(known) => known.bytes += std::mem::take(&mut charge.bytes),
            None => charges.push(charge),
        }
    }

    pub(crate) fn add_all(&mut self, other: Charges) {
        match (&self.0, other.0) {
            (_, None) => {}
            (None, some) => self.0 = some,
            (Some(_), Some(others)) => others.into_iter().for_each(|charge| self.add(charge)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_releases_charges() {
        let (one, other) = (Account::default(), Account::default());
        let mut charges = Charges::default();
        charges.add(one.charge(3, 10).expect("there is room"));
        charges.add(one.charge(4, 10).expect("there is room"));
        charges.add(other.charge(5, 10).expect("there is room"));
        assert!(one.charge(4, 10).is_none());
        assert_eq!((one.used(), other.used()), (7, 5));
        drop(charges);
        assert_eq!((one.used(), other.used()), (0, 0));
    }

    #[test]
    fn a_charge_grows_to_the_limit_and_shrinks() {
        let account = Account::default();
        let mut charge = Charge::default();
        assert!(charge.resize(&account, 10, 10));
        assert!(!charge.resize(&account, 11, 10));
        assert_eq!((charge.bytes(), account.used()), (10, 10));
        assert!(charge.resize(&account, 2, 0), "a smaller size is always accepted");
        drop(charge);
        assert_eq!(account.used(), 0);
    }
}
