//! Waiting for a state of the world: looked at often, with a generous limit.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take before a test gives up. Most things take milliseconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Looks until `look` finds something. `what` says in the panic what was waited for.
///
/// # Panics
/// After [`LIMIT`].
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {} s for {what}", LIMIT.as_secs());
        sleep(Duration::from_millis(20)).await;
    }
}
