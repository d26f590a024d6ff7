//! Granting leases: the one place where an attempt comes to be.

use std::time::Duration;

use contract::{
    Failure, FailureClass, StopCause,
    control::AttemptView,
    events::JobLeased,
    lease::{Claim, ClaimAnswer, Grant, Progress},
};

use super::{
    Answer, Command, Core, JobEvent,
    desk::Desk,
    job::{Job, Lease, Phase},
    money::{Allowance, Shortage},
};

impl Core {
    /// Answers a worker that took an offer. Whoever is refused drops the offer.
    pub(super) fn claim(&mut self, claim: &Claim) {
        let answer = match self.jobs.get_mut(&claim.job_id) {
            None => refused(format!("there is no job {}", claim.job_id)),
            Some(job) => self.desk.claim(job, claim),
        };
        self.desk.commands.push(Command::Answer(Answer::Claim(Box::new(answer))));
    }
}

impl Desk {
    fn claim(&mut self, job: &mut Job, claim: &Claim) -> ClaimAnswer {
        if !self.workers.heard(&claim.worker, claim.incarnation, self.now) {
            return refused(format!("{} has to say hello before it claims", claim.worker));
        }
        match &job.phase {
            Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. } => {
                if claim.attempt != job.next_attempt() {
                    return refused(format!("attempt {} of {} is over", claim.attempt, job.id));
                }
                if self.is_stale(job, claim) {
                    let (attempt, id, place) = (claim.attempt, &job.id, &job.placement);
                    return refused(format!("attempt {attempt} of {id} is offered to {place} by now"));
                }
                if self.drains(&claim.worker) {
                    return self.turn_away(job, claim);
                }
                self.grant(job, claim)
            }
            Phase::Running(lease) => {
                let is_offer = claim.attempt == lease.offered;
                let holds = lease.worker == claim.worker && lease.incarnation == claim.incarnation;
                if holds && !lease.confirmed && (is_offer || claim.attempt == job.granted) {
                    return ClaimAnswer::Granted(self.grant_again(job, lease.clone()));
                }
                if is_offer && claim.redelivered && !lease.confirmed && !self.drains(&claim.worker) {
                    return self.supersede(job, claim);
                }
                refused(format!("attempt {} of {} runs on {}", job.granted, job.id, lease.worker))
            }
            Phase::Paused { .. } | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
                not_to_run(job)
            }
        }
    }

    /// Whether the claim comes from where the attempt was not claimed in time.
    fn is_stale(&self, job: &Job, claim: &Claim) -> bool {
        let claims_from = self.workers.get(&claim.worker).map(|worker| worker.queue().placement);
        matches!(job.phase, Phase::Offered { .. })
            && claims_from.is_some_and(|place| place != job.placement && job.unclaimed.contains(&place))
    }

    /// Refuses a worker that drains; the attempt is offered again where there is somebody to take it.
    fn turn_away(&mut self, job: &mut Job, claim: &Claim) -> ClaimAnswer {
        if matches!(job.phase, Phase::Offered { .. }) {
            self.enter(job, Phase::Queued);
        }
        let why = format!("{} drains and takes nothing new; the attempt is offered again", claim.worker);
        ClaimAnswer::Refused { why, draining: true }
    }

    /// Grants the next attempt, if no limit speaks against another one and the job has something left to spend.
    fn grant(&mut self, job: &mut Job, claim: &Claim) -> ClaimAnswer {
        if job.left(self.now).is_spent() {
            self.run_dry(job, None);
            return not_to_run(job);
        }
        if let Some(limit) = self.limit(job) {
            let answer = refused(format!("{limit}; the attempt is offered again"));
            if job.phase != Phase::Queued {
                self.enter(job, Phase::Queued);
            }
            return answer;
        }
        self.lease(job, claim)
    }

    /// Ends an attempt whose worker died before it was heard, and grants the next one to who got its offer.
    fn supersede(&mut self, job: &mut Job, claim: &Claim) -> ClaimAnswer {
        let Phase::Running(lease) = &job.phase else {
            return refused("there is nothing to supersede".into());
        };
        let why = format!("{} took the attempt and was not heard before its offer came back", lease.worker);
        let heard_at = lease.heard_at;
        match self.conclude(job, Failure::new(FailureClass::Lost, why), heard_at) {
            Some(_) => {
                self.note_retry(job, Duration::ZERO);
                self.lease(job, claim)
            }
            None => not_to_run(job),
        }
    }

    fn lease(&mut self, job: &mut Job, claim: &Claim) -> ClaimAnswer {
        let now = self.now;
        let placement = self.workers.get(&claim.worker).map(|worker| worker.queue().placement);
        let placement = placement.unwrap_or_else(|| job.placement.clone());
        let limit = match self.next_allowance(job, &placement) {
            Ok(limit) => limit,
            Err(shortage) => {
                let answer = refused(format!("{} is not paid for: {}", job.id, self.lacks(job, &shortage)));
                // One that lies elsewhere was put where it can be paid for.
                if !matches!(job.phase, Phase::Offered { .. }) || job.placement == placement {
                    self.go_without(job, &shortage);
                }
                return answer;
            }
        };
        self.place(job, placement);
        job.settle_losses(now, self.rules.lease.to_duration() + self.rules.grace.to_duration());
        let lease = Lease {
            worker: claim.worker.clone(),
            incarnation: claim.incarnation,
            offered: claim.attempt,
            granted_at: now,
            heard_at: now,
            confirmed: false,
            run_limit: limit.time.into(),
            limit_cause: limit.cause,
            limited_by: limit.purse,
            warned: false,
            stop_at: None,
            stop_for: None,
        };
        self.enter(job, Phase::Running(lease.clone()));
        job.begin_attempt(AttemptView {
            attempt: job.next_attempt(),
            worker: claim.worker.clone(),
            gpu: job.placement.gpu.clone(),
            tier: job.placement.tier,
            leased_at: now,
            ended_at: None,
            resumed_from_step: None,
            progress: Progress::default(),
            failure: None,
            stopped: None,
            charged_to: None,
            backoff: None,
            usd: 0.0,
        });
        self.tell(JobEvent::Leased(JobLeased {
            job_id: job.id.clone(),
            attempt: job.granted,
            worker: claim.worker.clone(),
            gpu: job.placement.gpu.clone(),
            tier: job.placement.tier,
            at: now,
        }));
        ClaimAnswer::Granted(self.granted(job, &lease))
    }

    /// Repeats a grant whose answer was lost: the attempt begins, and costs, from now on. Who was heard to run has the
    /// answer, and what it asks about is a double of its offer.
    fn grant_again(&mut self, job: &mut Job, lease: Lease) -> Grant {
        let now = self.now;
        job.begin_later(now);
        let over = |shortage: Shortage| Allowance {
            time: Duration::ZERO,
            cause: StopCause::Budget,
            purse: Some(shortage.purse),
        };
        let limit = self.next_allowance(job, &job.placement).unwrap_or_else(over);
        let lease = Lease {
            granted_at: now,
            heard_at: now,
            run_limit: limit.time.into(),
            limit_cause: limit.cause,
            limited_by: limit.purse,
            ..lease
        };
        self.enter(job, Phase::Running(lease.clone()));
        self.granted(job, &lease)
    }

    /// What a holder needs to know.
    fn granted(&self, job: &Job, lease: &Lease) -> Grant {
        Grant {
            job_id: job.id.clone(),
            attempt: job.granted,
            workload: job.submission.workload.clone(),
            profile: job.submission.profile.clone(),
            params: job.submission.params.clone(),
            labels: job.submission.labels.clone(),
            fresh_after: job.fresh_after,
            run_limit: lease.run_limit,
            run_limit_cause: lease.limit_cause,
            grace: self.rules.grace,
            checkpoint_interval: self.rules.checkpoint_interval,
            hang_limit: self.rules.hang_limit,
            usd_per_hour: job.terms.usd_per_hour(&job.placement),
            micro_batches: job.micro_batches_on(&job.placement.gpu),
        }
    }
}

/// The answer for a job that has ended, or is paused.
fn not_to_run(job: &Job) -> ClaimAnswer {
    match job.state() {
        end if end.is_end() => refused(format!("{} has ended: {end}", job.id)),
        state => refused(format!("{} is {state}", job.id)),
    }
}

fn refused(why: String) -> ClaimAnswer {
    ClaimAnswer::Refused { why, draining: false }
}
