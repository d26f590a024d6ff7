//! Removing uploads that nobody committed.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::service::Service;

impl Service {
    /// Sweeps every job now and then, until `over`.
    ///
    /// While the line to the broker is down trainers upload and cannot commit. So it must have been up for a while
    /// before anything is swept: by then they have committed what they hold.
    pub(crate) async fn sweep_regularly(&self, over: &CancellationToken) {
        let mut online = self.broker.online();
        let pause = (self.sweep_after / 2).max(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = over.cancelled() => return,
                Ok(()) = online.changed() => {}
                () = sleep(pause) => {
                    if *online.borrow() {
                        over.run_until_cancelled(self.sweep()).await;
                    }
                }
            }
        }
    }

    async fn sweep(&self) {
        let jobs = match self.store.jobs().await {
            Ok(jobs) => jobs,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "cannot sweep the object store");
                return;
            }
        };
        for job in jobs {
            match self.history(&job).sweep(self.sweep_after).await {
                Ok(0) => {}
                Ok(files) => info!(job.id = %job, files, "removed uploads that were never committed"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, job.id = %job, "cannot sweep a job's uploads");
                }
            }
        }
    }
}
