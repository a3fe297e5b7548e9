//! How each kind of parameter is read from core values and memory, and how each kind of result is written.

use pw_abi::{
    Address, Bool, BufferType, Bytes, ClockId, Errno, Exit, FdId, I64, Iovecs, IovecsIn, LogLevel, MapType,
    MemoryWrites, MetricType, Pairs, Path, Size, Status, StreamType, U32, U64, Writes,
};
use wasmtime::{AsContextMut, Caller, Memory};

use crate::guest_data::Data;
use crate::memory;
use crate::planted::planted;
use crate::state::ReadFields;
use crate::value::Value;

/// Why a call does not succeed.
pub(super) enum Stop<C> {
    /// It returns this status.
    Code(C),
    /// It is not allowed here, and has no effect.
    Restricted,
    /// It is much work, which must be counted before it is done.
    Unpaid,
    /// The guest traps.
    Trap(wasmtime::Error),
}

/// What a function returns, as a core value.
pub(super) trait Code: Sized {
    type Lane: Copy;
    const OK: Self::Lane;
    /// A pointer is not valid.
    const FAULT: Self;
    /// The function may not be called here.
    const RESTRICTED: Self::Lane;
    fn lane(self) -> wasmtime::Result<Self::Lane>;
    fn bits(lane: Self::Lane) -> Option<u32>;
}

impl Code for Status {
    type Lane = u32;
    const OK: u32 = Status::OK.0;
    const FAULT: Status = Status::INVALID_MEMORY_ACCESS;
    const RESTRICTED: u32 = Status::INTERNAL_FAILURE.0;

    fn lane(self) -> wasmtime::Result<u32> {
        Ok(self.0)
    }

    fn bits(lane: u32) -> Option<u32> {
        Some(lane)
    }
}

impl Code for Errno {
    type Lane = u32;
    const OK: u32 = Errno::SUCCESS.0;
    const FAULT: Errno = Errno::FAULT;
    const RESTRICTED: u32 = Errno::NOTSUP.0;

    fn lane(self) -> wasmtime::Result<u32> {
        Ok(self.0)
    }

    fn bits(lane: u32) -> Option<u32> {
        Some(lane)
    }
}

impl Code for Exit {
    type Lane = ();
    const OK: () = ();
    const FAULT: Exit = Exit { code: 0 };
    const RESTRICTED: () = ();

    fn lane(self) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("the plugin called proc_exit({})", self.code)))
    }

    fn bits((): ()) -> Option<u32> {
        None
    }
}

/// The guest's memory, which has to be looked up while the guest is being instantiated.
pub(super) fn memory(caller: &mut Caller<'_, Data>) -> Option<Memory> {
    match caller.data().memory {
        Some(memory) => Some(memory),
        None => caller.get_export("memory").and_then(wasmtime::Extern::into_memory),
    }
}

pub(super) fn parts<'a>(memory: Option<Memory>, caller: &'a mut Caller<'_, Data>) -> (&'a mut [u8], &'a mut Data) {
    match memory {
        Some(memory) => memory.data_and_store_mut(caller),
        None => (&mut [], caller.data_mut()),
    }
}

/// A kind of in-parameter.
pub(super) trait Decode {
    type Lanes;
    type Value<'m>;
    fn decode(memory: &[u8], lanes: Self::Lanes) -> Option<Self::Value<'_>>;
    /// Units of work of reading the parameter.
    #[inline]
    fn weight(_: &Self::Value<'_>) -> u64 {
        0
    }
}

