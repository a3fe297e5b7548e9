//! The kinds of parameters: what crosses the boundary, and in which wasm lanes.

use crate::enums::{
    Action, BufferType, ClockId, EnumTable, Errno, FdId, LogLevel, MapType, MetricType, PeerType, Status, StreamType,
};

/// What a parameter or a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, unsigned, in an `i32` lane.
    U32,
    /// A number, unsigned, in an `i64` lane.
    U64,
    /// A number, signed, in an `i64` lane.
    I64,
    /// A truth value in an `i32` lane; anything but 0 is true.
    Bool,
    /// A number of bytes or of things.
    Size,
    /// One of the values of an enum.
    Enum(&'static EnumTable),
    /// Bytes by pointer and size. Out: the host allocates, and writes both through pointers.
    Bytes,
    /// A serialised map, by pointer and size like [`Kind::Bytes`].
    Pairs,
    /// A property path, by pointer and size like [`Kind::Bytes`].
    Path,
    /// WASI scatter-gather array: a pointer and the number of (pointer, size) entries.
    Iovecs,
    /// An address in the guest's memory to which the host writes as much as other parameters say.
    Address,
    /// What the host writes at the addresses that it was given; has no lane of its own.
    Writes,
}

/// A wasm value type at the boundary.
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
    /// The type of each of this kind's lanes.
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
