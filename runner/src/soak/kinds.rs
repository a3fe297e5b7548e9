//! The ways in which plugins misbehave, as rows: each is a part of a module's text.

use pw_cases::probe::assemble;

use crate::error::HarnessError;

/// A way to misbehave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// It burns all the time that it may.
    pub(super) hangs: bool,
    /// Its allocator.
    allocate: &'static str,
    /// What it does with a request.
    request: &'static str,
    /// Its other functions.
    more: &'static str,
}

const WELL: Kind = Kind { name: "", hangs: false, allocate: "(i32.const 4096)", request: "(i32.const 0)", more: "" };

/// All of them. Of those with a limit the operator's is small, and is reached.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "crashes", request: "unreachable", ..WELL },
    Kind { name: "hangs", hangs: true, request: "(loop $again (br $again)) unreachable", ..WELL },
    Kind {
        name: "recurses without end",
        request: "(call $deep (i32.const 1))",
        more: "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))",
        ..WELL
    },
    Kind { name: "exits", request: "(call $exit (i32.const 7)) (i32.const 0)", ..WELL },
    Kind {
        name: "crashes in a tick",
        more: "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
                (drop (call $tick (i32.const 1))) (i32.const 1))
            (func (export \"proxy_on_tick\") (param i32) unreachable)",
        ..WELL
    },
    Kind { name: "wants all memory", request: "(loop $more (br_if $more (call $hoard))) unreachable", ..WELL },
    Kind { name: "keeps all memory", request: "(drop (call $hoard)) (i32.const 0)", ..WELL },
    Kind {
        name: "floods the log",
        request: "(loop $more
                (drop (call $log (i32.const 2) (i32.const 0) (i32.const 128)))
                (br_if $more (i32.rem_u (call $next) (i32.const 1000))))
            (i32.const 0)",
        ..WELL
    },
    Kind {
        name: "floods its queue",
        request: "(loop $more (br_if $more
                (i32.eqz (call $enqueue (i32.load (i32.const 72)) (i32.const 0) (i32.const 128)))))
            (i32.const 0)",
        more: "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
                (drop (call $register (i32.const 16) (i32.const 8) (i32.const 72))) (i32.const 1))",
        ..WELL
    },
    Kind {
        name: "floods shared data",
        request: "(loop $more
                (drop (call $next))
                (br_if $more (i32.eqz (call $share
                    (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 128) (i32.const 0)))))
            (i32.const 0)",
        ..WELL
    },
    Kind {
        name: "floods the metrics",
        request: "(loop $more
                (drop (call $next))
                (br_if $more (i32.eqz (call $define (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 72)))))
            (i32.const 0)",
        ..WELL
    },
    Kind {
        name: "floods properties",
        request: "(loop $more
                (drop (call $next))
                (br_if $more (i32.eqz
                    (call $property (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 128)))))
            (i32.const 0)",
        ..WELL
    },
    Kind {
        name: "makes calls and crashes",
        request: "(loop $more (br_if $more (i32.eqz (call $ask
                (i32.const 16) (i32.const 8) (i32.const 128) (i32.const SIZE) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 72)))))
            unreachable",
        ..WELL
    },
    Kind {
        name: "keeps contexts, and crashes",
        request: "(if (i32.eq (call $next) (i32.const 64)) (then unreachable)) (i32.const 0)",
        more: "(func (export \"proxy_on_done\") (param i32) (result i32) (i32.const 0))",
        ..WELL
    },
    Kind {
        name: "uses bad pointers",
        request: "(drop (call $get (i32.const 0) (i32.const -8) (i32.const 64) (i32.const 0) (i32.const 4)))
            (drop (call $get (i32.const 0) (i32.const 32) (i32.const 5) (i32.const -1) (i32.const -1)))
            (drop (call $share (i32.const 65530) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0)))
            (drop (call $log (i32.const 2) (i32.const 65535) (i32.const 2)))
            (i32.load (i32.const -8))",
        ..WELL
    },
    Kind {
        name: "allocates badly",
        allocate: "(if (i32.eq (call $next) (i32.const 1)) (then (return (i32.const -8))))
            (if (i32.eq (global.get $count) (i32.const 2)) (then (return (i32.const 0))))
            (drop (call $get (i32.const 0) (i32.const 32) (i32.const 5) (i32.const 72) (i32.const 76)))
            unreachable",
        request: "(loop $more
                (drop (call $get (i32.const 0) (i32.const 32) (i32.const 5) (i32.const 72) (i32.const 76)))
                (br $more))
            unreachable",
        ..WELL
    },
    Kind {
        name: "starts once only",
        request: "unreachable",
        more: "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
                (if (i32.eqz (call $shared
                    (i32.const 16) (i32.const 8) (i32.const 72) (i32.const 76) (i32.const 80)))
                    (then (return (i32.const 0))))
                (drop (call $share (i32.const 16) (i32.const 8) (i32.const 16) (i32.const 8) (i32.const 0)))
                (i32.const 1))",
        ..WELL
    },
    Kind { name: "holds its requests", request: "(i32.const 1)", ..WELL },
];

impl Kind {
    /// The module.
    pub(super) fn wasm(&self) -> Result<Vec<u8>, HarnessError> {
        let headers: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"upstream")];
        let pairs = pw_abi::pairs::encode(headers);
        let data: String = pairs.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let text = include_str!("plugins/bad.wat").replace("PAIRS", &data).replace("ALLOCATE", self.allocate);
        let text = text.replace("REQUEST", self.request).replace("MORE", self.more);
        let text = text.replace("SIZE", &pairs.len().to_string());
        assemble(&text)
            .map_err(|error| HarnessError::new(format!("the plugin that {} is no module: {error}", self.name)))
    }
}
