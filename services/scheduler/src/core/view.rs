//! Jobs and workers as others see them, small enough for one message.

use contract::{
    MAX_MESSAGE_BYTES, SubmitJob, Timestamp,
    control::{AttemptView, JobSummary, JobView, WorkerList, WorkerView},
};

use super::{
    Worker,
    desk::Desk,
    foresight,
    job::{Job, Phase},
    money::OffSpot,
};

/// What a view may come to, so that a dead letter still fits around it.
const MOST_BYTES: usize = MAX_MESSAGE_BYTES - 4096;

/// A job with its ledger, without what it waits for.
pub(super) fn job(job: &Job, desk: &Desk) -> JobView {
    let now = desk.now;
    let mut attempts = job.attempts.clone();
    if let Some(attempt) = attempts.last_mut()
        && attempt.ended_at.is_none()
    {
        attempt.usd = job.spent(now) - job.ledger.usd;
    }
    let mut view = JobView {
        job_id: job.id.clone(),
        submission: SubmitJob { total: job.terms.total, ..job.submission.clone() },
        edits: job.edits.clone(),
        state: job.state(),
        stopping: None,
        gpu: job.placement.gpu.clone(),
        tier: job.placement.tier,
        submitted_at: job.submitted_at,
        ended_at: job.ended_at(),
        next_attempt_at: job.next_attempt_at(),
        waiting_for: None,
        waiting: None,
        run_until: None,
        predicted_finish: foresight::predicted_finish(job),
        warnings: warnings(job, desk),
        considered: match job.phase {
            Phase::Queued => desk.choose(job).considered,
            _ => job.considered.clone(),
        },
        memory: job.terms.memory.clone(),
        attempts,
        ledger: job.ledger_view(now),
        failure: None,
        cause: job.cause(),
        sweep: job.trial.as_ref().map(|trial| trial.sweep.clone()),
        result: None,
    };
    match &job.phase {
        Phase::Running(lease) => {
            view.stopping = lease.stop(now).map(|(cause, _)| cause);
            view.run_until = Some(lease.limit_at());
        }
        Phase::Dead { failure, .. } => view.failure = Some(failure.clone()),
        Phase::Succeeded { result, .. } => view.result = Some(result.clone()),
        Phase::Queued
        | Phase::Offered { .. }
        | Phase::Paused { .. }
        | Phase::BackingOff { .. }
        | Phase::Cancelled { .. } => {}
    }
    fit(&mut view);
    view
}

/// What its owner should know.
fn warnings(job: &Job, desk: &Desk) -> Vec<String> {
    let mut warnings = job.terms.warnings.clone();
    warnings.extend(desk.warning(job));
    if let OffSpot::TooDear(warning) = desk.way_off_spot(job) {
        warnings.push(warning);
    }
    warnings
}

/// Leaves out the oldest attempts, then part of the result, until the view fits into a message.
fn fit(view: &mut JobView) {
    while MOST_BYTES < contract::encode(view).len() {
        if 1 < view.attempts.len() {
            let half = view.attempts.len() / 2;
            view.attempts.drain(..half);
            continue;
        }
        let Some(result) = &mut view.result else { return };
        if result.artifacts.is_empty() && result.metrics.is_empty() {
            return;
        }
        result.artifacts.truncate(result.artifacts.len() / 2);
        let most = result.metrics.len() / 2;
        result.metrics = std::mem::take(&mut result.metrics).into_iter().take(most).collect();
    }
}

/// A job in one line.
pub(super) fn summary(job: &Job, now: Timestamp) -> JobSummary {
    let last: Option<&AttemptView> = job.attempts.last();
    JobSummary {
        job_id: job.id.clone(),
        workload: job.submission.workload.clone(),
        owner: job.submission.owner.clone(),
        state: job.state(),
        attempts: job.granted,
        gpu: job.placement.gpu.clone(),
        progress: last.map(|attempt| attempt.progress.clone()).unwrap_or_default(),
        usd: job.spent(now),
        submitted_at: job.submitted_at,
        ended_at: job.ended_at(),
        next_attempt_at: job.next_attempt_at(),
        waiting: None,
        failure: match &job.phase {
            Phase::Dead { failure, .. } => Some(failure.class),
            _ => None,
        },
        sweep: job.trial.as_ref().map(|trial| trial.sweep.clone()),
    }
}

/// The workers, by name, as many as fit into a message.
pub(super) fn workers(desk: &Desk) -> WorkerList {
    let mut list = WorkerList { workers: desk.workers.all().map(|known| worker(known, desk)).collect() };
    while MAX_MESSAGE_BYTES < contract::encode(&list).len() {
        list.workers.truncate(list.workers.len() * 9 / 10);
    }
    list
}

pub(super) fn worker(worker: &Worker, desk: &Desk) -> WorkerView {
    let hello = &worker.hello;
    WorkerView {
        worker: hello.worker.clone(),
        incarnation: hello.incarnation,
        workload: hello.workload.clone(),
        gpu: hello.gpu.clone(),
        tier: hello.tier,
        slots: hello.slots,
        running: desk.index.held_by(&hello.worker).cloned().collect(),
        host: hello.host.clone(),
        pid: hello.pid,
        release: hello.release.clone(),
        heard_at: worker.heard_at,
        paused: hello.paused.clone(),
        draining: worker.draining,
        gone: worker.gone,
    }
}
