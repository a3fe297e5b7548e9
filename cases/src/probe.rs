//! The probe guest: one small interpreter, made from the ABI table, that does what a [`Script`] says and reports each
//! callback, call, status and returned value through `proxy_log`.
//!
//! Every host offers a log, so a black box yields the same transcript as a host that we instrument. A line is `pw`, a
//! sequence number, a letter and fields, all in hex: `c` a callback begins (number, arguments), `r` it returns (number,
//! result), `a` an action is done (id, status, what was written), `m` the allocator runs (size), `s` another script is at
//! work (its number), `+` the line before continues.
//!
//! A probe that is *streamed* takes a new script from the headers of each request (see [`Script::header`]), so that one
//! running host can be given any number of them.

use std::fmt::Write;

use pw_abi::{Callback, Function, Lane, Version};

use crate::script::{
    self, HEAP_END, MEMORY_END, PAGES, PLUGIN_CONTEXT, ROOTS, SCRIPT, SCRIPT_END, SCRIPT_HEADER, STREAM_CONTEXT,
    Script, TABLE,
};

/// By which it reports.
const LOG: &str = "proxy_log";
const REGISTERS: u32 = 0x400;
const LANES: u32 = 0x800;
/// The plugin context of each plugin, and the plugin of each context.
const CONTEXTS: u32 = 0xA00;
const OWNERS: u32 = 0xB00;
/// The length of a line that every host logs whole; NGINX cuts lines, with what it puts in front of them, at 2,048 bytes.
const MAX_LINE_BYTES: u32 = 1800;
/// The bytes of the head of a piece: `pw`, a sequence number, the letter, and blanks.
const HEAD_BYTES: u32 = 14;
/// The name of the header that brings a script.
const HEADER: u32 = 0x7000;
/// The one start function that a script can be about.
pub(crate) const INITIALIZE: &str = "_initialize";

/// The probe's module without a script: which parts of the table it has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    version: Version,
    without: Vec<&'static str>,
    allocators: Vec<&'static str>,
    /// The exports other than callbacks proper that the script has something for.
    scripted: Vec<&'static str>,
    /// The functions that it imports; none where it imports all of them.
    functions: Option<Vec<&'static str>>,
    /// The functions without a result that it imports with one.
    with_results: Vec<&'static str>,
    /// Each request brings a script.
    streamed: bool,
}

impl Template {
    /// The smallest probe that can run `script`: it imports what the script calls, and `proxy_log`.
    pub fn smallest(script: &Script) -> Template {
        let functions = script.functions().into_iter().map(|row| row.name).collect();
        Template { functions: Some(functions), ..Template::full(script) }
    }

    /// The probe that takes a new script from each request.
    pub fn streamed(version: Version) -> Template {
        Template { streamed: true, ..Template::full(&Script::new(version)) }
    }

    /// The probe that imports every function of the version, so that one serves many scripts.
    pub fn full(script: &Script) -> Template {
        let Script { version, without, allocators, .. } = script;
        let is_other = |row: &Callback| ["integration", "memory_management"].contains(&row.section);
        let scripted = script::callbacks().cycle().zip(&script.entries);
        let scripted = scripted.filter(|(row, entries)| is_other(row) && !entries.is_empty()).map(|(row, _)| row.name);
        Template {
            version: *version,
            without: without.clone(),
            allocators: allocators.clone(),
            scripted: scripted.collect(),
            functions: None,
            with_results: Vec::new(),
            streamed: false,
        }
    }

