//! Which compiler makes machine code of modules, and what each can compile.

use wasmtime::{Config, OptLevel, RegallocAlgorithm, Strategy, WasmFeatures};

use super::FEATURES;

/// What compiles modules. Which it is changes no answer of the host; fuel is counted by the same rules, to within a few units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// Cranelift: its code is fast, for a proxy at work. Modules with a function so large that it would take Cranelift seconds are
    /// compiled by Winch (`ModuleLimits::cranelift_work`).
    #[default]
    Cranelift,
    /// Winch: it compiles several times as fast, and its code is slower, for plugins that run for a short time. What it
    /// cannot compile, Cranelift compiles: modules with tail calls, typed function references or relaxed SIMD, some others
    /// with SIMD, and all modules on a machine that is neither an x86-64 with AVX nor an AArch64.
    Winch,
}

/// The proposals that Winch lacks.
const NOT_IN_WINCH: WasmFeatures =
    WasmFeatures::TAIL_CALL.union(WasmFeatures::FUNCTION_REFERENCES).union(WasmFeatures::RELAXED_SIMD);

/// The proposals that are on where this compiler is used.
pub(super) fn features(strategy: Strategy) -> WasmFeatures {
    match strategy {
        Strategy::Winch => FEATURES.difference(NOT_IN_WINCH),
        _ => FEATURES,
    }
}

/// Winch has Cranelift make the entries from the host into functions, of which a module of Go's has thousands.
pub(super) fn hasten(config: &mut Config) {
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    // Windows has no other way to find the end of a stack.
    if cfg!(not(windows)) {
        config.native_unwind_info(false);
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn winch_knows_the_machine() -> bool {
    std::arch::is_x86_feature_detected!("avx")
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn winch_knows_the_machine() -> bool {
    cfg!(target_arch = "aarch64")
}
