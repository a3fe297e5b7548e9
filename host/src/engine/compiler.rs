//! The two compilers, and what each can compile.

use wasmtime::{Config, OptLevel, RegallocAlgorithm, Strategy, WasmFeatures};

use crate::features::FEATURES;

/// The compiler of modules. The host behaves the same with either; fuel is counted by the same rules, to within a few units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// Cranelift: its code is fast, for a proxy in production. Modules with a function that would take Cranelift seconds are compiled by
    /// Winch (`ModuleLimits::cranelift_work`).
    #[default]
    Cranelift,
    /// Winch: it compiles several times as fast, and its code is slower, for plugins that run for a short time. Cranelift compiles what
    /// Winch cannot: modules with tail calls, typed function references or relaxed SIMD, some others with SIMD, and all modules on
    /// a machine that is neither an x86-64 with AVX nor an AArch64.
    Winch,
}

/// The proposals that Winch lacks.
const NOT_IN_WINCH: WasmFeatures =
    WasmFeatures::TAIL_CALL.union(WasmFeatures::FUNCTION_REFERENCES).union(WasmFeatures::RELAXED_SIMD);

/// The proposals that are on with this compiler.
pub(super) fn features(strategy: Strategy) -> WasmFeatures {
    match strategy {
        Strategy::Winch => FEATURES.difference(NOT_IN_WINCH),
        _ => FEATURES,
    }
}

/// With Winch, Cranelift compiles the entries from the host into functions, of which a Go module has thousands: fast, not
/// optimised.
pub(super) fn configure_for_speed(config: &mut Config) {
    config.cranelift_opt_level(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    // Windows has no other way to find the end of a stack.
    if cfg!(not(windows)) {
        config.native_unwind_info(false);
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn winch_supports_the_machine() -> bool {
    std::arch::is_x86_feature_detected!("avx")
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn winch_supports_the_machine() -> bool {
    cfg!(target_arch = "aarch64")
}
