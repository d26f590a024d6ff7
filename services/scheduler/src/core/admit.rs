//! Taking jobs in.

use std::collections::BTreeMap;

use contract::{
    Estimate, JobAccepted, JobId, Refusal, Refused, SubmitJob, control::JobEdits, events::JobQueued, params,
};
use policy::{Charged, Placement, Terms, estimate, placements, profile_params, resolve};

use super::{
    Answer, Command, Core, JobEvent, Rules, Submission,
    bill::Bill,
    job::{Job, Phase},
    ledger::Ledger,
    sweeps::TrialOf,
};

impl Core {
    /// Takes a job, once: a repeated submission is answered with where the job stands.
    pub(super) fn submit(&mut self, submission: Submission) {
        let answer = match self.admit(submission) {
            Ok(accepted) => Answer::Accepted(Box::new(accepted)),
            Err(refused) => Answer::Refused(refused),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    fn admit(&mut self, submission: Submission) -> Result<JobAccepted, Refused> {
        let job_id = name(&submission)?;
        let asked = SubmitJob { job_id: Some(job_id.clone()), ..submission.job };
        if let Some(job) = self.jobs.get(&job_id) {
            return match difference(job.submitted.as_deref().unwrap_or(&job.submission), &asked) {
                None => Ok(self.accepted(job, true)),
                Some(fields) => {
                    Err(Refused::new(Refusal::Conflict, format!("job {job_id} exists with another {fields}")))
                }
            };
        }
        if self.removed.contains(&job_id) {
            let message = format!("job {job_id} has been removed; a new job needs a name of its own");
            return Err(Refused::new(Refusal::Conflict, message));
        }
        if let Some(sweep) = self.desk.sweeps.owner_of(&job_id) {
            let message =
                format!("{job_id} is the name of a trial of sweep {}; choose another one", sweep.id);
            return Err(Refused::new(Refusal::Conflict, message));
        }
        let whole = self.desk.rules.filled_in(&asked);
        let terms = self.desk.rules.terms(&whole)?;
        let asked = (asked != whole).then(|| Box::new(asked));
        Ok(self.take_in(job_id, (whole, asked), terms, submission.traceparent, None))
    }

    /// Takes in a job that nothing speaks against, with what was asked for where more was filled in.
    pub(super) fn take_in(
        &mut self,
        job_id: JobId,
        (submission, submitted): (SubmitJob, Option<Box<SubmitJob>>),
        terms: Terms,
        traceparent: Option<String>,
        trial: Option<TrialOf>,
    ) -> JobAccepted {
        let now = self.desk.now;
        let placement = first(&terms);
        let job = Job {
            id: job_id.clone(),
            submission,
            submitted,
            edits: JobEdits::default(),
            fresh_after: 0,
            terms,
            traceparent,
            submitted_at: now,
            arrival: self.desk.arrivals,
            phase: Phase::Queued,
            since: now,
            placement,
            granted: 0,
            attempts: Vec::new(),
            ledger: Ledger::default(),
            bill: Bill::default(),
            charged: Charged::default(),
            outgrown_mib: None,
            diverged_from_step: None,
            micro_batches: BTreeMap::new(),
            unclaimed: Vec::new(),
            offered_since: now,
            planned: contract::Seconds::default(),
            lost: Vec::new(),
            considered: Vec::new(),
            trial,
        };
        self.desk.arrivals += 1;
        let accepted = self.accepted(&job, false);
        self.desk.index.insert(&job, &self.desk.rules);
        self.desk.save(&job);
        self.desk.tell(JobEvent::Queued(queued(&job, now)));
        self.jobs.insert(job_id, job);
        accepted
    }

    fn accepted(&self, job: &Job, duplicate: bool) -> JobAccepted {
        let choice = self.desk.choose(job);
        let past = self.desk.past.of_kind(&job.submission, &choice.placement.gpu);
        let mut estimate = estimate(&job.terms, &choice, &past);
        if !job.state().is_end() {
            let (owner, worst) = (&job.submission.owner, estimate.worst_usd);
            estimate.warnings.extend(self.desk.owner_is_short(owner, &job.terms, worst, Some(&job.id)));
        }
        JobAccepted { job_id: job.id.clone(), state: job.state(), duplicate, estimate }
    }

    /// Answers what a submission would come to.
    pub(super) fn estimate(&mut self, submission: &SubmitJob) {
        let answer = match self.prospect(submission) {
            Ok(estimate) => Answer::Estimate(Box::new(estimate)),
            Err(refused) => Answer::Refused(refused),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    fn prospect(&self, submission: &SubmitJob) -> Result<Estimate, Refused> {
        let submission = self.desk.rules.filled_in(submission);
        let terms = self.desk.rules.terms(&submission)?;
        let choice = self.desk.choose_under(&submission.workload, &terms, None);
        let past = self.desk.past.of_kind(&submission, &choice.placement.gpu);
        let mut estimate = estimate(&terms, &choice, &past);
        let (owner, worst) = (&submission.owner, estimate.worst_usd);
        estimate.warnings.extend(self.desk.owner_is_short(owner, &terms, worst, None));
        Ok(estimate)
    }
}

impl Rules {
    /// A submission with the parameters of its profile. What a job was taken in with stays, whatever the profile has later.
    fn filled_in(&self, submission: &SubmitJob) -> SubmitJob {
        submission.clone().with_default_params(profile_params(submission, &self.workloads))
    }

    /// What a submission would run under.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub(super) fn terms(&self, submission: &SubmitJob) -> Result<Terms, Refused> {
        let invalid = |message: String| Refused::new(Refusal::Invalid, message);
        submission.validate().map_err(|error| invalid(error.to_string()))?;
        let terms =
            resolve(submission, &self.workloads, &self.prices).map_err(|error| invalid(error.to_string()))?;
        params::check(&submission.workload, &submission.params)
            .map_err(|error| invalid(error.to_string()))?;
        self.refuse_what_no_month_pays_for(&submission.owner, &terms)?;
        Ok(terms)
    }
}

pub(super) fn queued(job: &Job, now: contract::Timestamp) -> JobQueued {
    JobQueued {
        job_id: job.id.clone(),
        workload: job.submission.workload.clone(),
        owner: job.submission.owner.clone(),
        edits: JobEdits::default(),
        fresh: false,
        at: now,
    }
}

/// Where a job runs if nothing speaks against it.
pub(super) fn first(terms: &Terms) -> Placement {
    placements(terms, None).swap_remove(0)
}

fn name(submission: &Submission) -> Result<JobId, Refused> {
    if let Some(job_id) = &submission.job.job_id {
        return Ok(job_id.clone());
    }
    let Some(message_id) = &submission.message_id else {
        let message = "the job has no name; set job_id, or the AMQP property message_id, so that publishing it again \
                       is not another job";
        return Err(Refused::new(Refusal::Invalid, message));
    };
    JobId::new(message_id.clone())
        .map_err(|error| Refused::new(Refusal::Invalid, format!("message_id names the job, and its {error}")))
}

/// The fields in which two submissions under one name differ.
fn difference(before: &SubmitJob, now: &SubmitJob) -> Option<String> {
    let fields = [
        ("workload", before.workload == now.workload),
        ("profile", before.profile == now.profile),
        ("params", before.params == now.params),
        ("resources", before.resources == now.resources),
        ("timeout", before.timeout == now.timeout),
        ("total", before.total == now.total),
        ("retry", before.retry == now.retry),
        ("priority", before.priority == now.priority),
        ("owner", before.owner == now.owner),
        ("labels", before.labels == now.labels),
    ];
    let differing: Vec<&str> = fields.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    (!differing.is_empty()).then(|| differing.join(", "))
}
