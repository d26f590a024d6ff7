//! Starting jobs again that ended without success, as they were or otherwise.

use contract::{
    MAX_SUBMISSION_BYTES, Refusal, Refused, Seconds, SubmitJob, TotalLimits,
    control::{JobEdits, RedriveJob},
    params,
};
use policy::Charged;

use super::{
    Answer, Command, Core,
    admit::{first, queued},
    control::unknown,
    job::{Job, Phase},
};

impl Core {
    /// Starts a job again: fresh budgets, attempts that go on counting, and the same checkpoints unless it is to begin
    /// afresh. Or says only what would come of it.
    pub(super) fn redrive(&mut self, redrive: &RedriveJob) {
        if redrive.dry_run {
            let answer = match self.redriven(redrive) {
                Ok(job) => {
                    let queued = Job { phase: Phase::Queued, since: self.desk.now, ..job };
                    Answer::Job(Box::new(self.shown(&queued)))
                }
                Err(refused) => Answer::Refused(refused),
            };
            self.desk.commands.push(Command::Answer(answer));
            return;
        }
        let restarted = self.restart(redrive);
        self.answer_with_job(restarted, &redrive.job_id);
    }

    /// Puts a job among those that wait again.
    pub(super) fn restart(&mut self, redrive: &RedriveJob) -> Result<(), Refused> {
        let mut job = self.redriven(redrive)?;
        self.desk.enter(&mut job, Phase::Queued);
        let mut event = queued(&job, self.desk.now);
        (event.edits, event.fresh) = (redrive.edits.clone(), redrive.fresh);
        self.desk.tell(super::JobEvent::Queued(event));
        self.jobs.insert(job.id.clone(), job);
        Ok(())
    }

    /// A job as it would be redriven, in the state that it ended in.
    fn redriven(&self, redrive: &RedriveJob) -> Result<Job, Refused> {
        let now = self.desk.now;
        let Some(ended) = self.jobs.get(&redrive.job_id) else { return Err(unknown(&redrive.job_id)) };
        if !matches!(ended.phase, Phase::Dead { .. } | Phase::Cancelled { .. }) {
            let (id, state) = (&ended.id, ended.state());
            let message = format!("job {id} is {state}; only a dead or cancelled one can be redriven");
            return Err(Refused::new(Refusal::Conflict, message));
        }
        let submission = redrive.edits.applied_to(&ended.submission);
        let mut terms = self.desk.rules.terms(&submission)?;
        terms.total = raised(ended.terms.total, redrive.total)?;
        let mut job = ended.clone();
        if redrive.fresh {
            job.fresh_after = job.granted;
        } else {
            refuse_another_run(ended, &submission)?;
        }
        if !redrive.edits.is_empty() {
            job.submitted.get_or_insert_with(|| Box::new(ended.submission.clone()));
            job.edits = job.edits.then(&redrive.edits);
            refuse_too_much(&job.edits)?;
        }
        (job.submission, job.terms) = (submission, terms);
        let shortage = self.desk.least_shortage(&job);
        if job.left(now).is_spent() || shortage.is_some() {
            let message = match shortage {
                Some(shortage) if 0.0 < shortage.left => self.desk.lacks(&job, &shortage),
                _ => spent(&job),
            };
            return Err(Refused::new(Refusal::Limit, message));
        }
        job.charged = Charged::default();
        job.outgrown_mib = None;
        job.diverged_from_step = None;
        job.placement = first(&job.terms);
        Ok(job)
    }
}

/// Refuses edits that make another run of a job that has checkpoints: its trainer would not go on from them.
fn refuse_another_run(job: &Job, edited: &SubmitJob) -> Result<(), Refused> {
    let Some(step) = job.checkpoint_step() else { return Ok(()) };
    // What an older release took and this one cannot read is the trainer's to judge.
    let differences = params::differences(&edited.workload, &job.submission.params, &edited.params);
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!(
        "job {} cannot go on from its checkpoint of step {step} with these edits: {}; redrive it fresh, and it begins \
         again at step 0",
        job.id,
        differences.join("; ")
    );
    Err(Refused::new(Refusal::Conflict, message))
}

/// Refuses more edits than a job's view has room for.
fn refuse_too_much(edits: &JobEdits) -> Result<(), Refused> {
    let bytes = edits.to_string().len();
    if bytes <= MAX_SUBMISSION_BYTES {
        return Ok(());
    }
    let message = format!(
        "edits, earlier ones included, come to {bytes} bytes; at most {MAX_SUBMISSION_BYTES} are taken"
    );
    Err(Refused::new(Refusal::Invalid, message))
}

/// The limits after a redrive: new ones where they are given.
fn raised(before: TotalLimits, new: TotalLimits) -> Result<TotalLimits, Refused> {
    if new.usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
        let message = "total.usd is not an amount of money; write a number of dollars, 0 or more";
        return Err(Refused::new(Refusal::Invalid, message));
    }
    Ok(TotalLimits { time: new.time.or(before.time), usd: new.usd.or(before.usd) })
}

/// What a job has spent, beside what it may.
fn spent(job: &Job) -> String {
    let ledger = job.ledger_view(job.since);
    let time = Seconds::from(
        ledger.queued.to_duration() + ledger.backing_off.to_duration() + ledger.running.to_duration(),
    );
    let limit = match (job.terms.total.time, job.terms.total.usd) {
        (Some(time), Some(usd)) => format!("{time} and {usd} USD"),
        (Some(time), None) => time.to_string(),
        (None, Some(usd)) => format!("{usd} USD"),
        (None, None) => "nothing".into(),
    };
    format!(
        "job {} has used {time} and {:.4} USD, and its total limit is {limit}; redrive it with a larger one",
        job.id, ledger.usd
    )
}
