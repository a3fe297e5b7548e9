//! Other hosts against the reference host: scenarios that can be streamed into one running host, and where two transcripts
//! of one differ though the specification decides.
//!
//! Knows neither processes nor expected failures; the caller runs the hosts.

mod compare;
mod fit;
mod rules;
mod seen;
mod stream;
mod text;

pub use compare::{Difference, Key, compare};
pub use fit::fit;
pub use rules::avoided;
pub(crate) use seen::is_added;
pub use stream::{Stream, base};
pub use text::case;
