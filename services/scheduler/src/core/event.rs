//! What the core hears and what it says.

use contract::{
    Estimate, JobAccepted, JobId, Refused, SubmitJob, SubmitSweep, SweepId, SweepView, Timestamp, WorkerId,
    Workload,
    control::{DrainWorker, JobView, OwnerList, RedriveJob, WorkerList, WorkerView},
    events::{
        AttemptCheckpointed, AttemptEnded, AttemptMetrics, AttemptNote, AttemptStarted, DeadLetter, JobEnded,
        JobLeased, JobPaused, JobQueued, JobResumed, JobRetrying, JobWarned,
    },
    lease::{Claim, ClaimAnswer, Goodbye, Heartbeat, HeartbeatAnswer, Hello, Welcome},
    sweep::{GetSweep, MAX_TRIALS, ResumeSweep},
};
use policy::Placement;

use super::job::Job;

/// Something that has happened, or that somebody asks for.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A publisher asks for a job.
    Submit(Box<Submission>),
    /// Somebody asks what a job would come to.
    Estimate(Box<SubmitJob>),
    /// Somebody asks for a job.
    Get(JobId),
    /// Somebody cancels a job.
    Cancel(JobId),
    /// Somebody pauses a job.
    Pause(JobId),
    /// Somebody lets a paused job go on.
    Resume(JobId),
    /// Somebody redrives a job that ended without success.
    Redrive(Box<RedriveJob>),
    /// Somebody removes a job that has ended.
    Remove(JobId),
    /// A worker is there.
    Hello(Box<Hello>),
    /// A worker goes.
    Goodbye(Goodbye),
    /// Somebody has a worker drain, or not any more.
    Drain(DrainWorker),
    /// Somebody asks who is there.
    ListWorkers,
    /// Somebody asks what owners have left of their money.
    ListOwners,
    /// A worker asks for the right to run an attempt.
    Claim(Claim),
    /// A worker lives, and its runs with it.
    Heartbeat(Heartbeat),
    /// An attempt starts to compute.
    Started(AttemptStarted),
    /// An attempt is over.
    Ended(Box<AttemptEnded>),
    /// Figures of an attempt.
    Metrics(AttemptMetrics),
    /// A line about an attempt.
    Note(AttemptNote),
    /// An attempt has a new checkpoint.
    Checkpointed(AttemptCheckpointed),
    /// A publisher asks for a sweep; with the trace it belongs to.
    SubmitSweep(Box<SubmitSweep>, Option<String>),
    /// Somebody asks for a sweep.
    GetSweep(GetSweep),
    /// Somebody cancels a sweep.
    CancelSweep(SweepId),
    /// Somebody lets a sweep go on.
    ResumeSweep(ResumeSweep),
    /// Time has passed.
    Tick(Reach),
}

impl Event {
    /// The job whose past this event may need: if it is not in memory, it may have ended.
    pub(crate) fn job_id(&self) -> Option<JobId> {
        match self {
            Self::Submit(submission) => submission.job_id(),
            Self::Get(job_id)
            | Self::Cancel(job_id)
            | Self::Pause(job_id)
            | Self::Resume(job_id)
            | Self::Remove(job_id) => Some(job_id.clone()),
            Self::Redrive(redrive) => Some(redrive.job_id.clone()),
            Self::Claim(claim) => Some(claim.job_id.clone()),
            Self::Started(event) => Some(event.job_id.clone()),
            Self::Ended(event) => Some(event.job_id.clone()),
            Self::Metrics(event) => Some(event.job_id.clone()),
            Self::Note(event) => Some(event.job_id.clone()),
            Self::Checkpointed(event) => Some(event.job_id.clone()),
            Self::Estimate(_)
            | Self::Hello(_)
            | Self::Goodbye(_)
            | Self::Drain(_)
            | Self::ListWorkers
            | Self::ListOwners
            | Self::Heartbeat(_)
            | Self::SubmitSweep(..)
            | Self::GetSweep(_)
            | Self::CancelSweep(_)
            | Self::ResumeSweep(_)
            | Self::Tick(_) => None,
        }
    }

