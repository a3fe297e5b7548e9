//! The kinds of parameters: what is passed, and in which core (wasm) values.

use crate::enums::{
    Action, BufferType, ClockId, EnumTable, Errno, FdId, LogLevel, MapType, MetricType, PeerType, Status, StreamType,
};

/// The kind of a parameter or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unsigned number in an `i32`.
    U32,
    /// An unsigned number in an `i64`.
    U64,
    /// A signed number in an `i64`.
    I64,
    /// A truth value in an `i32`; anything but 0 is true.
    Bool,
    /// A number of bytes or of elements.
    Size,
    /// One of the values of an enum.
    Enum(&'static EnumTable),
    /// Bytes, by pointer and size. As an out-parameter: the host allocates, and writes both through pointers.
    Bytes,
    /// A serialised map, by pointer and size like [`Kind::Bytes`].
    Pairs,
    /// A property path, by pointer and size like [`Kind::Bytes`].
    Path,
    /// WASI scatter-gather array: a pointer and the number of (pointer, size) entries.
    Iovecs,
    /// An address in the guest's memory to which the host writes; other parameters give the size.
    Address,
    /// What the host writes at the addresses of other parameters; has no core value itself.
    Writes,
}

/// The wasm type of a core value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the WebAssembly specification")]
pub enum Lane {
    I32,
    I64,
}

impl Lane {
    /// The name in WebAssembly's text format.
    pub const fn name(self) -> &'static str {
        match self {
            Lane::I32 => "i32",
            Lane::I64 => "i64",
        }
    }
}

impl Kind {
    /// The wasm type of each core value of this kind.
    pub const fn lane(self) -> Lane {
        match self {
            Kind::U64 | Kind::I64 => Lane::I64,
            _ => Lane::I32,
        }
    }
}

/// A Rust type that stands for a kind in a row of the table.
pub trait Shape {
    /// The kind that it stands for.
    const KIND: Kind;
}

macro_rules! shapes {
    ($($(#[doc = $doc:literal])+ $Name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub enum $Name {}
        impl Shape for $Name {
            const KIND: Kind = Kind::$Name;
        }
    )+};
}

shapes! {
    /// Stands for [`Kind::U32`].
    U32;
    /// Stands for [`Kind::U64`].
    U64;
    /// Stands for [`Kind::I64`].
    I64;
    /// Stands for [`Kind::Bool`].
    Bool;
    /// Stands for [`Kind::Size`].
    Size;
    /// Stands for [`Kind::Bytes`].
    Bytes;
    /// Stands for [`Kind::Pairs`].
    Pairs;
    /// Stands for [`Kind::Path`].
    Path;
    /// Stands for [`Kind::Iovecs`].
    Iovecs;
    /// Stands for [`Kind::Address`].
    Address;
    /// Stands for [`Kind::Writes`].
    Writes;
}

macro_rules! enum_shapes {
    ($($Name:ident)+) => {$(
        impl Shape for $Name {
            const KIND: Kind = Kind::Enum($Name::TABLE);
        }
    )+};
}

enum_shapes! { Action BufferType ClockId Errno FdId LogLevel MapType MetricType PeerType Status StreamType }
