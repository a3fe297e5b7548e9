//! The sections' rows as traits: one typed method per function. A host implements them.

/// The types in which an implementation returns what it reads.
pub trait Values {
    /// Bytes, cheap to move.
    type Bytes;
    /// A map of fields.
    type Pairs;
}

/// WASI's scatter-gather array, with checked entries.
#[derive(Clone, Copy, Debug)]
pub struct IovecsIn<'a> {
    /// The guest's memory.
    pub memory: &'a [u8],
    /// The entries: pairs of little-endian 32-bit pointer and size, all within `memory`.
    pub entries: &'a [u8],
}

impl<'a> IovecsIn<'a> {
    /// The pieces, in order.
    pub fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        self.entries.chunks_exact(8).map(move |entry| {
            let (pointer, size) = (word(&entry[..4]), word(&entry[4..]));
            &self.memory[pointer..pointer + size]
        })
    }
}

fn word(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte))
}

/// Bytes to be written at addresses from the guest.
pub type MemoryWrites = Vec<(u32, Vec<u8>)>;

/// The guest has asked to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: u32,
}

macro_rules! in_value {
    (Bool) => { bool };
    (U32) => { u32 };
    (U64) => { u64 };
    (I64) => { i64 };
    (Size) => { u32 };
    (Address) => { u32 };
    (Bytes) => { &[u8] };
    (Pairs) => { &[u8] };
    (Path) => { &[u8] };
    (Iovecs) => { $crate::IovecsIn<'_> };
    ($Enum:ident) => { $crate::$Enum };
}
macro_rules! out_value {
    ($This:ty, U32) => {
        u32
    };
    ($This:ty, U64) => {
        u64
    };
    ($This:ty, Bytes) => {
        <$This as $crate::Values>::Bytes
    };
    ($This:ty, Pairs) => {
        <$This as $crate::Values>::Pairs
    };
    ($This:ty, Writes) => {
        $crate::MemoryWrites
    };
    ($This:ty, $Enum:ident) => {
        $crate::$Enum
    };
}
macro_rules! outs {
    ($Out:ty) => { $Out };
    ($($Out:ty),*) => { ($($Out),*) };
}
macro_rules! failure {
    (Nothing) => {
        $crate::Exit
    };
    ($Code:ident) => {
        $crate::$Code
    };
}

/// A section's rows as a trait.
macro_rules! methods {
    (
        [] section $Section:ident $slug:ident $title:literal
        host { $({
            $doc:literal $module:ident $name:ident
            [$($in:ident $In:ident $in_lanes:tt)*] [$($out:ident $Out:ident $out_lanes:tt)*]
            $Code:ident $statuses:tt $since:tt [$($until:ident)?]
        })* }
        guest $guest:tt
    ) => {
        #[doc = concat!("The functions of the section \"", $title, "\".")]
        pub trait $Section: $crate::Values {
            $(
                #[doc = $doc]
                #[doc = ""]
                #[doc = concat!(
                    "[Specification](", $crate::links::specification!(), $crate::links::last_text!($($until)?),
                    $crate::links::heading!($module $name), ")"
                )]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = "The status or error number that the call answers instead."]
                fn $name(
                    &mut self $(, $in: $crate::call::in_value!($In))*
                ) -> Result<$crate::call::outs!($($crate::call::out_value!(Self, $Out)),*), $crate::call::failure!($Code)>;
            )*
        }
    };
}

pub(crate) use {failure, in_value, methods, out_value, outs};
