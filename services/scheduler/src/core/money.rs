//! Whether there is money for an attempt.

use std::time::Duration;

use contract::Seconds;
use policy::{Left, Placement, RunLimit, least_usd, placements, run_limit};

use super::{
    Rules,
    desk::{Desk, queue_of},
    job::Job,
};

/// Less money than an attempt costs that is worth its start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shortage {
    /// Where it would run.
    placement: Placement,
    /// What is left, in US dollars.
    pub(super) left: f64,
    /// What it costs at least.
    needed: f64,
}

impl Rules {
    /// What an attempt is paid for beyond its limit, at most: it may take the grace time to stop, and counts as running up
    /// to the heartbeat after that.
    pub(super) fn margin(&self) -> Duration {
        self.grace.to_duration() + self.heartbeat.to_duration()
    }
}

impl Desk {
    /// How long an attempt of a job may run on its placement, with what is `left` of the job's limits.
    pub(super) fn run_limit(&self, job: &Job, timeout: Duration, left: Left) -> RunLimit {
        run_limit(timeout, left, job.terms.usd_per_hour(&job.placement), self.rules.margin())
    }

    /// What is missing for an attempt that begins now.
    pub(super) fn shortage(&self, job: &Job, placement: &Placement) -> Option<Shortage> {
        let left = job.left(self.now);
        let (timeout, least_run) = (job.terms.timeout.to_duration(), self.rules.least_run.to_duration());
        let price = job.terms.usd_per_hour(placement);
        let needed = least_usd(least_run, timeout, left, price, self.rules.margin());
        let shortage = |left| Shortage { placement: placement.clone(), left, needed };
        left.usd.filter(|left| *left < needed || *left <= 0.0).map(shortage)
    }

    /// What is missing for an attempt on the cheapest of the machines that workers offer; of all, if nobody offers any.
    pub(super) fn least_shortage(&self, job: &Job) -> Option<Shortage> {
        let price = |placement: &Placement| job.terms.usd_per_hour(placement);
        let places = placements(&job.terms, job.outgrown_mib);
        let offered = places.iter().filter(|place| self.is_offered(job, place));
        let cheapest = |a: &&Placement, b: &&Placement| price(a).total_cmp(&price(b));
        let cheapest = offered.min_by(cheapest).or_else(|| places.iter().min_by(cheapest))?;
        self.shortage(job, cheapest)
    }

    /// Where a job goes that would go to `placement`: there if it can pay for it, else to the next place that it can pay for
    /// and that a worker offers.
    pub(super) fn within_means(&self, job: &Job, placement: Placement) -> Result<Placement, Shortage> {
        let Some(shortage) = self.shortage(job, &placement) else { return Ok(placement) };
        let mut places = placements(&job.terms, job.outgrown_mib).into_iter();
        places
            .find(|place| self.is_offered(job, place) && self.shortage(job, place).is_none())
            .ok_or(shortage)
    }

    fn is_offered(&self, job: &Job, place: &Placement) -> bool {
        0 < self.workers.slots(&queue_of(&job.submission.workload, place))
    }

    /// What a job lacks for an attempt, in words, and how large its total has to be.
    pub(super) fn lacks(&self, job: &Job, shortage: &Shortage) -> String {
        let Shortage { placement, left, needed } = shortage;
        let total = job.terms.total.usd.unwrap_or(0.0);
        let raised = (total + needed - left) * 1e4;
        format!(
            "{:.4} USD are left of the job's total of {total} USD, and the shortest attempt on {placement} costs {needed:.4} \
             USD: {} of work, and {} in which it may have to stop; redrive it with a total.usd of {:.4} or more",
            left.max(0.0),
            Seconds::from(self.rules.least_run.to_duration().min(job.terms.timeout.to_duration())),
            Seconds::from(self.rules.margin()),
            raised.ceil() / 1e4,
        )
    }
}
