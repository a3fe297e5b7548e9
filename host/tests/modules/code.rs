//! Limits on code: functions for which a compiler takes more than linear time or memory.

use pw_host::{Module, ModuleError, ModuleLimits};
use wasm_encoder as encode;
use wasm_encoder::{BlockType, Function};

use crate::{alone, engine, function, limit_of, peak, plugin};

#[test]
fn rejects_code_for_which_a_compiler_takes_more_than_linear_time() {
    let _alone = alone();
    let empty = BlockType::Empty;
    let nested = |count: u32, looped: bool| {
        function(0, |code| {
            for _ in 0..count {
                if looped {
                    code.loop_(empty)
                } else {
                    code.block(empty)
                };
            }
            (0..count).for_each(|_| {
                code.end();
            });
        })
    };
    let tables = |blocks: u32, count: u32| {
        function(0, |code| {
            (0..blocks).for_each(|_| {
                code.block(empty);
            });
            for _ in 0..count {
                code.block(empty).local_get(0).br_table((0..blocks).collect::<Vec<_>>(), 0).end();
            }
            (0..blocks).for_each(|_| {
                code.end();
            });
        })
    };
    // Each local gets a value, conditions follow, and each local is read.
    let conditions = |locals: u32, count: u32| {
        function(locals, |code| {
            (1..=locals).for_each(|local| {
                code.i32_const(5).local_set(local);
            });
            (0..count).for_each(|_| {
                code.local_get(0).if_(empty).nop().end();
            });
            (1..=locals).for_each(|local| {
                code.local_get(local).drop();
            });
        })
    };
    // The same, but the last value is set under a condition, so that the first stays live.
    let conditional = |locals: u32, count: u32| {
        function(locals, |code| {
            (1..=locals).for_each(|local| {
                code.i32_const(5).local_set(local);
            });
            (0..count).for_each(|_| {
                code.local_get(0).if_(empty).nop().end();
            });
            for local in 1..=locals {
                code.local_get(0).if_(empty).i32_const(7).local_set(local).end().local_get(local).drop();
            }
        })
    };
    let carried = |loops: u32, locals: u32| {
        function(locals, |code| {
            (0..loops).for_each(|_| {
                code.loop_(empty);
            });
            for local in 1..=locals {
                code.local_get(local).i32_const(1).i32_add().local_set(local);
            }
            (0..loops).for_each(|_| {
                code.local_get(0).br_if(0).end();
            });
        })
    };
    let in_sequence = |loops: u32| {
        function(0, |code| {
            (0..loops).for_each(|_| {
                code.loop_(empty).local_get(0).br_if(0).end();
            })
        })
    };
    let values = |blocks: u32, count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.local_get(0);
            });
            (0..blocks).for_each(|_| {
                code.block(BlockType::FunctionType(2)).local_get(0).br_if(0).end();
            });
            (0..count).for_each(|_| {
                code.drop();
            });
        })
    };
    let stack = |count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.local_get(0);
            });
            (0..count).for_each(|_| {
                code.drop();
            });
        })
    };
    let repeated = |count: u32, operator: fn(&mut encode::InstructionSink<'_>)| {
        function(0, |code| (0..count).for_each(|_| operator(code)))
    };
    let fill = |code: &mut encode::InstructionSink<'_>| {
        code.local_get(0).local_get(0).local_get(0).memory_fill(0);
    };
    let condition = |code: &mut encode::InstructionSink<'_>| {
        code.local_get(0).if_(BlockType::Empty).nop().end();
    };
    let calls = |count: u32| {
        function(0, |code| {
            (0..count).for_each(|_| {
                code.call(0);
            })
        })
    };
    /// What it is, types besides the first two, the function, and the limit that rejects it.
    type Row = (&'static str, Vec<(usize, usize)>, (u32, Function), Option<&'static str>);
    let rows: [Row; 24] = [
        ("nested loops", vec![], nested(501, true), Some("loop_nesting")),
        ("nested loops, as many as may be", vec![], nested(500, true), None),
        ("nested blocks", vec![], nested(20_001, false), Some("nesting")),
        ("nested blocks, as many as may be", vec![], nested(20_000, false), None),
        ("loops one after the other", vec![], in_sequence(50_000), Some("function_work")),
        ("some loops one after the other", vec![], in_sequence(3_000), None),
        ("targets of branch tables", vec![], tables(1_000, 100), Some("branch_targets")),
        ("a branch table", vec![], tables(5_000, 1), None),
        ("locals live through conditions", vec![], conditions(5_000, 5_000), Some("function_work")),
        ("some locals live through conditions", vec![], conditions(500, 5_000), None),
        ("locals that stay live under a condition", vec![], conditional(5_000, 5_000), Some("function_work")),
        ("locals live through nested loops", vec![], carried(400, 1_000), Some("function_work")),
        ("some locals live through nested loops", vec![], carried(50, 500), None),
        ("locals", vec![], function(20_000, |_| {}), Some("locals")),
        ("values of blocks", vec![(20, 20)], values(1_000, 20), Some("block_values")),
        ("some values of blocks", vec![(20, 20)], values(100, 20), None),
        ("operands", vec![], stack(10_001), Some("operands")),
        ("calls", vec![], calls(800_000), Some("function_work")),
        ("conditions one after the other", vec![], repeated(40_000, condition), Some("function_work")),
        ("some conditions one after the other", vec![], repeated(10_000, condition), None),
        ("operators that have conditions within them", vec![], repeated(40_000, fill), Some("function_work")),
        ("some operators that have conditions within them", vec![], repeated(5_000, fill), None),
        ("locals live through the maximum of loops", vec![], carried(400, 350), Some("function_work")),
        (
            "code of a function",
            vec![],
            function(0, |code| {
                (0..2 << 20).for_each(|_| {
                    code.nop();
                })
            }),
            Some("function_size"),
        ),
    ];
    for (what, types, function, expected) in rows {
        let wasm = plugin(&types, &[function]);
        let (actual, peak) = peak(|| limit_of(&wasm));
        assert_eq!(actual, expected, "{what}");
        assert!(peak < 64 * wasm.len() + (16 << 20), "{what}: {peak} bytes for a module of {}", wasm.len());
        if expected.is_some() {
            let rejected = Module::new(&engine(), &wasm);
            assert!(matches!(rejected, Err(ModuleError::Limit { .. })), "{what}: {rejected:?}");
        }
    }
}

