//! Checked access to a guest's memory: the only place that touches its bytes. Knows no function and no state.
//!
//! A range is valid if it ends within the memory; an empty range may begin at its end. Address 0 and odd addresses are
//! like any other. All functions return `None` for a range that is not valid.

use pw_abi::IovecsIn;

pub(crate) fn range(memory: &[u8], address: u32, size: u32) -> Option<&[u8]> {
    memory.get(address as usize..)?.get(..size as usize)
}

pub(crate) fn range_mut(memory: &mut [u8], address: u32, size: usize) -> Option<&mut [u8]> {
    memory.get_mut(address as usize..)?.get_mut(..size)
}

pub(crate) fn writable(memory: &[u8], address: u32, size: u32) -> Option<()> {
    range(memory, address, size).map(drop)
}

pub(crate) fn write(memory: &mut [u8], address: u32, bytes: &[u8]) -> Option<()> {
    range_mut(memory, address, bytes.len())?.copy_from_slice(bytes);
    Some(())
}

/// WASI's array of pointers and sizes, with every piece checked.
pub(crate) fn iovecs(memory: &[u8], address: u32, count: u32) -> Option<IovecsIn<'_>> {
    let entries = range(memory, address, count.checked_mul(8)?)?;
    for entry in entries.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *entry;
        range(memory, u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))?;
    }
    Some(IovecsIn { memory, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_ranges_up_to_the_end() {
        #[track_caller]
        fn check(address: u32, size: u32, expected: bool) {
            assert_eq!(range(&[0; 16], address, size).is_some(), expected, "{address}+{size}");
        }
        check(0, 0, true);
        check(0, 16, true);
        check(15, 1, true);
        check(16, 0, true);
        check(16, 1, false);
        check(17, 0, false);
        check(1, 16, false);
        check(u32::MAX, 1, false);
        check(u32::MAX, u32::MAX, false);
        check(4, u32::MAX, false);
    }

    #[test]
    fn checks_every_iovec() {
        let mut memory = [0; 32];
        memory[0] = 16;
        memory[4] = 16;
        assert_eq!(iovecs(&memory, 0, 1).map(|iovecs| iovecs.pieces().map(<[u8]>::len).sum()), Some(16));
        memory[4] = 17;
        assert!(iovecs(&memory, 0, 1).is_none());
        assert!(iovecs(&memory, 0, u32::MAX).is_none());
        assert!(iovecs(&memory, 32, 0).is_some());
    }
}
