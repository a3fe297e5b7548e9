//! A shim for each row of the table: decode, call, encode, notify the observer. Knows nothing of what a call means.
//!
//! A shim checks every pointer before it calls the method, so that a call that fails has no effect. In-arguments are
//! borrowed from the guest's memory.

mod codec;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pw_abi::beyond::{self, BEYOND, Beyond, STATUS_IN_SDKS};
use pw_abi::{Function, Lane, Version};
use wasmtime::{Caller, Engine, FuncType, Linker, Val, ValType};

use self::codec::{Code, Decode, Encode};
use crate::guest_data::Data;
use crate::interface::Interface;
use crate::observer::Observer;
use crate::planted::planted;

/// The sections whose functions a guest may call while its allocator runs for the host.
const IN_ALLOCATOR: [&str; 5] =
    ["logging", "clocks", "randomness", "environment_variables", "unimplemented_wasi_functions"];

/// Work of each call, in units of fuel: some twenty nanoseconds.
const CALL_UNITS: u64 = 50;

/// Units of work above which a call is counted before it is done, in case the guest's fuel or time is used up.
const PREPAID_UNITS: u64 = 1 << 12;

/// Defines what a module may import: the version's rows, and the functions beyond the specification.
pub(crate) fn linker(engine: &Engine, interface: &Interface, version: Version) -> wasmtime::Result<Linker<Data>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    shims::define(&mut linker, version)?;
    BEYOND.iter().try_for_each(|row| define(&mut linker, row))?;
    linker.alias_module(beyond::WASI, beyond::OLD_WASI)?;
    for import in interface.imports.iter().filter(|import| STATUS_IN_SDKS.contains(&import.name.as_str())) {
        if import.item.is_function(&[], Some(Lane::I32)) {
            status_in_sdks(&mut linker, &import.name)?;
        }
    }
    Ok(linker)
}

/// Defines a function beyond the specification, which does what its row says.
fn define(linker: &mut Linker<Data>, row: &'static Beyond) -> wasmtime::Result<()> {
    let lane = |lane: &Lane| match lane {
        Lane::I32 => ValType::I32,
        Lane::I64 => ValType::I64,
    };
    let ty = FuncType::new(linker.engine(), row.params.iter().map(lane), row.result.iter().map(lane));
    linker.func_new(row.module, row.name, ty, |mut caller, params, results| {
        let word = |place: usize| params.get(place).and_then(Val::i32).map(|word| word as u32);
        let (mut code, writes) = row.answer.to(word(0));
        if let Some((place, bytes)) = writes
            && let Some(memory) = caller.data().memory
        {
            let address = word(place).unwrap_or(u32::MAX) as usize;
            if memory.write(&mut caller, address, bytes).is_err() {
                code = beyond::FAULT;
            }
        }
        if caller.data_mut().worked(CALL_UNITS) {
            crate::guest_data::count(&mut caller)?;
        }
        results.iter_mut().for_each(|result| *result = Val::I32(code as i32));
        Ok(())
    })?;
    Ok(())
}

/// Defines a function that has no result in the specification, for modules that import it with a status.
fn status_in_sdks(linker: &mut Linker<Data>, name: &str) -> wasmtime::Result<()> {
    use pw_abi::HttpStreams;
    let function = match name {
        "proxy_continue_request" => HttpStreams::proxy_continue_request,
        "proxy_continue_response" => HttpStreams::proxy_continue_response,
        _ => HttpStreams::proxy_clear_route_cache,
    };
    let own = name.to_owned();
    linker.func_wrap("env", name, move |mut caller: Caller<'_, Data>| -> u32 {
        let data = caller.data_mut();
        let allowed = !data.allocating && data.allows(&own);
        match data.state.as_deref_mut().filter(|_| allowed).map(function) {
            Some(Ok(())) => pw_abi::Status::OK.0,
            _ => pw_abi::Status::INTERNAL_FAILURE.0,
        }
    })?;
    Ok(())
}

/// Counts the work of a call that is about to be done.
#[cold]
fn pay(caller: &mut Caller<'_, Data>, units: &mut u64, paid: &mut bool) -> wasmtime::Result<()> {
    caller.data_mut().worked(std::mem::take(units));
    *paid = true;
    crate::guest_data::count(caller)
}

/// Notifies the observer, if there is one, of a call that is about to return.
#[cold]
fn observe(caller: &mut Caller<'_, Data>, row: &'static Function, lanes: &[u64], result: Option<u32>) {
    let Some(memory) = caller.data().memory else { return };
    let (bytes, data) = memory.data_and_store_mut(caller);
    if let Some(state) = &mut data.state {
        let plugin = state.active.plugin;
        if let Some(observer) = &mut state.observer {
            Observer::call(&mut **observer, plugin, row, lanes, result, bytes);
        }
    }
}

/// The embedder's code that the functions of a section call.
fn embedders(section: &str) -> Option<&'static str> {
    match section {
        "foreign_function_interface" => Some("a foreign function"),
        "properties" => Some("a source of properties"),
        _ => None,
    }
}

/// Calls the embedder's code; if it panics, the guest traps. The state is as before the call, which changes nothing before or after
/// it calls the embedder.
fn contained<T, C>(what: &str, call: impl FnOnce() -> T) -> Result<T, codec::Stop<C>> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let trap = wasmtime::Error::msg(format!("{what} panicked: {text}"));
        // The panic's payload may panic when it is dropped; the payload of that panic is not dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        codec::Stop::Trap(trap)
    })
}

macro_rules! lane {
    (U64) => {
        u64
    };
    (I64) => {
        i64
    };
    ($Kind:ident) => {
        u32
    };
}
macro_rules! code {
    (Nothing) => {
        pw_abi::Exit
    };
    ($Code:ident) => {
        pw_abi::$Code
    };
}

