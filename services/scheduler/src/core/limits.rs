//! How many jobs may be offered or run at once, by workload and by owner. The numbers are counted from the jobs
//! themselves, so that they hold for whoever takes over.

use contract::Workload;

use super::{
    Rules,
    desk::Desk,
    job::{Job, Phase},
};

/// A limit that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Limit {
    /// The workload's `concurrency`.
    Workload { workload: Workload, most: u32 },
    /// The owner's.
    Owner { owner: String, most: u32 },
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = match self {
            Self::Workload { workload, most } => {
                write!(f, "{workload} runs")?;
                most
            }
            Self::Owner { owner, most } => {
                write!(f, "owner {owner} runs")?;
                most
            }
        };
        write!(f, " at most {most} {} at once", if *most == 1 { "job" } else { "jobs" })
    }
}

impl Desk {
    /// The limit that keeps a job from being offered, or from running, beside all the others.
    pub(super) fn limit(&self, job: &Job) -> Option<Limit> {
        let counted = u32::from(matches!(job.phase, Phase::Offered { .. } | Phase::Running(_)));
        let (workload, owner) = (&job.submission.workload, &job.submission.owner);
        if let Some(most) = self.workload_limit(workload, counted) {
            return Some(Limit::Workload { workload: workload.clone(), most });
        }
        let most = self.owner_limit(owner, counted)?;
        Some(Limit::Owner { owner: owner.clone(), most })
    }

    /// The workload's limit, when it is reached by others than the `counted` ones.
    pub(super) fn workload_limit(&self, workload: &Workload, counted: u32) -> Option<u32> {
        let most = self.rules.concurrency(workload);
        let others = self.index.busy(workload).total().saturating_sub(counted);
        (most <= others).then_some(most)
    }

    /// The owner's limit, over all workloads, when it is reached by others than the `counted` ones.
    pub(super) fn owner_limit(&self, owner: &str, counted: u32) -> Option<u32> {
        let most = self.rules.owners.concurrency(owner)?;
        let others = self.index.busy_of(owner).saturating_sub(counted);
        (most <= others).then_some(most)
    }
}

impl Rules {
    /// How many jobs of a workload may run at once. Those of a workload that was taken out of the settings wait.
    fn concurrency(&self, workload: &Workload) -> u32 {
        self.workloads.get(workload).map_or(0, |policy| policy.concurrency)
    }
}
