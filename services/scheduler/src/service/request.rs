//! From bytes to what the core understands.

use broker::Delivery;
use contract::{
    DecodeError, Message, SubmitJob, SubmitSweep,
    control::{
        CancelJob, DrainWorker, EstimateJob, GetCost, GetHistory, GetJob, ListJobs, ListOwners, ListWorkers,
        PauseJob, RedriveJob, RemoveJob, ResumeJob,
    },
    events::{
        AttemptCheckpointed, AttemptEnded, AttemptMetrics, AttemptNote, AttemptProgress, AttemptStarted,
    },
    kind_of,
    lease::{Claim, Goodbye, Heartbeat, Hello},
    sweep::{CancelSweep, GetSweep, ListSweeps, ResumeSweep},
};

use super::queries::Query;
use crate::core::{Event, Submission};

/// What a message says.
pub(super) enum Said {
    /// Something for the core.
    Event(Event),
    /// A question that the database answers.
    Query(Query),
    /// Nothing that matters here.
    Nothing,
}

/// Reads a submission.
pub(super) fn submission(delivery: &Delivery) -> Result<Said, DecodeError> {
    if kind_of(&delivery.body)? == SubmitSweep::KIND {
        let sweep = Box::new(delivery.decode()?);
        return Ok(Said::Event(Event::SubmitSweep(sweep, delivery.traceparent.clone())));
    }
    let job: SubmitJob = delivery.decode()?;
    let submission = Submission {
        job,
        message_id: delivery.message_id.clone(),
        traceparent: delivery.traceparent.clone(),
    };
    Ok(Said::Event(Event::Submit(Box::new(submission))))
}

/// Reads what a trainer reports.
pub(super) fn report(delivery: &Delivery) -> Result<Said, DecodeError> {
    let kind = kind_of(&delivery.body)?;
    let event = match kind.as_str() {
        AttemptStarted::KIND => Event::Started(delivery.decode()?),
        AttemptEnded::KIND => Event::Ended(Box::new(delivery.decode()?)),
        AttemptMetrics::KIND => Event::Metrics(delivery.decode()?),
        AttemptNote::KIND => Event::Note(delivery.decode()?),
        AttemptCheckpointed::KIND => Event::Checkpointed(delivery.decode()?),
        // Progress comes with heartbeats.
        AttemptProgress::KIND => return Ok(Said::Nothing),
        _ => return Err(DecodeError::WrongKind { found: kind, expected: "report of an attempt" }),
    };
    Ok(Said::Event(event))
}

/// Reads a request.
pub(super) fn request(delivery: &Delivery) -> Result<Said, DecodeError> {
    let kind = kind_of(&delivery.body)?;
    let event = match kind.as_str() {
        Heartbeat::KIND => Event::Heartbeat(delivery.decode()?),
        Claim::KIND => Event::Claim(delivery.decode()?),
        Hello::KIND => Event::Hello(Box::new(delivery.decode()?)),
        Goodbye::KIND => Event::Goodbye(delivery.decode()?),
        GetJob::KIND => Event::Get(delivery.decode::<GetJob>()?.job_id),
        CancelJob::KIND => Event::Cancel(delivery.decode::<CancelJob>()?.job_id),
        PauseJob::KIND => Event::Pause(delivery.decode::<PauseJob>()?.job_id),
        ResumeJob::KIND => Event::Resume(delivery.decode::<ResumeJob>()?.job_id),
        RedriveJob::KIND => Event::Redrive(Box::new(delivery.decode()?)),
        RemoveJob::KIND => Event::Remove(delivery.decode::<RemoveJob>()?.job_id),
        EstimateJob::KIND => Event::Estimate(Box::new(delivery.decode::<EstimateJob>()?.submission)),
        DrainWorker::KIND => Event::Drain(delivery.decode()?),
        ListWorkers::KIND => Event::ListWorkers,
        ListOwners::KIND => Event::ListOwners,
        GetSweep::KIND => Event::GetSweep(delivery.decode()?),
        CancelSweep::KIND => Event::CancelSweep(delivery.decode::<CancelSweep>()?.sweep_id),
        ResumeSweep::KIND => Event::ResumeSweep(delivery.decode()?),
        ListSweeps::KIND => return Ok(Said::Query(Query::Sweeps(delivery.decode()?))),
        GetCost::KIND => return Ok(Said::Query(Query::Cost(delivery.decode()?))),
        ListJobs::KIND => return Ok(Said::Query(Query::List(delivery.decode()?))),
        GetHistory::KIND => return Ok(Said::Query(Query::History(delivery.decode()?))),
        _ => return Err(DecodeError::WrongKind { found: kind, expected: "request to the scheduler" }),
    };
    Ok(Said::Event(event))
}