    /// The same without the import of these functions, which a host lacks.
    pub fn lacking(self, lacks: &[&'static str]) -> Template {
        if lacks.is_empty() {
            return self;
        }
        let imported = script::functions().map(|row| row.name).filter(|name| !lacks.contains(name));
        let functions = match self.functions {
            None => imported.collect(),
            Some(functions) => functions.into_iter().filter(|name| !lacks.contains(name)).collect(),
        };
        Template { functions: Some(functions), ..self }
    }

    /// The same, but these functions, which have no result, are imported with one: what they return is a status.
    pub fn with_results(self, functions: &[&'static str]) -> Template {
        Template { with_results: functions.to_vec(), ..self }
    }

    /// The probe of a version that imports these functions and does nothing.
    pub fn importing(version: Version, functions: &[&'static str]) -> Template {
        Template { functions: Some(functions.to_vec()), ..Template::full(&Script::new(version)) }
    }

    /// The module's text, with the script's bytes in its memory if there are any.
    pub fn wat(&self, script: &[u8]) -> String {
        let rows: Vec<(usize, &Function)> = script::functions()
            .enumerate()
            .filter(|(_, row)| row.versions.contains(self.version) && self.imports(row))
            .collect();
        let mut text = String::from("(module\n");
        text += "(import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))\n";
        rows.iter().for_each(|(number, row)| self.import(&mut text, *number, row));
        text += &INTERPRETER
            .replace("$PAGES", &PAGES.to_string())
            .replace("$FUNCTIONS", &script::functions().count().to_string())
            .replace("$SCRIPT", &SCRIPT.to_string())
            .replace("$HEAP_END", &HEAP_END.to_string())
            .replace("$MAX_LINE", &MAX_LINE_BYTES.to_string())
            .replace("$REST_AT", &(MAX_LINE_BYTES - HEAD_BYTES).to_string())
            .replace("$LOG_END", &(MEMORY_END - 0x1_0000).to_string())
            .replace("$REGISTERS", &REGISTERS.to_string())
            .replace("$PLUGIN_CONTEXT", &(REGISTERS + 8 * PLUGIN_CONTEXT).to_string())
            .replace("$STREAM_CONTEXT", &(REGISTERS + 8 * STREAM_CONTEXT).to_string())
            .replace("$LANES", &LANES.to_string())
            .replace("$CONTEXTS", &CONTEXTS.to_string())
            .replace("$OWNERS", &OWNERS.to_string())
            .replace("$CALLBACKS", &script::callbacks().count().to_string())
            .replace("$TABLE", &TABLE.to_string())
            .replace("$LAST_ROOT", &(ROOTS - 1).to_string());
        rows.iter().for_each(|(number, row)| thunk(&mut text, *number, row, self.result(row).is_some()));
        if self.streamed {
            text += &loader();
        }
        for (number, row) in script::callbacks().enumerate() {
            if row.versions.contains(self.version) && !self.without.contains(&row.name) {
                self.export(&mut text, number, row);
            }
        }
        if !script.is_empty() {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
            let _ = write!(text, "(data (i32.const {SCRIPT}) \"");
            script.iter().for_each(|byte| text.extend(['\\', digit(byte >> 4), digit(byte & 15)]));
            text += "\")\n";
        }
        text + ")\n"
    }

    fn imports(&self, row: &Function) -> bool {
        self.functions.as_ref().is_none_or(|functions| functions.contains(&row.name))
    }

    /// The result with which a function is imported.
    fn result(&self, row: &Function) -> Option<Lane> {
        row.result().or_else(|| self.with_results.contains(&row.name).then_some(Lane::I32))
    }

    fn import(&self, text: &mut String, number: usize, row: &Function) {
        // It is there already.
        if row.name == LOG {
            return;
        }
        let params: String = row.lanes().map(|(_, lane)| format!(" {}", lane.name())).collect();
        let result = self.result(row).map_or(String::new(), |lane| format!(" (result {})", lane.name()));
        let (module, name) = (row.module, row.name);
        let _ = writeln!(text, "(import \"{module}\" \"{name}\" (func $f{number} (param{params}){result}))");
    }

    fn export(&self, text: &mut String, number: usize, row: &Callback) {
        let name = row.name;
        match row.section {
            "integration" if name == self.version.marker() => {
                let _ = writeln!(text, "(func (export \"{name}\"))");
            }
            "integration" if name == INITIALIZE && self.scripted.contains(&name) => {
                callback(text, number, row, (self.version, false));
            }
            "integration" => {}
            "memory_management" if self.allocators.contains(&name) && self.scripted.contains(&name) => {
                scripted_allocator(text, number, name);
            }
            "memory_management" if self.allocators.contains(&name) => {
                let _ = writeln!(text, "(export \"{name}\" (func $allocate))");
            }
            "memory_management" => {}
            _ => {
                let loads = self.streamed && row.name == "proxy_on_request_headers";
                callback(text, number, row, (self.version, loads));
            }
        }
    }
}

/// The bytes of a module's text.
pub fn assemble(wat: &str) -> Result<Vec<u8>, wat::Error> {
    wat::parse_str(wat)
}

/// A function without parameters that takes a call's lanes from memory.
fn thunk(text: &mut String, number: usize, row: &Function, has_result: bool) {
    let callee = if row.name == LOG { "log".to_owned() } else { format!("f{number}") };
    let _ = write!(text, "(elem (i32.const {number}) func $t{number}) (func $t{number} (result i32) (call ${callee}");
    for (index, (_, lane)) in row.lanes().enumerate() {
        let _ = write!(text, " ({}.load (i32.const {}))", lane.name(), LANES as usize + 8 * index);
    }
    let zero = if has_result { "" } else { " (i32.const 0)" };
    let _ = writeln!(text, "){zero})");
}

/// What takes a script from the headers of a request, and ends what the one before it has left.
fn loader() -> String {
    let number = |name: &str| script::functions().position(|row| row.name == name).unwrap_or_default().to_string();
    LOADER
        .replace("$GET", &number("proxy_get_header_map_value"))
        .replace("$REMOVE", &number("proxy_remove_header_map_value"))
        .replace("$PERIOD", &number("proxy_set_tick_period_milliseconds"))
        .replace("$TEXT", &LANES.to_string())
        .replace("$SIZE", &(LANES + 4).to_string())
        .replace("$NAME", &format!("(i32.const {HEADER}) (i32.const {})", SCRIPT_HEADER.len()))
        .replace("$HEADER", &format!("(i32.const {HEADER}) \"{SCRIPT_HEADER}\""))
        .replace("$SCRIPT_END", &SCRIPT_END.to_string())
        .replace("$SCRIPT", &SCRIPT.to_string())
        .replace("$HEAD", &(TABLE + 4 * script::callbacks().count()).to_string())
        .replace("$KEPT", &(REGISTERS + 8 * (STREAM_CONTEXT + 1)).to_string())
        .replace("$LOW", &REGISTERS.to_string())
        .replace("$REST", &(8 * (script::REGISTERS - STREAM_CONTEXT - 1)).to_string())
}

/// A callback that puts its arguments into the registers and runs the interpreter, perhaps with a script that it loads.
fn callback(text: &mut String, number: usize, row: &Callback, (version, loads): (Version, bool)) {
    let params: Vec<Lane> = row.params(version).map(|param| param.kind.lane()).collect();
    let result = row.result.map_or(String::new(), |kind| format!(" (result {})", kind.lane().name()));
    let list: String = params.iter().map(|lane| format!(" {}", lane.name())).collect();
    let load = if loads { " (call $load)" } else { "" };
    let name = row.name;
    let _ = write!(text, "(func ${name} (export \"{name}\") (param{list}){result}{load}");
    for index in 0..params.len() {
        let _ = write!(
            text,
            " (i64.store (i32.const {}) (i64.extend_i32_u (local.get {index})))",
            REGISTERS as usize + 8 * index
        );
    }
    if row.name == "proxy_on_context_create" {
        text.push_str(" (call $created (local.get 0) (local.get 1))");
    } else if !params.is_empty() {
        text.push_str(" (call $enter (local.get 0))");
    }
    let default = u32::from(row.result == Some(pw_abi::Kind::Bool));
    let drop = if row.result.is_some() { "" } else { " (drop)" };
    let run = format!("(call $run (i32.const {number}) (i32.const {}) (i32.const {default}))", params.len());
    let _ = writeln!(text, " {run}{drop})");
}

/// An allocator that does what the script says before it answers. It runs within a call that the host has not ended, and so
/// leaves the heap as that needs it.
fn scripted_allocator(text: &mut String, number: usize, name: &str) {
    let _ = writeln!(
        text,
        "(func ${name} (export \"{name}\") (param $size i32) (result i32) (local $place i32) (local $heap_before i32) \
         (local.set $place (call $allocate (local.get $size))) (local.set $heap_before (global.get $heap)) \
         (drop (call $run (i32.const {number}) (i32.const 0) (i32.const 0))) \
         (global.set $heap (local.get $heap_before)) (local.get $place))"
    );
}

/// What does not depend on the table. Numbers are written as hex digits, the highest first.
const INTERPRETER: &str = r#"
(memory (export "memory") $PAGES)
(table $functions $FUNCTIONS funcref)
(type $thunk (func (result i32)))
(global $heap (mut i32) (i32.const 0))
(global $at (mut i32) (i32.const 0))
(global $sequence (mut i32) (i32.const 0))
(global $roots (mut i32) (i32.const 0))
(global $member (mut i32) (i32.const 0))

(func $char (param $char i32)
  (if (i32.lt_u (global.get $at) (i32.const $LOG_END))
    (then
      (i32.store8 (global.get $at) (local.get $char))
      (global.set $at (i32.add (global.get $at) (i32.const 1))))))
(func $digits (param $value i64) (param $bits i64) (local $digit i32)
  (loop $next
    (local.set $bits (i64.sub (local.get $bits) (i64.const 4)))
    (local.set $digit (i32.and (i32.wrap_i64 (i64.shr_u (local.get $value) (local.get $bits))) (i32.const 15)))
    (call $char (i32.add (local.get $digit)
      (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
    (br_if $next (i64.ne (local.get $bits) (i64.const 0)))))
;; The digits of two bytes in each half: apart, the higher byte first. All eight are made at once, since most of what a probe does is to write digits.
(func $eight (param $halves i64) (local $digits i64)
  (local.set $halves (i64.or
    (i64.and (local.get $halves) (i64.const 0x000000ff000000ff))
    (i64.shl (i64.and (local.get $halves) (i64.const 0x0000ff000000ff00)) (i64.const 8))))
  (local.set $digits (i64.or
    (i64.and (i64.shr_u (local.get $halves) (i64.const 4)) (i64.const 0x000f000f000f000f))
    (i64.shl (i64.and (local.get $halves) (i64.const 0x000f000f000f000f)) (i64.const 8))))
  (if (i32.lt_u (global.get $at) (i32.const $LOG_END))
    (then
      (i64.store (global.get $at) (i64.add
        (i64.add (local.get $digits) (i64.const 0x3030303030303030))
        (i64.mul (i64.const 39) (i64.and (i64.const 0x0101010101010101)
          (i64.shr_u (i64.add (local.get $digits) (i64.const 0x0606060606060606)) (i64.const 4))))))
      (global.set $at (i32.add (global.get $at) (i32.const 8))))))
(func $silent (result i32) (i32.and (i32.load offset=$SCRIPT (i32.const 8)) (i32.const 2)))
(func $word (param $value i32)
  (if (call $silent) (then (return)))
  (call $char (i32.const 32))
  ;; The bytes in the order in which they are written.
  (local.set $value (i32.or
    (i32.and (i32.rotl (local.get $value) (i32.const 8)) (i32.const 0x00ff00ff))
    (i32.and (i32.rotl (local.get $value) (i32.const 24)) (i32.const 0xff00ff00))))
  (call $four (local.get $value)))
(func $four (param $bytes i32)
  (call $eight (i64.or
    (i64.extend_i32_u (i32.and (local.get $bytes) (i32.const 0xffff)))
    (i64.shl (i64.extend_i32_u (i32.shr_u (local.get $bytes) (i32.const 16))) (i64.const 32)))))
(func $bytes (param $from i32) (param $size i32)
  (loop $next
    (if (i32.ge_u (local.get $size) (i32.const 4))
      (then
        (call $four (i32.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $size (i32.sub (local.get $size) (i32.const 4)))
        (br $next))))
  (loop $next
    (if (i32.eqz (local.get $size)) (then (return)))
    (call $digits (i64.load8_u (local.get $from)) (i64.const 8))
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (local.set $size (i32.sub (local.get $size) (i32.const 1)))
    (br $next)))
(func $begin (param $letter i32)
  (if (call $silent) (then (return)))
  (global.set $at (i32.const $HEAP_END))
  (call $head (local.get $letter)))
(func $head (param $letter i32)
  (call $char (i32.const 112)) (call $char (i32.const 119))
  (call $word (global.get $sequence))
  (global.set $sequence (i32.add (global.get $sequence) (i32.const 1)))
  (call $char (i32.const 32)) (call $char (local.get $letter)))
;; Logs the line in pieces. Each but the first begins with a head, which is written over the end of the piece before.
(func $end (local $from i32) (local $end i32)
  (if (call $silent) (then (return)))
  (local.set $from (i32.const $HEAP_END))
  (local.set $end (global.get $at))
  (loop $next
    (if (i32.le_u (i32.sub (local.get $end) (local.get $from)) (i32.const $MAX_LINE))
      (then
        (drop (call $log (i32.const 2) (local.get $from) (i32.sub (local.get $end) (local.get $from))))
        (return)))
    (drop (call $log (i32.const 2) (local.get $from) (i32.const $MAX_LINE)))
    (local.set $from (i32.add (local.get $from) (i32.const $REST_AT)))
    (global.set $at (local.get $from))
    (call $head (i32.const 43))
    (call $char (i32.const 32))
    (br $next)))

(func $allocate (param $size i32) (result i32) (local $mode i32) (local $place i32)
  (if (i32.and (i32.load offset=$SCRIPT (i32.const 8)) (i32.const 1))
    (then (call $begin (i32.const 109)) (call $word (local.get $size)) (call $end)))
  (local.set $mode (i32.load offset=$SCRIPT (i32.const 0)))
  (if (i32.eq (local.get $mode) (i32.const 1)) (then (return (i32.load offset=$SCRIPT (i32.const 4)))))
  (if (i32.eq (local.get $mode) (i32.const 2))
    (then
      (local.set $place (memory.grow (i32.const 1)))
      (return (select (i32.const 0) (i32.shl (local.get $place) (i32.const 16))
        (i32.eq (local.get $place) (i32.const -1))))))
  (if (i32.eq (local.get $mode) (i32.const 3)) (then unreachable))
  (if (i32.eqz (global.get $heap)) (then (global.set $heap (i32.load offset=$SCRIPT (i32.const 12)))))
  (if (i32.gt_u (local.get $size) (i32.sub (i32.const $HEAP_END) (global.get $heap))) (then (return (i32.const 0))))
  (local.set $place (global.get $heap))
  (global.set $heap (i32.and (i32.add (i32.add (local.get $place) (local.get $size)) (i32.const 7)) (i32.const -8)))
  (local.get $place))

;; A context begins: of the plugin that is next, or of the one that its parent is of.
(func $created (param $context i32) (param $parent i32) (local $member i32)
  (if (local.get $parent)
    (then
      (i64.store (i32.const $STREAM_CONTEXT) (i64.extend_i32_u (local.get $context)))
      (local.set $member (i32.load8_u offset=$OWNERS (i32.and (local.get $parent) (i32.const 0x1fff)))))
    (else
      (local.set $member (i32.load8_u offset=$SCRIPT (i32.add (i32.const 16)
        (select (global.get $roots) (i32.const $LAST_ROOT) (i32.lt_u (global.get $roots) (i32.const $LAST_ROOT))))))
      (global.set $roots (i32.add (global.get $roots) (i32.const 1)))
      (i32.store offset=$CONTEXTS (i32.shl (local.get $member) (i32.const 2)) (local.get $context))))
  (i32.store8 offset=$OWNERS (i32.and (local.get $context) (i32.const 0x1fff)) (local.get $member))
  (call $enter (local.get $context)))

;; A callback is about a context, and so about its plugin.
(func $enter (param $context i32)
  (global.set $member (i32.load8_u offset=$OWNERS (i32.and (local.get $context) (i32.const 0x1fff))))
  (i64.store (i32.const $PLUGIN_CONTEXT) (i64.load32_u offset=$CONTEXTS (i32.shl (global.get $member) (i32.const 2)))))

(func $run (param $callback i32) (param $params i32) (param $result i32) (result i32)
  (local $index i32) (local $slot i32) (local $entry i32) (local $actions i32) (local $action i32)
  (global.set $heap (i32.load offset=$SCRIPT (i32.const 12)))
  (call $begin (i32.const 99))
  (call $word (local.get $callback))
  (loop $param
    (if (i32.lt_u (local.get $index) (local.get $params))
      (then
        (call $word (i32.load offset=$REGISTERS (i32.shl (local.get $index) (i32.const 3))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $param))))
  (call $end)
  (local.set $slot (i32.add (i32.const $SCRIPT) (i32.add (i32.const $TABLE) (i32.shl
    (i32.add (i32.mul (global.get $member) (i32.const $CALLBACKS)) (local.get $callback)) (i32.const 2)))))
  (local.set $entry (i32.load (local.get $slot)))
  (if (local.get $entry)
    (then
      (i32.store (local.get $slot) (i32.load (local.get $entry)))
      (if (i32.load offset=4 (local.get $entry)) (then (local.set $result (i32.load offset=8 (local.get $entry)))))
      (local.set $actions (i32.load offset=12 (local.get $entry)))
      (local.set $action (i32.add (local.get $entry) (i32.const 16)))
      (loop $next
        (if (local.get $actions)
          (then
            (local.set $action (call $act (local.get $action)))
            (local.set $actions (i32.sub (local.get $actions) (i32.const 1)))
            (br $next))))))
  (call $begin (i32.const 114))
  (call $word (local.get $callback))
  (call $word (local.get $result))
  (call $end)
  (local.get $result))

;; Does the action at the address, and returns the address after it.
(func $act (param $action i32) (result i32)
  (local $lanes i32) (local $outs i32) (local $at i32) (local $lane i32) (local $size i32) (local $status i32) (local $value i64)
  (if (i32.eq (i32.load (local.get $action)) (i32.const -1)) (then unreachable))
  (local.set $lanes (i32.load offset=8 (local.get $action)))
  (local.set $outs (i32.load offset=12 (local.get $action)))
  (local.set $at (i32.add (local.get $action) (i32.const 16)))
  (local.set $lane (i32.const $LANES))
  (loop $next
    (if (local.get $lanes)
      (then
        (local.set $value (i64.load offset=8 (local.get $at)))
        (local.set $size (i32.load offset=4 (local.get $at)))
        (if (local.get $size)
          (then (memory.fill (i32.wrap_i64 (local.get $value)) (i32.const 255) (local.get $size))))
        (if (i32.load (local.get $at))
          (then (local.set $value (i64.load offset=$REGISTERS (i32.shl (i32.wrap_i64 (local.get $value)) (i32.const 3))))))
        (i64.store (local.get $lane) (local.get $value))
        (local.set $lane (i32.add (local.get $lane) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $lanes (i32.sub (local.get $lanes) (i32.const 1)))
        (br $next))))
  (local.set $status (call_indirect $functions (type $thunk) (i32.load (local.get $action))))
  (call $begin (i32.const 97))
  (call $word (i32.load offset=4 (local.get $action)))
  (call $word (local.get $status))
  (loop $next
    (if (local.get $outs)
      (then
        (call $out (local.get $at))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $outs (i32.sub (local.get $outs) (i32.const 1)))
        (br $next))))
  (call $end)
  (local.get $at))

;; Reports what was written, and saves it.
(func $out (param $out i32) (local $form i32) (local $first i32) (local $second i32) (local $save i32)
  (local $pointer i32) (local $size i32)
  (local.set $form (i32.load (local.get $out)))
  (local.set $first (i32.load offset=4 (local.get $out)))
  (local.set $second (i32.load offset=8 (local.get $out)))
  (local.set $save (i32.load offset=12 (local.get $out)))
  (if (local.get $save)
    (then
      (local.set $save (i32.shl (i32.sub (local.get $save) (i32.const 1)) (i32.const 3)))
      (if (i32.eq (local.get $form) (i32.const 1))
        (then (i64.store offset=$REGISTERS (local.get $save) (i64.load (local.get $first))))
        (else (i64.store offset=$REGISTERS (local.get $save) (i64.load32_u (local.get $first)))))))
  (if (call $silent) (then (return)))
  (if (i32.eq (local.get $form) (i32.const 0)) (then (call $word (i32.load (local.get $first)))))
  (if (i32.eq (local.get $form) (i32.const 1))
    (then (call $char (i32.const 32)) (call $digits (i64.load (local.get $first)) (i64.const 64))))
  (if (i32.eq (local.get $form) (i32.const 2))
    (then
      (local.set $pointer (i32.load (local.get $first)))
      (local.set $size (i32.load (local.get $second)))
      (call $word (local.get $pointer))
      (call $word (local.get $size))
      (call $char (i32.const 32))
      (call $char (i32.const 120))
      (if (i64.le_u (i64.add (i64.extend_i32_u (local.get $pointer)) (i64.extend_i32_u (local.get $size)))
                    (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
        (then (call $bytes (local.get $pointer) (local.get $size))))))
  (if (i32.eq (local.get $form) (i32.const 3))
    (then (call $char (i32.const 32)) (call $char (i32.const 120)) (call $bytes (local.get $first) (local.get $second)))))
"#;

/// What a streamed probe has besides. The header's value is hex digits: 8 of the script's number, then the script.
const LOADER: &str = r#"
(data $HEADER)
(func $digit (param $at i32) (result i32) (local $char i32)
  (local.set $char (i32.load8_u (local.get $at)))
  (i32.sub (local.get $char) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $char) (i32.const 57)))))
(func $byte (param $at i32) (result i32)
  (i32.or (i32.shl (call $digit (local.get $at)) (i32.const 4))
          (call $digit (i32.add (local.get $at) (i32.const 1)))))
(func $load (local $at i32) (local $end i32) (local $to i32)
  (memory.fill (i32.const 0) (i32.const 0) (i32.const $LOW))
  (memory.fill (i32.const $SCRIPT) (i32.const 0) (i32.const $HEAD))
  (memory.fill (i32.const $KEPT) (i32.const 0) (i32.const $REST))
  (i32.store offset=$SCRIPT (i32.const 12) (i32.const $SCRIPT_END))
  (global.set $heap (i32.const $SCRIPT_END))
  (drop (call $f$PERIOD (i32.const 0)))
  (if (call $f$GET (i32.const 0) $NAME (i32.const $TEXT) (i32.const $SIZE)) (then (return)))
  (local.set $at (i32.load (i32.const $TEXT)))
  (local.set $end (i32.add (local.get $at) (i32.load (i32.const $SIZE))))
  (drop (call $f$REMOVE (i32.const 0) $NAME))
  (global.set $sequence (i32.const 0))
  (call $begin (i32.const 115))
  (call $char (i32.const 32))
  (local.set $to (i32.const 8))
  (loop $next
    (call $char (i32.load8_u (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $to (i32.sub (local.get $to) (i32.const 1)))
    (br_if $next (local.get $to)))
  (call $end)
  (local.set $to (i32.const $SCRIPT))
  (loop $next
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (i32.store8 (local.get $to) (call $byte (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br $next)))))
"#;
