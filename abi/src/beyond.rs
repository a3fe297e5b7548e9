//! Functions that real modules import although the specification does not have them. They are not part of the table, and no
//! host is judged by them.

use crate::Lane;

/// A function that is not in the specification, and what a host does with it so that existing modules load.
#[derive(Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The module from which it is imported.
    pub module: &'static str,
    /// The name by which it is imported.
    pub name: &'static str,
    /// The types of its parameters.
    pub params: &'static [Lane],
    /// The type of its result.
    pub result: Option<Lane>,
    /// What it does.
    pub answer: Answer,
    /// The toolchains whose modules import it.
    pub imported_by: &'static str,
}

/// What a function beyond the specification does: mostly it only returns a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it returns.
    pub code: u32,
    /// The index of a pointer parameter, and the bytes that it writes there. If the pointer is out of bounds it returns FAULT.
    pub writes: Option<(usize, &'static [u8])>,
    /// The first arguments, descriptors or clocks, for which it does that, and what it returns for others.
    pub only: Option<(&'static [u32], u32)>,
}

/// The module from which WASI functions are imported.
pub const WASI: &str = "wasi_snapshot_preview1";
/// An older name of it, from which older SDKs import the same functions.
pub const OLD_WASI: &str = "wasi_unstable";

/// WASI's error number for a pointer that is out of bounds.
pub const FAULT: u32 = 21;

const I: Lane = Lane::I32;
const L: Lane = Lane::I64;
const BADF: u32 = 8;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTDIR: u32 = 54;
const NOTSUP: u32 = 58;

/// The descriptors that exist: the output and the error output.
const OUTPUTS: &[u32] = &[1, 2];
/// The clocks that exist: the time of day and the monotonic one.
const CLOCKS: &[u32] = &[0, 1];
/// The 24 bytes that `fd_fdstat_get` writes for an output: its type is unknown, and its only right is to write.
const OUTPUT: [u8; 24] = {
    let mut stat = [0; 24];
    stat[8] = 1 << 6;
    stat
};

const fn code(code: u32) -> Answer {
    Answer { code, writes: None, only: None }
}

/// Only the outputs exist.
const fn output(code: u32) -> Answer {
    Answer { code, writes: None, only: Some((OUTPUTS, BADF)) }
}

const fn wasi(name: &'static str, params: &'static [Lane], answer: Answer, imported_by: &'static str) -> Beyond {
    Beyond { module: WASI, name, params, result: Some(I), answer, imported_by }
}

const fn env(name: &'static str, params: &'static [Lane], result: Option<Lane>) -> Beyond {
    Beyond { module: "env", name, params, result, answer: code(0), imported_by: "Emscripten (C++ SDK)" }
}

const FILES: &str = "Go with files";
const SOCKETS: &str = "Go with sockets";
const LIBC: &str = "wasi-libc";

/// The functions beyond the specification, by module and name. Those of WASI do what Envoy's do: there are two outputs, but no
/// files, folders and sockets.
pub const BEYOND: [Beyond; 40] = [
    env("emscripten_notify_memory_growth", &[I], None),
    env("pthread_equal", &[I, I], Some(I)),
    wasi(
        "clock_res_get",
        &[I, I],
        Answer { code: 0, writes: Some((1, &1_u64.to_le_bytes())), only: Some((CLOCKS, NOTSUP)) },
        LIBC,
    ),
    // Only a hint.
    wasi("fd_advise", &[I, L, L, I], code(0), LIBC),
    wasi("fd_allocate", &[I, L, L], output(0), LIBC),
    wasi("fd_close", &[I], code(0), "Go, wasi-libc, Emscripten"),
    wasi("fd_datasync", &[I], output(0), LIBC),
    wasi("fd_fdstat_get", &[I, I], Answer { code: 0, writes: Some((1, &OUTPUT)), only: Some((OUTPUTS, BADF)) }, "Go"),
    wasi("fd_fdstat_set_flags", &[I, I], code(NOSYS), "Go"),
    wasi("fd_fdstat_set_rights", &[I, L, L], output(0), LIBC),
    wasi("fd_filestat_get", &[I, I], code(BADF), FILES),
    wasi("fd_filestat_set_size", &[I, L], output(0), FILES),
    wasi("fd_filestat_set_times", &[I, L, L, I], output(0), LIBC),
    wasi("fd_pread", &[I, I, I, L, I], code(NOSYS), FILES),
    wasi("fd_prestat_dir_name", &[I, I, I], code(NOSYS), "Go"),
    wasi("fd_prestat_get", &[I, I], code(BADF), "Go"),
    // Envoy writes to the log; no known module relies on that.
    wasi("fd_pwrite", &[I, I, I, L, I], output(NOTSUP), FILES),
    wasi("fd_read", &[I, I, I, I], code(NOSYS), "Emscripten (Abseil)"),
    // Envoy answers 20, which is Linux's number for NOTDIR.
    wasi("fd_readdir", &[I, I, I, L, I], Answer { writes: Some((4, &[0; 4])), ..code(NOTDIR) }, FILES),
    wasi("fd_renumber", &[I, I], output(NOTSUP), LIBC),
    wasi("fd_seek", &[I, L, I, I], code(0), LIBC),
    wasi("fd_sync", &[I], output(0), FILES),
    wasi("fd_tell", &[I, I], Answer { writes: Some((1, &[0; 8])), ..output(0) }, LIBC),
    wasi("path_create_directory", &[I, I, I], code(NOTSUP), FILES),
    wasi("path_filestat_get", &[I, I, I, I, I], code(NOTSUP), FILES),
    wasi("path_filestat_set_times", &[I, I, I, I, L, L, I], code(NOTSUP), LIBC),
    wasi("path_link", &[I, I, I, I, I, I, I], code(NOTSUP), LIBC),
    wasi("path_open", &[I, I, I, I, I, L, L, I, I], code(NOENT), FILES),
    wasi("path_readlink", &[I, I, I, I, I, I], Answer { writes: Some((5, &[0; 4])), ..code(NOTSUP) }, FILES),
    wasi("path_remove_directory", &[I, I, I], code(NOTSUP), FILES),
    wasi("path_rename", &[I, I, I, I, I, I], code(NOTSUP), LIBC),
    wasi("path_symlink", &[I, I, I, I, I], code(NOTSUP), LIBC),
    wasi("path_unlink_file", &[I, I, I], code(NOTSUP), FILES),
    // Success without an event: Go calls it to sleep, and aborts on an error.
    wasi("poll_oneoff", &[I, I, I, I], Answer { writes: Some((3, &[0; 4])), ..code(0) }, "Go"),
    wasi("proc_raise", &[I], code(NOTSUP), LIBC),
    wasi("sched_yield", &[], code(0), "Go"),
    wasi("sock_accept", &[I, I, I], Answer { writes: Some((2, &[0; 4])), ..code(NOTSUP) }, SOCKETS),
    wasi("sock_recv", &[I, I, I, I, I, I], Answer { writes: Some((4, &[0; 4])), ..code(NOTSUP) }, SOCKETS),
    wasi("sock_send", &[I, I, I, I, I], Answer { writes: Some((4, &[0; 4])), ..code(NOTSUP) }, SOCKETS),
    wasi("sock_shutdown", &[I, I], code(NOTSUP), SOCKETS),
];

/// The current name of a module: WASI has an older one.
pub fn canonical(module: &str) -> &str {
    if module == OLD_WASI { WASI } else { module }
}

/// The row for a function beyond the specification, by its module and name.
pub fn beyond(module: &str, name: &str) -> Option<&'static Beyond> {
    BEYOND.iter().find(|row| row.module == canonical(module) && row.name == name)
}

