//! What a sweep does by itself: it launches trials, ends those that fall behind, and stops when its money is spent.

use contract::{Failure, FailureClass, JobId, StopCause, SweepId, events::AttemptMetrics};
use policy::sweep::Race;

use super::{
    TrialOf,
    record::{Halt, Sweep, Trial},
};
use crate::core::{
    Command, Core,
    desk::Desk,
    job::{Job, Phase},
};

impl Core {
    /// Launches the trials that there is room for, and has the sweeps saved that have changed.
    pub(in crate::core) fn tend_sweeps(&mut self) {
        while let Some(sweep_id) = self.desk.sweeps.ripe.pop_first() {
            while self.launch_next(&sweep_id) {}
        }
        let changed = self.desk.sweeps.take_changed();
        self.desk.commands.extend(changed.into_iter().map(Command::SaveSweep));
    }

    /// Launches one trial; whether there may be room for another.
    fn launch_next(&mut self, sweep_id: &SweepId) -> bool {
        let Some(sweep) = self.desk.sweeps.get(sweep_id) else { return false };
        let has_room = sweep.live() < sweep.submission.concurrency && sweep.launched() < sweep.count;
        if sweep.halt.is_some() || !has_room || self.halt_when_spent(sweep_id) {
            return false;
        }
        let Some(sweep) = self.desk.sweeps.change(sweep_id) else { return false };
        let number = sweep.launched() + 1;
        let (asked, traceparent) = (sweep.job(number), sweep.traceparent.clone());
        let job_id = sweep.id.trial(number);
        let launched = match self.desk.rules.terms(&asked) {
            Err(refused) => Err(refused.message),
            Ok(_) if self.jobs.contains_key(&job_id) => Err("a job of this name exists already".into()),
            Ok(terms) => Ok(terms),
        };
        let Some(sweep) = self.desk.sweeps.change(sweep_id) else { return false };
        match launched {
            Ok(terms) => {
                sweep.trials.push(Trial::default());
                let trial = Some(TrialOf { sweep: sweep_id.clone(), number });
                self.take_in(job_id, (asked, None), terms, traceparent, trial);
                true
            }
            Err(problem) => {
                let why = format!("trial {number} cannot be launched: {problem}");
                sweep.halt = Some(Halt::Stopped { why });
                false
            }
        }
    }

    /// Takes a trial's figures in, and ends it where others do better.
    pub(in crate::core) fn compare(&mut self, report: &AttemptMetrics) {
        let Some(job) = self.jobs.get_mut(&report.job_id) else { return };
        let Some(TrialOf { sweep, number }) = job.trial.clone() else { return };
        let is_ours = (1..=job.granted).contains(&report.attempt);
        let sweeps = &mut self.desk.sweeps;
        if !is_ours || !sweeps.get(&sweep).is_some_and(|sweep| sweep.cares_for(report)) {
            return;
        }
        let Some(sweep) = sweeps.change(&sweep) else { return };
        if sweep.enter_report(number, report) == Race::Stop {
            self.desk.stop(job, StopCause::EarlyStopped);
        }
    }

    /// What all trials of a sweep have cost.
    pub(super) fn spent_by(&self, sweep: &Sweep) -> f64 {
        let trials = (1..).zip(&sweep.trials);
        trials.map(|(number, trial)| self.spent_by_trial(sweep, number, trial)).sum()
    }

    pub(super) fn spent_by_trial(&self, sweep: &Sweep, number: u32, trial: &Trial) -> f64 {
        match trial.end {
            Some(_) => trial.usd,
            None => self.jobs.get(&sweep.id.trial(number)).map_or(0.0, |job| job.spent(self.desk.now)),
        }
    }

    /// Stops the sweeps that have spent what they may, and their trials with them.
    pub(in crate::core) fn meter_sweeps(&mut self) {
        let metered =
            self.desk.sweeps.by_id.values().filter(|sweep| sweep.max_usd.is_some() && 0 < sweep.live());
        let metered: Vec<SweepId> = metered.map(|sweep| sweep.id.clone()).collect();
        for sweep_id in metered {
            self.halt_when_spent(&sweep_id);
        }
    }

    fn halt_when_spent(&mut self, sweep_id: &SweepId) -> bool {
        let Some(sweep) = self.desk.sweeps.get(sweep_id) else { return false };
        let Some(max_usd) = sweep.max_usd else { return false };
        if self.spent_by(sweep) < max_usd {
            return false;
        }
        self.halt_for_money(sweep_id)
    }

    /// Stops a sweep that has nothing left to spend, or less than its next attempt costs.
    pub(in crate::core) fn halt_for_money(&mut self, sweep_id: &SweepId) -> bool {
        let Some(sweep) = self.desk.sweeps.get(sweep_id) else { return false };
        let Some(max_usd) = sweep.max_usd.filter(|_| !matches!(sweep.halt, Some(Halt::Cancelled))) else {
            return false;
        };
        let left = max_usd - self.spent_by(sweep);
        let why = match 0.0 < left {
            true => format!(
                "{left:.4} of the sweep's {max_usd} USD are left, which pay for no further attempt; resume it with a larger \
                 max_usd"
            ),
            false => format!("the sweep's {max_usd} USD are spent; resume it with a larger max_usd"),
        };
        let live: Vec<JobId> =
            sweep.live_numbers().into_iter().map(|number| sweep.id.trial(number)).collect();
        if sweep.halt.is_none()
            && let Some(sweep) = self.desk.sweeps.change(sweep_id)
        {
            sweep.halt = Some(Halt::Stopped { why: why.clone() });
            sweep.trials.iter_mut().filter(|trial| trial.end.is_none()).for_each(|trial| trial.halted = true);
        }
        for job_id in live {
            if let Some(job) = self.jobs.get_mut(&job_id) {
                self.desk.stop_for_money(job, &why);
            }
        }
        true
    }
}

impl Desk {
    /// Ends a job because its sweep has nothing left to spend: at once where it waits, after a checkpoint where it
    /// runs. Nothing changes when that is so already.
    fn stop_for_money(&mut self, job: &mut Job, why: &str) {
        let failure = Failure::new(FailureClass::Budget, why);
        match &job.phase {
            Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. } | Phase::Paused { .. } => {
                let exhausted = Some(FailureClass::Budget);
                self.finish(job, Phase::Dead { at: self.now, failure, exhausted });
            }
            Phase::Running(lease) => {
                let mut lease = lease.clone();
                let ran = self.now.since(lease.granted_at);
                if ran < lease.run_limit.to_duration() {
                    (lease.run_limit, lease.limit_cause) = (ran.into(), StopCause::Budget);
                    lease.limited_by = None;
                    self.enter(job, Phase::Running(lease));
                }
            }
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {}
        }
    }
}
