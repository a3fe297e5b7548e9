//! What real modules import beyond the specification. No row of the table proper, and never a reason to judge a host.

use crate::Lane;

/// A function that is not in the specification, and what a host does with it so that modules in the wild load.
#[derive(Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The module that it is imported from.
    pub module: &'static str,
    /// The name that it is imported by.
    pub name: &'static str,
    /// The types of its parameters.
    pub params: &'static [Lane],
    /// The type of its result.
    pub result: Option<Lane>,
    /// What it returns here; where it has parameters, it touches nothing that they point to.
    pub answer: u32,
    /// Who imports it.
    pub imported_by: &'static str,
}

const P1: &str = "wasi_snapshot_preview1";
const I: Lane = Lane::I32;
const L: Lane = Lane::I64;
const BADF: u32 = 8;
const NOSYS: u32 = 52;

const fn wasi(name: &'static str, params: &'static [Lane], answer: u32, imported_by: &'static str) -> Beyond {
    Beyond { module: P1, name, params, result: Some(I), answer, imported_by }
}

/// The functions beyond the specification, by module and name.
pub const BEYOND: [Beyond; 12] = [
    Beyond {
        module: "env",
        name: "emscripten_notify_memory_growth",
        params: &[I],
        result: None,
        answer: 0,
        imported_by: "Emscripten (C++ SDK)",
    },
    Beyond {
        module: "env",
        name: "pthread_equal",
        params: &[I, I],
        result: Some(I),
        answer: 0,
        imported_by: "Emscripten",
    },
    wasi("fd_close", &[I], NOSYS, "Go, wasi-libc, Emscripten"),
    wasi("fd_fdstat_get", &[I, I], BADF, "Go"),
    wasi("fd_fdstat_set_flags", &[I, I], NOSYS, "Go"),
    wasi("fd_prestat_dir_name", &[I, I, I], NOSYS, "Go"),
    wasi("fd_prestat_get", &[I, I], BADF, "Go"),
    wasi("fd_read", &[I, I, I, I], NOSYS, "Emscripten (Abseil)"),
    wasi("fd_seek", &[I, L, I, I], NOSYS, "wasi-libc"),
    // Success without an event, as Envoy has it: Go sleeps by it, and gives up over an error.
    wasi("poll_oneoff", &[I, I, I, I], 0, "Go"),
    wasi("sched_yield", &[], 0, "Go"),
    Beyond {
        module: "wasi_unstable",
        name: "proc_exit",
        params: &[I],
        result: None,
        answer: 0,
        imported_by: "AssemblyScript SDK",
    },
];

/// Functions of the specification that have no result there, but a status in every SDK and in Envoy.
pub const STATUS_IN_SDKS: [&str; 3] = ["proxy_continue_request", "proxy_continue_response", "proxy_clear_route_cache"];
