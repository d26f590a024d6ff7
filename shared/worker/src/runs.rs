//! The runs of this process, as the heartbeats tell of them.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::run_state::RunState;

/// Every run from its grant until the broker has its end.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<Vec<Arc<RunState>>>);

/// A run's place in the list; it is left when this is dropped.
pub(crate) struct Listed<'runs> {
    runs: &'runs Runs,
    run: Arc<RunState>,
}

impl Runs {
    /// Puts a run on the list.
    pub(crate) fn list(&self, run: Arc<RunState>) -> Listed<'_> {
        self.lock().push(run.clone());
        Listed { runs: self, run }
    }

    /// The runs there are now.
    pub(crate) fn all(&self) -> Vec<Arc<RunState>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<RunState>>> {
        self.0.lock().expect("nothing panics while it holds the list")
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.runs.lock().retain(|run| !Arc::ptr_eq(run, &self.run));
    }
}
