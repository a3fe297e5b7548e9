//! The section "Integration".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! integration {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Integration integration "Integration"
            host {}
            guest {
                /// Marks a module as written for v0.1.0; never called.
                fn proxy_abi_version_0_1_0() -> Nothing until V0_1_0;
                /// Marks a module as written for v0.2.0; never called.
                fn proxy_abi_version_0_2_0() -> Nothing since V0_2_0 until V0_2_0;
                /// Marks a module as written for v0.2.1; never called.
                fn proxy_abi_version_0_2_1() -> Nothing since V0_2_1 until V0_2_1;
                /// Marks a module as written for the version in progress; never called.
                fn proxy_abi_version_0_x_x() -> Nothing since VNext;
                /// Called first in a reactor module.
                fn _initialize() -> Nothing;
                /// Called after `_initialize`, if that exists.
                fn main(unused: U32, unused: U32) -> U32;
                /// Called first in a command module, which is one without `_initialize`.
                fn _start() -> Nothing;
            }
        }
    };
}