macro_rules! pattern {
    ($out:ident) => { $out };
    ($($out:ident),*) => { ($($out),*) };
}

/// A section's rows as shims.
macro_rules! section {
    (
        [] section $Section:ident $slug:ident $title:literal
        host { $({
            $doc:literal $module:ident $name:ident
            [$($in:ident $In:ident [$($in_lane:ident)+])*] [$($out:ident $Out:ident [$($out_lane:ident)*])*]
            $Code:ident $statuses:tt $since:tt $until:tt
        })* }
        guest $guest:tt
    ) => {
        fn $slug(_linker: &mut Linker<Data>, _version: Version) -> wasmtime::Result<()> {
            let _embedders = embedders(stringify!($slug));
            let _in_allocator = IN_ALLOCATOR.contains(&stringify!($slug));
            let rows = pw_abi::section(stringify!($slug)).map_or(&[][..], |section| section.host);
            let mut _rows = rows.iter();
            $(
                if let Some(row) = _rows.next().filter(|row| row.versions.contains(_version)) {
                    _linker.func_wrap(
                        stringify!($module),
                        stringify!($name),
                        move |mut caller: Caller<'_, Data>
                              $($(, $in_lane: lane!($In))+)*
                              $($(, $out_lane: u32)*)*|
                              -> wasmtime::Result<<code!($Code) as Code>::Lane> {
                            type Fail = code!($Code);
                            const ALLOCATES: bool = $(<pw_abi::$Out as Encode>::ALLOCATES ||)* false;
                            let mut units = CALL_UNITS;
                            let call = |caller: &mut Caller<'_, Data>, _units: &mut u64, _paid: bool| -> Result<(), codec::Stop<Fail>> {
                                let memory = codec::memory(caller);
                                let (_bytes, data) = codec::parts(memory, caller);
                                if data.allocating && !_in_allocator || !data.allows(stringify!($name)) {
                                    return Err(codec::Stop::Restricted);
                                }
                                let fault = || codec::Stop::Code(<Fail as Code>::FAULT);
                                $(let $in = <pw_abi::$In as Decode>::decode(_bytes, ($($in_lane,)+)).ok_or_else(fault)?;)*
                                $(<pw_abi::$Out as Encode>::check(_bytes, ($($out_lane,)*)).ok_or_else(fault)?;)*
                                if !_paid {
                                    $(*_units += <pw_abi::$In as Decode>::weight(&$in);)*
                                    if *_units > PREPAID_UNITS {
                                        return Err(codec::Stop::Unpaid);
                                    }
                                }
                                let Some(state) = &mut data.state else {
                                    return Err(codec::Stop::Restricted);
                                };
                                let mut call = || pw_abi::$Section::$name(&mut **state $(, $in)*);
                                let returned = if let Some(what) = _embedders { contained(what, call)? } else { call() };
                                let pattern!($($out),*) = returned.map_err(codec::Stop::Code)?;
                                let _ = &fault;
                                // Nothing is written before all memory is allocated.
                                $(let mut $out = ($out, 0);)*
                                let (_bytes, _scratch): (&mut [u8], &[u8]) = if ALLOCATES {
                                    $($out.1 = codec::allocate_for::<pw_abi::$Out, Fail>(caller, &$out.0)?;)*
                                    let (bytes, scratch) = codec::parts_again(caller);
                                    $(<pw_abi::$Out as Encode>::fits(bytes, &$out).ok_or_else(fault)?;)*
                                    (bytes, scratch)
                                } else {
                                    (_bytes, &[])
                                };
                                $(<pw_abi::$Out as Encode>::write(_bytes, _scratch, $out, ($($out_lane,)*)).ok_or_else(fault)?;)*
                                Ok(())
                            };
                            let mut paid = false;
                            let returned = loop {
                                match call(&mut caller, &mut units, paid) {
                                    Err(codec::Stop::Unpaid) => pay(&mut caller, &mut units, &mut paid)?,
                                    returned => break returned,
                                }
                            };
                            if ALLOCATES && let Some(state) = &mut caller.data_mut().state {
                                if returned.is_err() { state.undo() } else { state.taken = None }
                            }
                            if caller.data_mut().worked(units) {
                                crate::guest_data::count(&mut caller)?;
                            }
                            planted!(TrapForStatus => if matches!(&returned, Err(codec::Stop::Code(code)) if *code == <Fail as Code>::FAULT) {
                                return Err(wasmtime::Error::msg("a bad pointer"));
                            });
                            let result = match returned {
                                Ok(()) => <Fail as Code>::OK,
                                Err(codec::Stop::Code(code)) => code.lane()?,
                                Err(codec::Stop::Restricted) => <Fail as Code>::RESTRICTED,
                                Err(codec::Stop::Trap(trap)) => return Err(trap),
                                Err(codec::Stop::Unpaid) => return Err(wasmtime::Trap::OutOfFuel.into()),
                            };
                            if caller.data().observed() {
                                let lanes = &[$($($in_lane as u64,)+)* $($($out_lane as u64,)*)*];
                                observe(&mut caller, row, lanes, <Fail as Code>::bits(result));
                            }
                            Ok(result)
                        },
                    )?;
                }
            )*
            Ok(())
        }
    };
}

macro_rules! shims {
    ($($slug:ident)+) => {
        mod shims {
            use super::*;

            $(pw_abi::$slug!(section);)+

            pub(super) fn define(linker: &mut Linker<Data>, version: Version) -> wasmtime::Result<()> {
                $($slug(linker, version)?;)+
                Ok(())
            }
        }
    };
}

pw_abi::sections!(shims);
