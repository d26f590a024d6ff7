//! Whose turn it is. Jobs wait here rather than in the broker's queues, so that priority, age, the owners' shares and
//! the choice of machine stay open until a worker can take them.

use contract::{JobId, Workload};
use policy::Placement;

use super::{
    Core,
    desk::{Desk, queue_of},
    lines::{Claimant, Lane, Lanes, Line, Urgency},
    money::Purse,
};

/// Offers that may lie in a queue at once, however few slots its workers have.
const LEAST_WINDOW: u32 = 8;

impl Core {
    /// Offers as many waiting jobs as there is room for.
    pub(super) fn dispatch(&mut self) {
        for workload in self.desk.index.lines.workloads() {
            while let Some((job_id, placement)) = self.desk.next_turn(&workload) {
                self.offer(&job_id, placement);
            }
        }
    }

    fn offer(&mut self, job_id: &JobId, placement: Placement) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        match self.desk.within_means(job, placement) {
            Ok((placement, allowance)) => {
                self.desk.index.lines.serve(job, self.desk.now);
                self.desk.offer(job, placement, &allowance);
            }
            Err(shortage) if shortage.purse == Purse::Job => self.desk.run_dry(job, Some(&shortage)),
            Err(shortage) => self.desk.go_without(job, &shortage),
        }
    }
}

impl Desk {
    /// The job of the workload that is next among those a worker could take, if another one may run. This looks at the
    /// first job of every line in every open lane, however many stand behind it.
    fn next_turn(&self, workload: &Workload) -> Option<(JobId, Placement)> {
        if self.workload_limit(workload, 0).is_some() {
            return None;
        }
        let waiting = self.index.lines.of(workload)?;
        let lanes = waiting.lanes().filter_map(|(places, lane)| {
            let placement = self.open_place(workload, places)?;
            Some((self.most_urgent(workload, waiting, lane)?, placement))
        });
        let (urgency, placement) = lanes.max_by_key(|(urgency, _)| *urgency)?;
        Some((urgency.turn.0.job_id.clone(), placement.clone()))
    }

    /// Where the jobs of a lane go now: the first place that a live worker offers, unless enough offers lie there.
    fn open_place<'a>(&self, workload: &Workload, places: &'a [Placement]) -> Option<&'a Placement> {
        let placement = places.iter().find(|place| 0 < self.workers.slots(&queue_of(workload, place)))?;
        let queue = queue_of(workload, placement);
        let window = LEAST_WINDOW.max(2 * self.workers.slots(&queue));
        (self.index.offers(&queue) < window).then_some(placement)
    }

    /// The most urgent turn of a lane among those whose owner may have another job.
    fn most_urgent<'a>(&self, workload: &Workload, waiting: &Lanes, lane: &'a Lane) -> Option<Urgency<'a>> {
        let lines = lane.iter().filter(|(line, _)| self.owner_limit(&line.owner, 0).is_none());
        let urgencies =
            lines.filter_map(|(line, part)| waiting.urgency(line, part, self.claimant(workload, line)));
        urgencies.max()
    }

    /// What a line's urgency depends on besides the line.
    pub(super) fn claimant(&self, workload: &Workload, line: &Line) -> Claimant {
        Claimant {
            now: self.now,
            priority_worth: self.rules.priority_worth,
            busy: self.index.busy_share(&line.owner, workload),
            weight: self.rules.owners.weight(&line.owner),
        }
    }
}
