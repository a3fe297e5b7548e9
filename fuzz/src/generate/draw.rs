//! Choices drawn from bytes. When they are used up, every choice is the first and every chance is missed, so that what is
//! generated comes to an end.

use arbitrary::Unstructured;

/// Draws choices from bytes.
pub(super) struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Draw<'a> {
        Draw(Unstructured::new(bytes))
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        match u8::try_from(end - 1) {
            Ok(last) => self.0.int_in_range(0..=last).unwrap_or(0).into(),
            Err(_) => self.0.int_in_range(0..=end - 1).unwrap_or(0),
        }
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of some, of which there is at least one.
    pub(super) fn pick<'b, T>(&mut self, some: &'b [T]) -> &'b T {
        &some[self.below(some.len())]
    }

    /// Any 32 bits, each switching something on or off.
    pub(super) fn bits(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or(u32::MAX)
    }

    /// Whether there is something left to choose by.
    pub(super) fn more(&self) -> bool {
        !self.0.is_empty()
    }
}
