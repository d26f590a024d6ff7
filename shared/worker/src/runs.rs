//! The runs of this process, as the heartbeats tell of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use contract::JobId;

use crate::run_state::RunState;

/// How many runs that are over are remembered.
const OVER_REMEMBERED: usize = 1024;

/// Every run from its grant until the broker has its end; and the latest of those that are over.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    present: Vec<Arc<RunState>>,
    over: VecDeque<(JobId, u32)>,
}

/// A run's place in the list; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    runs: Arc<Runs>,
    run: Arc<RunState>,
}

impl Runs {
    /// Puts a run on the list; `None` when this process runs it already, or has. An offer whose acknowledgement was
    /// lost comes again, and the scheduler grants its holder again what it holds.
    pub(crate) fn begin(self: &Arc<Self>, run: Arc<RunState>) -> Option<Listed> {
        let mut inner = self.lock();
        let is_present = inner.present.iter().any(|present| present.is_attempt(&run.job_id, run.attempt));
        let is_over = inner.over.iter().any(|(job_id, attempt)| run.is_attempt(job_id, *attempt));
        if is_present || is_over {
            return None;
        }
        inner.present.push(run.clone());
        drop(inner);
        Some(Listed { runs: self.clone(), run })
    }

    /// The runs there are now.
    pub(crate) fn all(&self) -> Vec<Arc<RunState>> {
        self.lock().present.clone()
    }

    /// Whether this process runs anything, or has.
    pub(crate) fn has_run(&self) -> bool {
        let inner = self.lock();
        !inner.present.is_empty() || !inner.over.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it holds the list")
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut inner = self.runs.lock();
        inner.present.retain(|run| !Arc::ptr_eq(run, &self.run));
        if inner.over.len() == OVER_REMEMBERED {
            inner.over.pop_front();
        }
        inner.over.push_back((self.run.job_id.clone(), self.run.attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_run_once_and_the_next_one_is_another() {
        let runs = Arc::new(Runs::default());
        let job = JobId::new("job").unwrap();
        let begin = |attempt| runs.begin(Arc::new(RunState::new(job.clone(), attempt)));

        let first = begin(1).unwrap();
        assert!(begin(1).is_none(), "it runs");
        let second = begin(2).unwrap();
        assert_eq!(runs.all().len(), 2);
        drop(first);
        assert!(begin(1).is_none(), "it has run");
        drop(second);
        assert!(runs.all().is_empty());
    }

    #[test]
    fn what_is_over_is_forgotten_in_the_end() {
        let runs = Arc::new(Runs::default());
        let job = JobId::new("job").unwrap();
        let begin = |attempt| runs.begin(Arc::new(RunState::new(job.clone(), attempt)));
        for attempt in 0..=OVER_REMEMBERED as u32 {
            drop(begin(attempt).unwrap());
        }
        assert!(begin(1).is_none());
        assert!(begin(0).is_some());
    }
}
