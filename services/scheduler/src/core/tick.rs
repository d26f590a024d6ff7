//! What time alone brings about.

use std::time::Duration;

use contract::{Failure, FailureClass, JobId, StopCause, Timestamp};

use super::{
    Command, Core, Reach,
    desk::Desk,
    job::{Job, Lease, Phase},
};

/// How often progress that heartbeats told is saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);

impl Core {
    /// Looks at the jobs whose time has come.
    pub(super) fn tick(&mut self, reach: Reach) {
        let desk = &mut self.desk;
        let lease = desk.rules.lease.to_duration();
        // Nobody could be heard without a broker, nor while this process was stopped.
        let was_away = lease / 2 < desk.now.since(desk.ticked_at);
        if reach == Reach::Offline || was_away {
            desk.quiet_until = desk.now.plus(lease);
        }
        desk.ticked_at = desk.now;
        desk.count_slots();
        let may_expire = reach == Reach::CaughtUp && desk.quiet_until <= desk.now;
        if may_expire {
            let forgotten = desk.workers.forget_silent(desk.now);
            desk.commands.extend(forgotten.into_iter().map(Command::ForgetWorker));
        }
        for job_id in desk.index.timers.take_due(desk.now) {
            if let Some(job) = self.jobs.get_mut(&job_id) {
                desk.look_at(job, may_expire);
            }
        }
        self.meter_sweeps();
        self.fund();
        self.save_progress();
    }

    fn save_progress(&mut self) {
        if SAVE_INTERVAL <= self.desk.now.since(self.desk.saved_at) {
            self.desk.saved_at = self.desk.now;
            let unsaved: Vec<JobId> = std::mem::take(&mut self.desk.unsaved).into_iter().collect();
            self.desk.commands.extend(unsaved.into_iter().map(Command::SaveJob));
        }
    }
}

impl Desk {
    fn look_at(&mut self, job: &mut Job, may_expire: bool) {
        match job.phase.clone() {
            Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. }
                if job.left(self.now).is_spent() =>
            {
                self.run_dry(job, None);
            }
            Phase::Queued => self.look_again(job, None),
            Phase::BackingOff { due, .. } if self.now < due => self.look_again(job, Some(due)),
            // A retry that is due has its turn like any other where the limits are reached meanwhile.
            Phase::BackingOff { published: true, .. } if self.limit(job).is_none() => {
                match self.next_allowance(job, &job.placement) {
                    Ok(allowance) => {
                        job.unclaimed.clear();
                        job.offered_since = self.now;
                        job.planned = allowance.time.into();
                        self.enter(job, Phase::Offered { at: self.now });
                    }
                    Err(shortage) => self.go_without(job, &shortage),
                }
            }
            Phase::BackingOff { .. } => self.enter(job, Phase::Queued),
            Phase::Offered { at } => self.look_at_offer(job, at),
            Phase::Running(lease) if may_expire => self.look_at_lease(job, &lease),
            Phase::Running(_) => self.look_again(job, Some(self.quiet_until)),
            Phase::Paused { .. } | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
            }
        }
    }

    fn look_at_lease(&mut self, job: &mut Job, lease: &Lease) {
        let runs_out_at = lease.heard_at.plus(self.rules.lease.to_duration());
        if runs_out_at <= self.now {
            let message = format!("{} was not heard for {}", lease.worker, self.rules.lease);
            self.fail(job, Failure::new(FailureClass::Lost, message), lease.heard_at);
        } else if let Some((cause, since)) = lease.stop(self.now)
            && since.plus(self.patience()) <= self.now
        {
            let patience = contract::Seconds::from(self.patience());
            let message = format!("{} was told to stop and had not after {patience}", lease.worker);
            let class = match cause {
                StopCause::Budget => FailureClass::Budget,
                StopCause::Preempted => FailureClass::Preempted,
                _ => FailureClass::Timeout,
            };
            self.fail(job, Failure::new(class, message), self.now);
        } else {
            self.look_again(job, Some(runs_out_at.min(lease.gone_by(self.patience()))));
        }
    }

    /// Sets the job's timer, at the latest when its total time is over.
    pub(super) fn look_again(&mut self, job: &Job, at: Option<Timestamp>) {
        let total_over = match job.phase {
            Phase::Running(_) => None,
            _ => job.left(self.now).time.map(|left| self.now.plus(left)),
        };
        if let Some(at) = at.into_iter().chain(total_over).min() {
            self.index.timers.arm(&job.id, at.max(self.now.plus(Duration::from_millis(1))));
        }
    }
}
