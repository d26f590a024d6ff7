//! Attempts that lie in a queue, and what becomes of those that nobody claims.

use contract::{Seconds, Timestamp, events::JobWarned};
use policy::{Circumstances, Placement, considered, placements};

use super::{
    JobEvent,
    desk::{Desk, queue_of},
    index::{OFFER_PATIENCE, Queue, queue},
    job::{Job, Phase},
    money::Allowance,
};

impl Desk {
    /// Puts the next attempt before the workers of a placement.
    pub(super) fn offer(&mut self, job: &mut Job, placement: Placement, allowance: &Allowance) {
        job.unclaimed.clear();
        self.offer_to(job, placement, allowance);
    }

    /// An offer that nobody claims is put before the next class of the job's list that has room, after
    /// `scheduler.claim_timeout`. Before that it is published again if somebody has nothing to do, because then it was
    /// lost; and taken back if nobody is there. The attempt's number makes doubles harmless.
    pub(super) fn look_at_offer(&mut self, job: &mut Job, at: Timestamp) {
        let queue = queue(job);
        let patience_ends = at.plus(OFFER_PATIENCE);
        let claim_ends = job.offered_since.plus(self.rules.claim_timeout.to_duration());
        let is_unclaimed = claim_ends <= self.now;
        if patience_ends <= self.now && self.workers.slots(&queue) == 0 {
            self.enter(job, Phase::Queued);
        } else if is_unclaimed && let Some(next) = self.next_place(job) {
            self.move_on(job, next.0, &next.1);
        } else if patience_ends <= self.now && self.is_idle(&queue) {
            self.enter(job, Phase::Offered { at: self.now });
            self.publish(job, self.now);
        } else {
            let again = if self.now < patience_ends { patience_ends } else { self.now.plus(OFFER_PATIENCE) };
            let again = if is_unclaimed { again } else { again.min(claim_ends) };
            self.look_again(job, Some(again));
        }
    }

    /// Offers an attempt elsewhere that was not claimed where it lies. The number stays, so that one claim is granted.
    fn move_on(&mut self, job: &mut Job, next: Placement, allowance: &Allowance) {
        let here = job.placement.clone();
        let waited = Seconds::from(self.rules.claim_timeout.to_duration());
        self.tell(JobEvent::Warned(JobWarned {
            job_id: job.id.clone(),
            attempt: job.next_attempt(),
            warning: format!(
                "no worker that offers {here} claimed it within {waited}; it is offered to {next}"
            ),
            predicted_finish: None,
            at: self.now,
        }));
        if job.unclaimed.contains(&next) {
            job.unclaimed.clear();
        }
        job.unclaimed.push(here);
        self.offer_to(job, next, allowance);
    }

    /// Where an unclaimed attempt is tried next: the first place with room that was not tried yet; when all were, the
    /// first of them.
    fn next_place(&self, job: &Job) -> Option<(Placement, Allowance)> {
        let workload = &job.submission.workload;
        let places = placements(&job.terms, job.outgrown_mib);
        let open: Vec<(Placement, Allowance)> = places
            .into_iter()
            .filter(|place| *place != job.placement && self.has_room(&queue_of(workload, place)))
            .filter_map(|place| {
                let allowance = self.next_allowance(job, &place).ok()?;
                Some((place, allowance))
            })
            .collect();
        open.iter().find(|(place, _)| !job.unclaimed.contains(place)).or(open.first()).cloned()
    }

    fn offer_to(&mut self, job: &mut Job, placement: Placement, allowance: &Allowance) {
        let circumstances = Circumstances {
            outgrown_mib: job.outgrown_mib,
            taken: Some(&placement),
            unclaimed: &job.unclaimed,
        };
        job.considered = considered(&job.terms, circumstances, |placement| {
            0 < self.workers.slots(&queue_of(&job.submission.workload, placement))
        });
        job.offered_since = self.now;
        job.planned = allowance.time.into();
        self.place(job, placement);
        self.enter(job, Phase::Offered { at: self.now });
        self.publish(job, self.now);
    }

    /// Whether a live worker of a queue has nothing to do.
    pub(super) fn is_idle(&self, queue: &Queue) -> bool {
        0 < self.idle_slots(queue)
    }

    /// Whether a queue's workers have more free slots than there are offers for them.
    fn has_room(&self, queue: &Queue) -> bool {
        self.index.offers(queue) < self.idle_slots(queue)
    }

    /// Free slots of the live workers of a queue.
    fn idle_slots(&self, queue: &Queue) -> u32 {
        let here = self
            .workers
            .all()
            .filter(|worker| worker.queue() == *queue && worker.takes_work() && self.is_live(worker));
        here.map(|worker| {
            let running = self.index.held_by(&worker.hello.worker).count() as u32;
            worker.hello.slots.saturating_sub(running)
        })
        .sum()
    }
}
