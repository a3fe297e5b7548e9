//! A probe without its script: an adapter gets it once, and then any number of scripts for it.

use crate::probe::{Template, assemble};
use crate::script::SCRIPT;

/// The smallest number of bytes that a shape has for its script.
const MIN_SCRIPT_BYTES: usize = 0x1000;
/// What the bytes of the script begin with until their place in the module is found.
const MARK: &[u8] = b"the script of the probe lies here";

/// A module, and where in it the script belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The module. The bytes of the script are 0.
    pub wasm: Vec<u8>,
    /// The first byte of the script, counted from the beginning of the module.
    pub offset: usize,
    /// The number of bytes that a script may have.
    pub size: usize,
    /// Where the script lies in the memory of an instance, for hosts that write it there.
    pub address: u32,
}

impl Shape {
    /// The number of bytes that the shape for a script of `size` bytes has: a power of two.
    pub fn capacity(size: usize) -> usize {
        size.next_power_of_two().max(MIN_SCRIPT_BYTES)
    }

    /// The module of a template, with that number of bytes for the script.
    ///
    /// # Errors
    ///
    /// The text of the module is not valid.
    pub fn new(template: &Template, size: usize) -> Result<Shape, String> {
        let mut script = vec![0; size];
        script[..MARK.len()].copy_from_slice(MARK);
        let mut wasm =
            assemble(&template.wat(&script)).map_err(|error| format!("failed to assemble the probe: {error}"))?;
        let offset = wasm.windows(MARK.len()).position(|bytes| bytes == MARK);
        let offset = offset.ok_or("the probe has no bytes for its script")?;
        wasm[offset..offset + MARK.len()].fill(0);
        Ok(Shape { wasm, offset, size, address: SCRIPT })
    }

    /// The module with a script.
    ///
    /// # Errors
    ///
    /// The script is too long, or the shape says of a place that the module does not have.
    pub fn with_script(&self, script: &[u8]) -> Result<Vec<u8>, String> {
        let mut wasm = self.wasm.clone();
        let end = self.offset.saturating_add(script.len());
        if script.len() > self.size {
            return Err(format!("the script has {} bytes, and the shape has {} for it", script.len(), self.size));
        }
        let place = wasm.get_mut(self.offset..end);
        place.ok_or_else(|| format!("the shape has no bytes {} to {end}", self.offset))?.copy_from_slice(script);
        Ok(wasm)
    }
}

#[cfg(test)]
mod tests {
    use pw_abi::Version;

    use super::*;
    use crate::script::Script;

    #[test]
    fn a_script_is_put_where_the_module_has_it() {
        let script = Script::new(Version::V0_2_1);
        let template = Template::full(&script);
        let bytes: Vec<u8> = (1..=200).collect();
        let size = Shape::capacity(bytes.len());
        let shape = Shape::new(&template, size).expect("the probe is a module");
        let mut padded = bytes.clone();
        padded.resize(size, 0);
        let whole = assemble(&template.wat(&padded)).expect("the probe is a module");
        assert_eq!(shape.with_script(&bytes), Ok(whole));
        assert!(shape.with_script(&vec![1; size + 1]).is_err_and(|error| error.contains("4097 bytes")));
        let beyond = Shape { offset: shape.wasm.len(), ..shape };
        assert!(beyond.with_script(&bytes).is_err());
    }

    #[test]
    fn shapes_have_few_sizes() {
        assert_eq!([0, 4096, 4097, 10_000].map(Shape::capacity), [4096, 4096, 8192, 16_384]);
    }
}
