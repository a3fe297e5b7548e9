//! Seeded faults: bugs that real hosts have or had, planted here on purpose, to check that the suite finds them.
//!
//! A build without the feature `planted` has none of them; with it, one at a time can be switched on.

#[cfg(feature = "planted")]
use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! bugs {
    ($($Bug:ident $name:literal $who:literal;)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "planted", expect(missing_docs, reason = "each is described below"))]
        #[cfg_attr(not(feature = "planted"), expect(unreachable_pub, reason = "only the feature exports it"))]
        pub enum Planted {
            $($Bug,)+
        }

        #[cfg(feature = "planted")]
        impl Planted {
            /// All of them.
            pub const ALL: &'static [Planted] = &[$(Planted::$Bug,)+];

            /// What the bug does, and which hosts have or had it.
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
    TimeOfFourBytes "the time is returned as 32 bits" "MOSN";
    DuplicatesFolded "of several fields of one name only the last is kept" "MOSN";
    SetPairsMerges "setting all fields of a map keeps those that are not named" "MOSN";
    EmptyValueRefused "an empty value of a field is a bad argument" "MOSN";
    PartialWrite "of two out-pointers the first is written although the second is out of bounds" "Envoy, MOSN";
    ItemLost "an item is lost when the allocator fails" "Envoy";
    MallocFirst "`malloc` is called although there is the newer allocator" "Envoy, ngx_wasm_module";
    RecordAdds "recording a counter adds to it" "Envoy";
    ExitReturns "`proc_exit` returns to the plugin" "Envoy";
    TrapForStatus "an out-of-bounds pointer traps the plugin instead of returning a status" "ngx_wasm_module";
    EmptyUnwritten "an empty value is OK, and its pointer and size are not written" "ngx_wasm_module";
    OnlyTheChunk "a buffered body is shown chunk by chunk" "ngx_wasm_module";
    UnknownContext "any context can become the effective one" "ngx_wasm_module, the Go SDK's proxytest";
    CasZeroCompared "a compare-and-swap value of 0 is compared" "ngx_wasm_module, the Go SDK's proxytest";
    CounterGoesDown "a counter can be decremented" "the Go SDK's proxytest";
    UnknownMetric "an unknown metric is a bad argument" "the Go SDK's proxytest";
    AnyLogLevel "an invalid log level is accepted" "the Go SDK's proxytest";
    ReadyForTheSender "the plugin that enqueues an item is notified, not the one that registered the queue" "the Go SDK's proxytest";
    CaseSensitive "field names are case-sensitive" "the official test framework";
    VmIdIgnored "all VM ids share their data" "a host with one dictionary for all";
    AnswerToTheLast "the last plugin gets the response to an HTTP call" "a host that looks up a call only by its id";
    DeleteUnsaid "`proxy_on_delete` is not called" "a host that frees contexts on its own";
    CanaryBypass "the share of streams of a retired canary bypasses all plugins" "this host, once";
    QuadraticMap "adding a field searches all fields" "this host, once";
    QueueStorm "a queue's ready callbacks do not count towards an event's budget" "this host, once";
    EndlessWait "a piece loops at the place of a plugin that has been removed" "this host, once";
    Recursion "buffered pieces are handled recursively" "this host, once";
    CasIgnored "shared data is set whatever the compare-and-swap value" "a host with a plain dictionary";
    // A reviewer's, which neither the catalog nor the fuzzer of then noticed, or one of them only.
    BodyTwice "a body that was paused is shown again when it is continued" "a plausible slip";
    WrongPlaceResumed "failing open, a response goes on at the place that the plugin has in the request's order" "a plausible slip";
    TimeoutOnAWheel "timeouts of HTTP calls are rounded up to the next 100 ms" "a host with a coarse timer";
    AnyVmId "an empty VM id finds a queue of that name in any VM id" "a plausible slip";
    CompactionFolds "fields of one name are folded when a large map is compacted" "a plausible slip";
    TrailersLost "changes of trailers are lost if a body was held before them" "a plausible slip";
    HeldBodyLost "failing open, a body that was held is dropped" "a plausible slip";
    RateOfAllStreams "the rate of a canary's faults is taken of all streams" "a plausible slip";
    BackoffForgotten "each restart forgets the earlier crashes" "a plausible slip";
    UpstreamStaysOpen "a request that was sent as a whole is not reset at the upstream" "a plausible slip";
    ClockOfItsPrecision "the time is rounded down to the precision that is asked for" "a plausible slip";
    // Written by somebody who had read neither the catalog nor the generator.
    OthersStay "removing a field of a map removes only the first of its name" "the Go SDK's proxytest";
    DigitForNul "names and values of a serialised map end with the digit 0 instead of a NUL" "MOSN";
    LastFieldLost "the last field of a serialised map is lost if its name is longer than its value" "MOSN";
    OnlyWholeBodies "a part of a body cannot be replaced" "Envoy, ngx_wasm_module, the Go SDK's proxytest";
    LastReaderOnly "only the plugin that was the last to register a queue is notified" "Envoy";
    ReaderTwice "after its restart a plugin is notified twice of each item of a queue" "a plausible slip";
    PropertyOfOne "a property that a plugin has set is not seen by the other plugins of the stream" "ngx_wasm_module";
    LogLostOnReset "`proxy_on_log` is not called for a TCP stream that the upstream has reset" "Envoy, once";
    LinePerPiece "each piece of an `fd_write` is a line of its own" "a plausible slip";
    PeriodTooLate "a new tick period counts only after the next tick of the old one" "a plausible slip";
    AnswerStays "the response to a call can still be read in later callbacks, of any plugin" "a plausible slip";
    CloseIsFinal "what the server sends after a plugin has closed its side of a gRPC stream is dropped" "a plausible slip";
    DefineResets "defining a metric that exists sets it to 0" "a plausible slip";
    OpenKeepsChanges "what a callback has changed before it crashed stays, although the plugin fails open" "a plausible slip";
    PromotedStaysLogOnly "a log-only canary stays log-only when it is promoted" "a plausible slip";
    CallbacksUnrestricted "capabilities restrict calls, but not callbacks" "a plausible slip";
    HeldOffByOne "a body of exactly the size that may be buffered is too large" "a plausible slip";
    ResumeRemembered "continuing what is not paused prevents its next pause" "a plausible slip";
    AddedTrailersLost "trailers that a plugin adds to a message without any are not sent" "a plausible slip";
    LastResponseCounts "of several local responses in a callback the last is sent" "a plausible slip";
    FailureIsEmpty "a foreign function that fails is OK, with an empty result" "a plausible slip";
    EmptyAllocated "the allocator is called for an empty value, too" "MOSN";
    OthersNotRestarted "of the plugins of a VM that has crashed only the one that trapped is restarted" "a plausible slip";
    EmptyKeyRefused "an empty key of shared data is a bad argument" "MOSN";
}

/// What the host does instead if the bug is switched on.
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

/// Switches one bug on and all others off; `None` switches all off.
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
