//! Where the user's compiled plugins are kept.

use etcetera::BaseStrategy;
use pw_harness::invocation::PROGRAM;
use pw_host::Cache;

/// Bytes of all of them: some dozens of large plugins.
const SIZE: u64 = 512 << 20;

/// A folder in the user's own for caches; none where the user has no home.
pub(super) fn of_the_user() -> Option<Cache> {
    let caches = etcetera::choose_base_strategy().ok()?.cache_dir();
    caches.is_absolute().then(|| Cache { folder: caches.join(PROGRAM), size: SIZE })
}
