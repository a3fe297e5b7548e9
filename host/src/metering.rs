//! How the time of plugins is measured.

/// How the time of calls into plugins is bounded. [`Limits`](crate::Limits) has the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metering {
    /// Not at all, which is fastest: for trusted plugins.
    #[default]
    None,
    /// By counting instructions: every run does the same.
    Fuel,
    /// By the clock: the embedder calls [`Engine::tick`](crate::Engine::tick) at an interval, from another thread. For a proxy in production.
    Epochs,
}