impl Answer {
    /// What it does for a first argument: the number that it returns, and the index of a pointer with the bytes that it writes there.
    pub fn to(&self, first: Option<u32>) -> (u32, Option<(usize, &'static [u8])>) {
        match self.only {
            Some((known, otherwise)) if !first.is_some_and(|first| known.contains(&first)) => (otherwise, None),
            _ => (self.code, self.writes),
        }
    }
}

/// Functions without a result in the specification, but with a status in every SDK and in Envoy.
pub const STATUS_IN_SDKS: [&str; 3] = ["proxy_continue_request", "proxy_continue_response", "proxy_clear_route_cache"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_through_pointer_parameters() {
        for row in &BEYOND {
            if let Some((place, _)) = row.answer.writes {
                assert_eq!(row.params.get(place), Some(&Lane::I32), "{}", row.name);
            }
            assert!(row.answer.only.is_none() || row.params.first() == Some(&Lane::I32), "{}", row.name);
            assert_eq!(row.result.is_some(), row.name != "emscripten_notify_memory_growth", "{}", row.name);
        }
    }

    #[test]
    fn rows_are_unique_and_not_in_the_specification() {
        for (place, row) in BEYOND.iter().enumerate() {
            assert!(BEYOND[..place].iter().all(|other| other.name != row.name), "{}", row.name);
            let known = crate::Version::ALL.into_iter().flat_map(crate::host_functions);
            assert!(!known.into_iter().any(|known| known.name == row.name), "{}", row.name);
        }
    }

    #[test]
    fn unknown_descriptors_are_errors() {
        let stat = beyond("wasi_unstable", "fd_fdstat_get").expect("there is a row").answer;
        assert_eq!(stat.to(Some(2)).0, 0);
        assert_eq!(stat.to(Some(3)), (BADF, None));
    }
}