macro_rules! decode_numbers {
    ($($Kind:ident: $lane:ty => $value:ty, |$bits:ident| $read:expr;)+) => {$(
        impl Decode for $Kind {
            type Lanes = ($lane,);
            type Value<'m> = $value;
            #[inline]
            fn decode(_: &[u8], ($bits,): ($lane,)) -> Option<$value> {
                Some($read)
            }
        }
    )+};
}
macro_rules! decode_bytes {
    ($($Kind:ident)+) => {$(
        impl Decode for $Kind {
            type Lanes = (u32, u32);
            type Value<'m> = &'m [u8];
            #[inline]
            fn decode(memory: &[u8], (address, size): (u32, u32)) -> Option<&[u8]> {
                memory::range(memory, address, size)
            }
            #[inline]
            fn weight(bytes: &&[u8]) -> u64 {
                bytes.len() as u64 / crate::guest_data::BYTES_PER_UNIT
            }
        }
    )+};
}

decode_numbers! {
    U32: u32 => u32, |bits| bits;
    U64: u64 => u64, |bits| bits;
    I64: i64 => i64, |bits| bits;
    Size: u32 => u32, |bits| bits;
    Address: u32 => u32, |bits| bits;
    Bool: u32 => bool, |bits| bits != 0;
    BufferType: u32 => BufferType, |bits| BufferType(bits);
    ClockId: u32 => ClockId, |bits| ClockId(bits);
    FdId: u32 => FdId, |bits| FdId(bits);
    LogLevel: u32 => LogLevel, |bits| LogLevel(bits);
    MapType: u32 => MapType, |bits| MapType(bits);
    MetricType: u32 => MetricType, |bits| MetricType(bits);
    StreamType: u32 => StreamType, |bits| StreamType(bits);
}
decode_bytes! { Bytes Pairs Path }

impl Decode for Iovecs {
    type Lanes = (u32, u32);
    type Value<'m> = IovecsIn<'m>;

    fn decode(memory: &[u8], (address, count): (u32, u32)) -> Option<IovecsIn<'_>> {
        memory::iovecs(memory, address, count)
    }

    fn weight(iovecs: &IovecsIn<'_>) -> u64 {
        // Pieces may overlap: the work is at most the size of the memory.
        let bytes = iovecs.pieces().fold(0, |bytes: usize, piece| bytes.saturating_add(piece.len()));
        iovecs.entries.len() as u64 + bytes.min(iovecs.memory.len()) as u64 / crate::guest_data::BYTES_PER_UNIT
    }
}

/// The guest's memory, which may have moved since it was last read, and the host's scratch buffer.
pub(super) fn parts_again<'a>(caller: &'a mut Caller<'_, Data>) -> (&'a mut [u8], &'a [u8]) {
    let memory = memory(caller);
    let (bytes, data) = parts(memory, caller);
    (bytes, data.state.as_ref().map_or(&[], |state| &state.scratch))
}

/// A kind of out-parameter. A value comes with the address that the guest's allocator returned for it, or 0.
pub(super) trait Encode {
    type Lanes;
    type Value;
    /// The value is written into memory from the guest's allocator.
    const ALLOCATES: bool = false;
    /// Bytes that it needs there.
    fn size(_: &Self::Value) -> usize {
        0
    }
    fn check(memory: &[u8], lanes: Self::Lanes) -> Option<()>;
    /// Checks that the memory that the guest's allocator returned is within bounds.
    #[inline]
    fn fits(_memory: &mut [u8], _value: &(Self::Value, u32)) -> Option<()> {
        Some(())
    }
    fn write(memory: &mut [u8], scratch: &[u8], value: (Self::Value, u32), lanes: Self::Lanes) -> Option<()>;
}

/// Calls the guest's allocator for the memory that a value needs; its address.
pub(super) fn allocate_for<K: Encode, C: Code>(
    caller: &mut Caller<'_, Data>,
    value: &K::Value,
) -> Result<u32, Stop<C>> {
    let size = K::size(value);
    if !K::ALLOCATES {
        return Ok(0);
    }
    let mut allocates = size > 0;
    if let Some(state) = &mut caller.data_mut().state {
        state.work = state.work.saturating_add(size as u64);
        allocates |= state.config.choices.empty_values_are_allocated;
    }
    planted!(EmptyAllocated => allocates = true);
    if !allocates {
        return Ok(0);
    }
    allocate(caller, size).map_err(Stop::Trap)?.ok_or(Stop::Code(C::FAULT))
}