    /// The sweep whose past this event may need.
    pub(crate) fn sweep_id(&self) -> Option<SweepId> {
        match self {
            Self::SubmitSweep(sweep, _) => Some(sweep.sweep_id.clone()),
            Self::GetSweep(get) => Some(get.sweep_id.clone()),
            Self::CancelSweep(sweep_id) => Some(sweep_id.clone()),
            Self::ResumeSweep(resume) => Some(resume.sweep_id.clone()),
            _ => None,
        }
    }

    /// Every job that may be a trial of the sweep that this event submits or resumes.
    pub(crate) fn trials(&self) -> Vec<JobId> {
        let (sweep_id, trials) = match self {
            Self::SubmitSweep(sweep, _) => {
                (&sweep.sweep_id, policy::sweep::count(&sweep.search).unwrap_or(0))
            }
            Self::ResumeSweep(resume) => (&resume.sweep_id, MAX_TRIALS),
            _ => return Vec::new(),
        };
        (1..=trials).map(|number| sweep_id.trial(number)).collect()
    }
}

/// A submission with what came beside it.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    /// What is asked for.
    pub(crate) job: SubmitJob,
    /// The publisher's name for the message, which is the job's when it has none of its own.
    pub(crate) message_id: Option<String>,
    /// The publisher's trace.
    pub(crate) traceparent: Option<String>,
}

impl Submission {
    /// The name the job goes by, where there is a valid one.
    pub(crate) fn job_id(&self) -> Option<JobId> {
        self.job.job_id.clone().or_else(|| JobId::new(self.message_id.clone()?).ok())
    }
}

/// Whether silence means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The broker cannot be reached, or takes no messages: nobody can be heard.
    Offline,
    /// There are messages that have not been looked at yet.
    Behind,
    /// Whatever workers said has been heard.
    CaughtUp,
}

/// Something to be done.
#[derive(Debug)]
pub(crate) enum Command {
    /// Save the job as it is at the end of the batch.
    SaveJob(JobId),
    /// Forget the job and its history; what it has cost as it was at last stays.
    RemoveJob(Box<Job>),
    /// Save the sweep as it is at the end of the batch.
    SaveSweep(SweepId),
    /// Save the worker as it is at the end of the batch.
    SaveWorker(WorkerId),
    /// Remove the worker.
    ForgetWorker(WorkerId),
    /// Publish an attempt.
    Offer(Offer),
    /// Publish an event and add it to the job's history.
    Tell(JobEvent),
    /// Add a trainer's event to the job's history.
    Record {
        /// Whose history.
        job_id: JobId,
        /// When it happened.
        at: Timestamp,
        /// The event as it was published.
        event: Vec<u8>,
    },
    /// Publish a dead letter.
    Bury(Box<DeadLetter>),
    /// Answer who asked.
    Answer(Answer),
}

/// An attempt to be put before the workers of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The job.
    pub(crate) job_id: JobId,
    /// The attempt's number.
    pub(crate) attempt: u32,
    /// The kind of work.
    pub(crate) workload: Workload,
    /// On what machines.
    pub(crate) placement: Placement,
    /// Not before this.
    pub(crate) due: Timestamp,
    /// The trace of the submission.
    pub(crate) traceparent: Option<String>,
}

/// An event of a job's life.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JobEvent {
    /// It was accepted, or redriven.
    Queued(JobQueued),
    /// An attempt was granted.
    Leased(JobLeased),
    /// An attempt failed and another one will follow.
    Retrying(JobRetrying),
    /// Its owner should know something.
    Warned(JobWarned),
    /// It stands still.
    Paused(JobPaused),
    /// It goes on.
    Resumed(JobResumed),
    /// It has ended.
    Ended(Box<JobEnded>),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Accepted(Box<JobAccepted>),
    Refused(Refused),
    Estimate(Box<Estimate>),
    Job(Box<JobView>),
    Welcome(Welcome),
    Done,
    Claim(Box<ClaimAnswer>),
    Heartbeat(HeartbeatAnswer),
    Workers(WorkerList),
    Owners(OwnerList),
    Worker(Box<WorkerView>),
    Sweep(Box<SweepView>),
}
