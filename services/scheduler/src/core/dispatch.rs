//! Whose turn it is. Jobs wait here rather than in the broker's queues, so that priority, age and the choice of
//! machine stay open until a worker can take them.

use contract::{JobId, Workload};
use policy::Placement;

use super::{Core, desk::queue_of};

/// Offers that may lie in a queue at once, however few slots its workers have.
const LEAST_WINDOW: u32 = 8;

impl Core {
    /// Offers as many waiting jobs as there is room for.
    pub(super) fn dispatch(&mut self) {
        for workload in self.desk.index.waiting_workloads() {
            while let Some((job_id, placement)) = self.next_turn(&workload) {
                self.offer(&job_id, placement);
            }
        }
    }

    /// The job of the workload that is next among those a worker could take, if the workload may run another one.
    fn next_turn(&self, workload: &Workload) -> Option<(JobId, Placement)> {
        let busy = self.desk.index.busy(workload);
        if self.desk.rules.concurrency(workload) <= busy.running + busy.offered {
            return None;
        }
        let turns = self.desk.index.lanes(workload).filter_map(|(places, turn)| {
            let placement =
                places.iter().find(|place| 0 < self.desk.workers.slots(&queue_of(workload, place)))?;
            let queue = queue_of(workload, placement);
            let window = LEAST_WINDOW.max(2 * self.desk.workers.slots(&queue));
            (self.desk.index.offers(&queue) < window).then_some((turn, placement))
        });
        let (turn, placement) = turns.min_by_key(|(turn, _)| *turn)?;
        Some((turn.job_id.clone(), placement.clone()))
    }

    fn offer(&mut self, job_id: &JobId, placement: Placement) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        match self.desk.within_means(job, placement) {
            Ok(placement) => self.desk.offer(job, placement),
            Err(shortage) => self.desk.run_dry(job, Some(&shortage)),
        }
    }
}

impl super::Rules {
    /// How many jobs of a workload may run at once. Those of a workload that was taken out of the settings wait.
    pub(super) fn concurrency(&self, workload: &Workload) -> u32 {
        self.workloads.get(workload).map_or(0, |policy| policy.concurrency)
    }
}