macro_rules! encode_numbers {
    ($($Kind:ident: $value:ty, $size:literal, |$number:ident| $bits:expr;)+) => {$(
        impl Encode for $Kind {
            type Lanes = (u32,);
            type Value = $value;
            #[inline]
            fn check(memory: &[u8], (address,): (u32,)) -> Option<()> {
                memory::writable(memory, address, $size)
            }
            #[inline]
            fn write(memory: &mut [u8], _: &[u8], ($number, _): ($value, u32), (address,): (u32,)) -> Option<()> {
                memory::write(memory, address, &$bits.to_le_bytes())
            }
        }
    )+};
}

encode_numbers! {
    U32: u32, 4, |number| number;
    U64: u64, 8, |number| number;
    LogLevel: LogLevel, 4, |level| level.0;
}

macro_rules! encode_bytes {
    ($($Kind:ident: $value:ty, |$sized:ident| $size:expr, |$from:ident, $scratch:ident, $place:ident| $write:expr;)+) => {$(
        impl Encode for $Kind {
            type Lanes = (u32, u32);
            type Value = $value;
            const ALLOCATES: bool = true;
            fn size($sized: &$value) -> usize {
                $size
            }
            fn check(memory: &[u8], (pointer, size): (u32, u32)) -> Option<()> {
                planted!(ItemLost => return Some(()));
                planted!(PartialWrite => return Some(()));
                memory::writable(memory, pointer, 4).and_then(|()| memory::writable(memory, size, 4))
            }
            #[inline]
            fn fits(memory: &mut [u8], (value, address): &($value, u32)) -> Option<()> {
                memory::range_mut(memory, *address, Self::size(value)).map(drop)
            }
            fn write(memory: &mut [u8], $scratch: &[u8], ($from, address): ($value, u32), lanes: (u32, u32)) -> Option<()> {
                let size = Self::size(&$from);
                planted!(EmptyUnwritten => if size == 0 {
                    return Some(());
                });
                let $place = memory::range_mut(memory, address, size)?;
                $write;
                memory::write(memory, lanes.0, &address.to_le_bytes())?;
                memory::write(memory, lanes.1, &(size as u32).to_le_bytes())
            }
        }
    )+};
}

encode_bytes! {
    Bytes: Value, |value| value.size(), |value, scratch, place| place.copy_from_slice(value.as_slice(scratch));
    Pairs: ReadFields, |fields| fields.size(), |fields, _scratch, place| fields.write(place);
}

impl Encode for Writes {
    type Lanes = ();
    type Value = MemoryWrites;

    fn check(_: &[u8], (): ()) -> Option<()> {
        Some(())
    }

    fn write(memory: &mut [u8], _: &[u8], (writes, _): (MemoryWrites, u32), (): ()) -> Option<()> {
        writes.iter().try_for_each(|(address, bytes)| memory::writable(memory, *address, bytes.len() as u32))?;
        writes.iter().try_for_each(|(address, bytes)| memory::write(memory, *address, bytes))
    }
}

/// Calls the guest's allocator; `None` if it fails, which it reports by 0.
fn allocate(caller: &mut Caller<'_, Data>, size: usize) -> wasmtime::Result<Option<u32>> {
    let Ok(size) = u32::try_from(size) else { return Ok(None) };
    // Moved out, as a clone costs as much as the call; nothing may call it again while it runs.
    let Some(allocator) = caller.data_mut().allocator.take() else { return Ok(None) };
    caller.data_mut().allocating = true;
    let address = allocator.call(caller.as_context_mut(), size);
    let data = caller.data_mut();
    data.allocating = false;
    data.allocator = Some(allocator);
    Ok(Some(address?).filter(|address| *address != 0))
}
