//! A guest that makes one call, whatever the lanes and the memory: all of both are data in its memory, which is one page.
//!
//! The first byte says in which callback, the second which function, the next word what the allocator answers; behind
//! that are the lanes. The guest itself writes nothing.

use std::fmt::Write;
use std::sync::LazyLock;

use pw_abi::{Function, Version};
use pw_cases::script;
use pw_host::{Engine, Metering, Module, Pool};

/// Bytes of its memory.
pub(crate) const MEMORY: u32 = 0x1_0000;
/// Where the lanes are.
pub(crate) const LANES: usize = 8;
/// No function has more of them.
pub(crate) const MOST_LANES: usize = 12;

/// What the guest is to do, as the bytes that it has at address 0.
pub(crate) fn head(callback: usize, function: usize, allocator: u32, lanes: &[u64]) -> Vec<u8> {
    let mut bytes = vec![callback as u8, function as u8, 0, 0];
    bytes.extend(allocator.to_le_bytes());
    bytes.extend(lanes.iter().flat_map(|lane| lane.to_le_bytes()));
    bytes.resize(LANES + 8 * MOST_LANES, 0);
    bytes
}

/// The functions of a version, by the numbers that the guest has for them.
pub(crate) fn functions(version: Version) -> &'static [&'static Function] {
    static ROWS: LazyLock<Vec<(Version, Vec<&'static Function>)>> =
        LazyLock::new(|| Version::FINAL.map(|version| (version, pw_abi::host_functions(version).collect())).to_vec());
    ROWS.iter().find(|(known, _)| *known == version).map_or(&[], |(_, rows)| rows)
}

/// The guest for a version, compiled once.
pub(crate) fn module(version: Version) -> Module {
    static MODULES: LazyLock<Vec<(Version, Module)>> = LazyLock::new(|| {
        let pool = Pool { instances: 10, memory: MEMORY as usize, resident: MEMORY as usize, ..Pool::default() };
        let engine = Engine::with_pool(Metering::None, pool).expect("wasmtime runs wherever this is built");
        let compile = |version| {
            let wasm = wat::parse_str(text(version)).expect("the text is made of the table, and every build tests it");
            (version, Module::new(&engine, &wasm).expect("it imports and exports what the table has"))
        };
        Version::FINAL.map(compile).to_vec()
    });
    let found = MODULES.iter().find(|(known, _)| *known == version);
    found.map(|(_, module)| module.clone()).expect("only final versions are asked for")
}

/// The beginning of a module's text: it imports every function of a version, and its table has a thunk for each, which takes its
/// lanes from memory, eight bytes each from `lanes` on.
pub(crate) fn thunks(version: Version, pages: u32, lanes: usize) -> String {
    let mut text = String::from("(module (type $thunk (func (result i32)))\n");
    let rows = functions(version);
    for (number, row) in rows.iter().enumerate() {
        let params: String = row.lanes().map(|(_, lane)| format!(" {}", lane.name())).collect();
        let result = row.result().map_or("", |_| " (result i32)");
        let _ =
            writeln!(text, "(import \"{}\" \"{}\" (func $f{number} (param{params}){result}))", row.module, row.name);
    }
    let _ = writeln!(text, "(memory (export \"memory\") {pages}) (table funcref (elem");
    (0..rows.len()).for_each(|number| text += &format!(" $t{number}"));
    text += "))\n";
    for (number, row) in rows.iter().enumerate() {
        let load = |(place, (_, lane)): (usize, (_, pw_abi::Lane))| {
            format!(" ({}.load (i32.const {}))", lane.name(), lanes + 8 * place)
        };
        let lanes: String = row.lanes().enumerate().map(load).collect();
        let zero = row.result().map_or(" (i32.const 0)", |_| "");
        let _ = writeln!(text, "(func $t{number} (result i32) (call $f{number}{lanes}){zero})");
    }
    text
}

fn text(version: Version) -> String {
    let mut text = thunks(version, 1, LANES);
    text += ACT;
    for (number, row) in script::callbacks().enumerate().filter(|(_, row)| row.versions.contains(version)) {
        let params: String = row.params(version).map(|param| format!(" {}", param.kind.lane().name())).collect();
        let result = row.result.map_or(String::new(), |kind| format!(" (result {})", kind.lane().name()));
        let name = row.name;
        let _ = match (row.section, name) {
            (_, "proxy_on_memory_allocate") => {
                writeln!(text, "(func (export \"{name}\") (param i32) (result i32) (i32.load (i32.const 4)))")
            }
            ("memory_management", _) => Ok(()),
            ("integration", _) if name != version.marker() => Ok(()),
            _ => {
                let answer = match row.result {
                    Some(pw_abi::Kind::Bool) => " (i32.const 1)",
                    Some(_) => " (i32.const 0)",
                    None => "",
                };
                writeln!(
                    text,
                    "(func (export \"{name}\") (param{params}){result} (call $act (i32.const {number})){answer})"
                )
            }
        };
    }
    text + ")\n"
}

const ACT: &str = "
(global $done (mut i32) (i32.const 0))
(func $act (param $here i32)
    (br_if 0 (global.get $done))
    (br_if 0 (i32.ne (local.get $here) (i32.load8_u (i32.const 0))))
    (global.set $done (i32.const 1))
    (drop (call_indirect (type $thunk) (i32.load8_u (i32.const 1)))))
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_each_version_and_room_for_every_lane() {
        for version in Version::FINAL {
            assert_eq!(module(version).version(), version);
            assert!(functions(version).iter().all(|row| row.lanes().count() <= MOST_LANES));
        }
    }
}
