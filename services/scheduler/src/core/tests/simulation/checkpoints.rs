//! The checkpoint-store: the newest token writes, and nobody else.

use std::collections::BTreeMap;

use contract::JobId;

use super::sabotage::Sabotage;

/// The caller's token is no longer the newest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fenced;

#[derive(Default)]
pub(super) struct Checkpoints {
    sabotage: Option<Sabotage>,
    jobs: BTreeMap<JobId, Records>,
}

#[derive(Default)]
struct Records {
    /// The newest token, and the process that holds it.
    newest: (u32, usize),
    /// The token of the last checkpoint.
    written_by: u32,
    step: u64,
}

impl Checkpoints {
    pub(super) fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, jobs: BTreeMap::new() }
    }

    /// Registers an attempt's token; returns the step to go on from.
    pub(super) fn open(&mut self, job_id: &JobId, token: u32, process: usize) -> Result<u64, Fenced> {
        let records = self.jobs.entry(job_id.clone()).or_default();
        if token < records.newest.0 {
            return Err(Fenced);
        }
        let before = std::mem::replace(&mut records.newest, (token, process));
        assert!(before.0 < token || before.1 == process, "two processes hold token {token} of {job_id}");
        Ok(records.step)
    }

    /// Adds a checkpoint to the job's history.
    pub(super) fn commit(&mut self, job_id: &JobId, token: u32, step: u64) -> Result<(), Fenced> {
        let records = self.jobs.entry(job_id.clone()).or_default();
        if token != records.newest.0 && self.sabotage != Some(Sabotage::NoFence) {
            return Err(Fenced);
        }
        assert!(
            records.written_by <= token && records.step <= step,
            "the checkpoints of {job_id} come from one attempt at a time: step {step} of token {token} after step {} \
             of token {}",
            records.step,
            records.written_by
        );
        records.written_by = token;
        records.step = step;
        Ok(())
    }

    /// The last step that is safe.
    pub(super) fn step(&self, job_id: &JobId) -> u64 {
        self.jobs.get(job_id).map_or(0, |records| records.step)
    }
}
