//! Choices drawn from bytes. When they are used up, every choice is the first and every chance is missed, so that what is
//! generated comes to an end.

use arbitrary::Unstructured;

/// Draws choices from bytes.
pub(super) struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Draw<'a> {
        Draw(Unstructured::new(bytes))
    }

    /// A number below `end`, which is between 1 and 65536.
    pub(super) fn below(&mut self, end: usize) -> usize {
        match (end, self.0.len()) {
            (..=256, 1..) => (self.byte() * end) >> 8,
            (_, 2..) => ((self.byte() << 8 | self.byte()) * end) >> 16,
            _ => 0,
        }
    }

    fn byte(&mut self) -> usize {
        self.0.bytes(1).map_or(0, |bytes| bytes[0].into())
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// An element of `some`, which is not empty.
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
