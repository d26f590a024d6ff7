//! What people ask of sweeps.

use contract::{
    JobId, Refusal, Refused, StopCause, SubmitSweep, SweepId,
    control::RedriveJob,
    sweep::{ResumeSweep, SweepState},
};
use policy::{profile_params, sweep::count};

use super::record::{Halt, Sweep};
use crate::core::{Answer, Command, Core};

impl Core {
    /// Takes a sweep, once: a repeated submission is answered with where the sweep stands.
    pub(in crate::core) fn submit_sweep(&mut self, submission: SubmitSweep, traceparent: Option<String>) {
        let sweep_id = submission.sweep_id.clone();
        let admitted = self.admit_sweep(submission, traceparent);
        self.answer_sweep(admitted, &sweep_id);
    }

    fn admit_sweep(&mut self, submission: SubmitSweep, traceparent: Option<String>) -> Result<(), Refused> {
        let id = submission.sweep_id.clone();
        if let Some(sweep) = self.desk.sweeps.get(&id) {
            let message = format!("sweep {id} exists and is another one; choose another sweep_id");
            let is_same = sweep.submission == submission;
            return if is_same { Ok(()) } else { Err(Refused::new(Refusal::Conflict, message)) };
        }
        let invalid = |message: String| Refused::new(Refusal::Invalid, message);
        submission.validate().map_err(|error| invalid(error.to_string()))?;
        let count = count(&submission.search).map_err(|error| invalid(error.to_string()))?;
        let sweep = Sweep {
            id,
            traceparent,
            submitted_at: self.desk.now,
            count,
            max_usd: submission.max_usd,
            profile_params: profile_params(&submission.job, &self.desk.rules.workloads),
            submission,
            trials: Vec::new(),
            deaths: std::collections::BTreeMap::new(),
            halt: None,
        };
        for number in 1..=count {
            let refused = |refused: Refused| {
                Refused::new(refused.reason, format!("trial {number}: {}", refused.message))
            };
            self.desk.rules.terms(&sweep.job(number)).map_err(refused)?;
        }
        self.refuse_taken_names(&sweep)?;
        let id = sweep.id.clone();
        self.desk.sweeps.insert(sweep);
        self.desk.sweeps.change(&id);
        Ok(())
    }

    /// Trials that are yet to be launched must not find that somebody else has a job of their name.
    fn refuse_taken_names(&self, sweep: &Sweep) -> Result<(), Refused> {
        let mut names = (sweep.launched() + 1..=sweep.count).map(|number| sweep.id.trial(number));
        match names.find(|name| self.jobs.contains_key(name) || self.removed.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "job {name} exists, or existed, and is no trial of sweep {}; choose another sweep_id",
                    sweep.id
                );
                Err(Refused::new(Refusal::Conflict, message))
            }
        }
    }

    /// Answers where a sweep stands.
    pub(in crate::core) fn get_sweep(&mut self, sweep_id: &SweepId, after: u32) {
        let answer = match self.desk.sweeps.get(sweep_id) {
            Some(sweep) => Answer::Sweep(Box::new(self.sweep_view(sweep, after))),
            None => Answer::Refused(unknown(sweep_id)),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    fn answer_sweep(&mut self, done: Result<(), Refused>, sweep_id: &SweepId) {
        match done {
            Ok(()) => {
                self.settle();
                self.get_sweep(sweep_id, 0);
            }
            Err(refused) => self.desk.commands.push(Command::Answer(Answer::Refused(refused))),
        }
    }

    /// Cancels a sweep and every trial of it that is under way. One that has ended stays as it is.
    pub(in crate::core) fn cancel_sweep(&mut self, sweep_id: &SweepId) {
        let is_over = self.desk.sweeps.get(sweep_id).is_some_and(|sweep| sweep.state().is_end());
        if !is_over && let Some(sweep) = self.desk.sweeps.change(sweep_id) {
            sweep.halt = Some(Halt::Cancelled);
            sweep.trials.iter_mut().filter(|trial| trial.end.is_none()).for_each(|trial| trial.halted = true);
            let live: Vec<JobId> =
                sweep.live_numbers().into_iter().map(|number| sweep.id.trial(number)).collect();
            for job_id in live {
                if let Some(job) = self.jobs.get_mut(&job_id) {
                    self.desk.stop(job, StopCause::Cancelled);
                }
            }
        }
        self.get_sweep(sweep_id, 0);
    }

    /// Lets a sweep go on that was cancelled or has stopped; the trials that were stopped with it are redriven.
    pub(in crate::core) fn resume_sweep(&mut self, resume: &ResumeSweep) {
        let resumed = self.restart_sweep(resume);
        self.answer_sweep(resumed, &resume.sweep_id);
    }

    fn restart_sweep(&mut self, resume: &ResumeSweep) -> Result<(), Refused> {
        let id = &resume.sweep_id;
        let Some(sweep) = self.desk.sweeps.get(id) else { return Err(unknown(id)) };
        if resume.max_usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
            let message = "max_usd is not an amount of money; write a number of dollars, 0 or more";
            return Err(Refused::new(Refusal::Invalid, message));
        }
        let conflict = |why: String| Err(Refused::new(Refusal::Conflict, why));
        match sweep.state() {
            SweepState::Cancelled | SweepState::Stopped => {}
            SweepState::Stopping => {
                return conflict(format!(
                    "sweep {id} is still stopping: {} trials have not ended yet",
                    sweep.live()
                ));
            }
            state => {
                return conflict(format!(
                    "sweep {id} is {state}; only one that was cancelled or has stopped can be resumed"
                ));
            }
        }
        let max_usd = resume.max_usd.or(sweep.max_usd);
        let spent = self.spent_by(sweep);
        if let Some(max_usd) = max_usd.filter(|max_usd| *max_usd <= spent) {
            let message =
                format!("sweep {id} has used {spent:.4} USD of {max_usd}; resume it with a larger max_usd");
            return Err(Refused::new(Refusal::Limit, message));
        }
        self.refuse_taken_names(sweep)?;
        let halted: Vec<u32> =
            (1..).zip(&sweep.trials).filter(|(_, trial)| trial.halted).map(|(number, _)| number).collect();
        if let Some(sweep) = self.desk.sweeps.change(id) {
            (sweep.halt, sweep.max_usd) = (None, max_usd);
            sweep.deaths.clear();
            sweep.trials.iter_mut().for_each(|trial| trial.halted = false);
        }
        for number in halted {
            let redrive = RedriveJob::plain(id.trial(number));
            // A trial that succeeded before it heard of the end, or has no money of its own left, stays as it is.
            let _ = self.restart(&redrive);
        }
        Ok(())
    }
}

fn unknown(sweep_id: &SweepId) -> Refused {
    Refused::new(Refusal::NotFound, format!("there is no sweep {sweep_id}"))
}