/// Cranelift takes about 160 MB for this one, and more than a second; by the limits Winch compiles it.
#[test]
#[cfg(target_arch = "x86_64")]
fn memory_for_compiling_the_largest_functions_is_bounded() {
    const CALLS: u32 = 60_000;
    let _alone = alone();
    let calls = function(0, |code| {
        (0..CALLS).for_each(|_| {
            code.call(0);
        });
    });
    let wasm = plugin(&[], &[calls]);
    let limits = ModuleLimits::default();
    assert!(CALLS as usize * 10 > limits.cranelift_work, "Cranelift compiles it");
    let (module, peak) = peak(|| Module::new(&engine(), &wasm));
    assert!(module.is_ok(), "{module:?}");
    assert!(peak < 80 << 20, "{} MB", peak >> 20);
}

/// What compilers emit for large programs: tens of thousands of functions, one of a megabyte, branch tables of thousands,
/// thousands of locals; some 25 MB in all, most of it data, as in Go. It is only validated, as compiling it takes a minute.
#[test]
fn accepts_a_module_as_large_as_the_largest_plugins() {
    let _alone = alone();
    let arithmetic = |code: &mut encode::InstructionSink<'_>, locals: u32, count: u32| {
        for number in 0..count {
            code.local_get(number % locals).i32_const(8).i32_sub().local_tee(number * 7 % locals);
            code.if_(BlockType::Empty).local_get(number % locals).call(1).local_set((number + 3) % locals).end();
        }
    };
    let small = function(16, |code| arithmetic(code, 16, 10));
    // As in Go: a loop, a branch table to the place after each call, nested blocks.
    let resumed = |count: u32| {
        function(32, |code| {
            code.loop_(BlockType::Empty);
            (0..=count).for_each(|_| {
                code.block(BlockType::Empty);
            });
            code.local_get(0).br_table((0..count).collect::<Vec<_>>(), count);
            for number in 0..count {
                code.end().local_get(number % 32).i32_const(8).i32_sub().local_set(number % 32);
                code.local_get(1).call(1).if_(BlockType::Empty).i32_const(1).local_set(0).br(count + 1 - number).end();
            }
            code.end().end();
        })
    };
    // Most of them live for a short time.
    let many_locals = function(3_000, |code| {
        for number in 0..3_000 {
            code.local_get(0).local_set(number).local_get(number).if_(BlockType::Empty).nop().end();
        }
    });
    let megabyte = function(50, |code| {
        for number in 0..100_000 {
            code.local_get(number % 50).i32_const(number as i32).i32_store(encode::MemArg {
                offset: 0,
                align: 2,
                memory_index: 0,
            });
        }
    });
    let mut functions = vec![small; 60_000];
    functions.extend([resumed(4_000), many_locals, megabyte]);
    let wasm = plugin(&[], &functions);
    assert!(wasm.len() > 10 << 20, "{}", wasm.len());
    let (valid, bytes) = peak(|| engine().validate(&wasm));
    assert_eq!(valid, Ok(()));
    assert!(bytes < 4 * wasm.len(), "{bytes} bytes to validate a module of {}", wasm.len());
}

/// The cost of a module is in proportion to its size, or it is rejected.
#[test]
fn memory_to_compile_grows_linearly() {
    let _alone = alone();
    let module = |functions: usize| {
        let conditions = function(20, |code| {
            for number in 0..100 {
                code.local_get(number % 20).if_(BlockType::Empty).i32_const(3).local_set(number * 3 % 20).end();
            }
        });
        plugin(&[], &vec![conditions; functions])
    };
    let cost = |wasm: &[u8]| peak(|| Module::new(&engine(), wasm).expect("it is a plugin")).1;
    cost(&module(10));
    let (small, large) = (cost(&module(100)), cost(&module(400)));
    assert!(large < 6 * small, "{small} bytes, and {large} for four times as much");
}
