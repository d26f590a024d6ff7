//! Getting ready for the first run while there is none.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::worker::Worker;

/// How long a worker waits for its first run before it warms up. One that is there at once, as after a crash, would have to
/// share the machine with the warming, and does the same by itself.
const IDLE: Duration = Duration::from_secs(1);

impl Worker {
    /// Has the trainer warm up, unless there is a run before that, or `end`.
    pub(crate) async fn warm_up(&self, end: &CancellationToken) {
        if end.run_until_cancelled(tokio::time::sleep(IDLE)).await.is_none() || self.runs.has_run() {
            return;
        }
        let trainer = self.trainer.clone();
        let began = Instant::now();
        match tokio::task::spawn_blocking(move || trainer.warm_up()).await {
            Ok(()) => tracing::debug!(seconds = began.elapsed().as_secs_f64(), "warmed up"),
            // The first run will say what is wrong, or find that nothing is.
            Err(panic) => tracing::warn!(error = &panic as &dyn std::error::Error, "warming up failed"),
        }
    }
}
