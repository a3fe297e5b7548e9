//! Bugs that real hosts have or had, planted here on purpose, to see that the suite finds them.
//!
//! None of them is in a build without the feature `planted`; with it, one at a time can be switched on.

#[cfg(feature = "planted")]
use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! bugs {
    ($($Bug:ident $name:literal $who:literal;)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "planted", expect(missing_docs, reason = "each is described below"))]
        #[cfg_attr(not(feature = "planted"), expect(unreachable_pub, reason = "only the feature lets it out"))]
        pub enum Planted {
            $($Bug,)+
        }

        #[cfg(feature = "planted")]
        impl Planted {
            /// All of them.
            pub const ALL: &'static [Planted] = &[$(Planted::$Bug,)+];

            /// The bug's name, and who has or had it.
            pub fn describe(self) -> (&'static str, &'static str) {
                match self {
                    $(Planted::$Bug => ($name, $who),)+
                }
            }
        }
    };
}

bugs! {
    StartIgnored "a buffer is read from its beginning, whatever `start` says" "MOSN, ngx_wasm_module";
    PrependReplaces "bytes put before a body replace all of it" "MOSN";
    SizesAreSigned "a size of 2 GiB or more is a bad argument" "MOSN";
    MetricOfFourBytes "a metric is read as 32 bits" "MOSN";
    TimeOfFourBytes "the time is told as 32 bits" "MOSN";
    DuplicatesFolded "of fields of one name the last survives" "MOSN";
    SetPairsMerges "setting all fields of a map leaves those that are not named" "MOSN";
    EmptyValueRefused "an empty value of a field is a bad argument" "MOSN";
    PartialWrite "of two places the first is written when the second is bad" "Envoy, MOSN";
    ItemLost "an item is lost when there is no room for it" "Envoy";
    MallocFirst "`malloc` is asked although there is the newer allocator" "Envoy, ngx_wasm_module";
    RecordAdds "recording a counter adds to it" "Envoy";
    ExitReturns "`proc_exit` returns to the plugin" "Envoy";
    TrapForStatus "a bad pointer ends the plugin in place of a status" "ngx_wasm_module";
    EmptyUnwritten "an empty value is OK, and its pointer and size are not written" "ngx_wasm_module";
    OnlyTheChunk "a body that is held back is shown chunk by chunk" "ngx_wasm_module";
    UnknownContext "any context can become the effective one" "ngx_wasm_module, the Go SDK's proxytest";
    CasZeroCompared "a compare-and-swap value of 0 is compared" "ngx_wasm_module, the Go SDK's proxytest";
    CounterGoesDown "a counter can be decremented" "the Go SDK's proxytest";
    UnknownMetric "an unknown metric is a bad argument" "the Go SDK's proxytest";
    AnyLogLevel "a log level that there is not is OK" "the Go SDK's proxytest";
    ReadyForTheSender "the plugin that enqueues is told of the item, not the one that registered" "the Go SDK's proxytest";
    CaseSensitive "field names are compared with regard to case" "the official test framework";
    VmIdIgnored "shared data is one for all VM ids" "whoever has one dictionary for all";
    AnswerToTheLast "the answer of an HTTP call is told to the last plugin" "whoever looks a call up by its id alone";
    DeleteUnsaid "the end of a context is not told" "whoever frees contexts by himself";
    CanaryBypass "a canary that was retired takes its share of the streams past all plugins" "this host, once";
    QuadraticMap "adding a field looks through all that there are" "this host, once";
    QueueStorm "a queue's ready callbacks do not count towards an event's budget" "this host, once";
    EndlessWait "a piece goes back and forth at the place of a plugin that has left" "this host, once";
    Recursion "pieces that waited are handled one inside the other" "this host, once";
    CasIgnored "shared data is set whatever the compare-and-swap value" "whoever has a plain dictionary";
}

/// What the host does in place of the right thing if the bug is switched on.
macro_rules! planted {
    ($Bug:ident => $($wrong:tt)+) => {
        if $crate::planted::has($crate::planted::Planted::$Bug) {
            $($wrong)+
        }
    };
}
pub(crate) use planted;

#[cfg(feature = "planted")]
static ACTIVE: AtomicU8 = AtomicU8::new(u8::MAX);

/// Switches a bug on, in place of another, or all off.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Planted>) {
    ACTIVE.store(bug.map_or(u8::MAX, |bug| bug as u8), Ordering::Relaxed);
}

#[cfg(feature = "planted")]
pub(crate) fn has(bug: Planted) -> bool {
    ACTIVE.load(Ordering::Relaxed) == bug as u8
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn has(_: Planted) -> bool {
    false
}
