//! Bounded waits.

use std::time::Duration;

use tokio::time::{Instant, interval};

/// Generous, because it only passes when something is wrong.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `is_so` says yes, half a minute at most.
///
/// # Errors
/// When it has not said so by then; `what` tells what was waited for.
pub async fn eventually<F>(what: &str, mut is_so: F) -> anyhow::Result<()>
where
    F: AsyncFnMut() -> bool,
{
    let deadline = Instant::now() + LIMIT;
    let mut look = interval(LOOK);
    while !is_so().await {
        anyhow::ensure!(Instant::now() < deadline, "not so after {} s: {what}", LIMIT.as_secs());
        look.tick().await;
    }
    Ok(())
}
