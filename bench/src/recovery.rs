//! How soon a job computes again after its trainer was killed.

use std::time::{Duration, Instant};

use anyhow::Context;
use contract::{
    JobId, SubmitJob, Workload, classifier,
    control::{CancelJob, JobState, JobView, ListWorkers},
    events::{AttemptProgress, AttemptStarted},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use system_tests::{Hold, Program, StepParams, System, draw_images};

use crate::{
    figures::{Times, milliseconds},
    report::Table,
};

const KILLS: u32 = 20;
const KILLS_UNDER_UP: u32 = 5;
/// `rekindle up` starts a program again at once that has run this long, and waits a little where it has not.
const HEALTHY: Duration = Duration::from_secs(11);
/// What an attempt goes on from, when its first step is done, and where it is killed.
const CHECKPOINT: u64 = 10;
const FIRST_STEP_DONE: u64 = 11;
const KILLED_AT: u64 = 15;

/// Who runs the next attempt.
#[derive(Clone, Copy, PartialEq)]
enum Successor {
    /// The same worker, whose process is started again at once.
    Restarted,
    /// Another worker, while the first one stays away: it has to be missed first.
    Another,
}

pub(crate) async fn measure() -> anyhow::Result<Table> {
    let mut table = Table::new(&[
        "SIGKILL to the next attempt's first step, backoff left out",
        "p50",
        "p95",
        "of which lease",
    ]);
    let restarted = times(Successor::Restarted).await;
    table.row(&[
        &"the process is started again at once",
        &milliseconds(restarted.median()),
        &milliseconds(restarted.percentile(95)),
        &"–",
    ]);
    let another = times(Successor::Another).await;
    table.row(&[
        &"another worker takes over",
        &milliseconds(another.median()),
        &milliseconds(another.percentile(95)),
        &"up to 10 s",
    ]);
    let up = under_up().await?;
    table.row(&[
        &"a classifier-trainer under `rekindle up`",
        &milliseconds(up.median()),
        &milliseconds(up.percentile(95)),
        &"–",
    ]);
    Ok(table)
}

async fn times(successor: Successor) -> Times {
    let changes = [
        ("workloads.step.retry.max_losses", "100"),
        ("workloads.step.retry.initial_delay", "250ms"),
        ("workloads.step.retry.max_delay", "250ms"),
        ("scheduler.heartbeat", "2s"),
        ("scheduler.lease", "10s"),
        ("telemetry.filter", "warn"),
    ];
    let mut system = System::start("bench-recovery", &changes).await;
    let holds = system.holds();
    let at = |step, attempt| Hold::at_step(&holds, step).of_attempt(attempt);
    let params = (1..=KILLS + 1)
        .fold(StepParams::steps(20).checkpoint_every(CHECKPOINT), |params, attempt| {
            params.hold(&at(FIRST_STEP_DONE, attempt)).hold(&at(KILLED_AT, attempt))
        });
    let job = system.submit("job", &params).await;
    at(FIRST_STEP_DONE, 1).reached().await;
    system
        .until(&job, "checkpointed", |view| view.attempts[0].progress.checkpoint_step == Some(CHECKPOINT))
        .await;

    let mut worker = "host-0".to_owned();
    let mut times = Vec::new();
    for attempt in 1..=KILLS {
        at(FIRST_STEP_DONE, attempt).release();
        at(KILLED_AT, attempt).reached().await;
        let next = format!("host-{attempt}");
        if successor == Successor::Another {
            system.launch(Program::step_trainer(&next)).await;
        }
        let killed = Instant::now();
        match successor {
            Successor::Restarted => system.restart(&worker).await,
            Successor::Another => system.kill(&std::mem::replace(&mut worker, next)).await,
        }
        at(FIRST_STEP_DONE, attempt + 1).reached().await;
        let taken = killed.elapsed();
        times.push(taken.saturating_sub(last_backoff(&system, &job).await));
    }

    at(FIRST_STEP_DONE, KILLS + 1).release();
    at(KILLED_AT, KILLS + 1).release();
    system.state(&job, JobState::Succeeded).await;
    system.end().await;
    Times::new(times)
}

/// The real trainer, started again by `rekindle up`. Progress is told five times a second here, to be seen in time.
async fn under_up() -> anyhow::Result<Times> {
    let changes = [
        ("workloads.classifier.retry.max_losses", "100"),
        ("workloads.classifier.retry.initial_delay", "250ms"),
        ("workloads.classifier.retry.max_delay", "250ms"),
        ("scheduler.heartbeat", "200ms"),
        ("scheduler.lease", "10s"),
    ];
    let mut system = System::bare("bench-up", &changes).await;
    draw_images(&system.path().join("datasets/colours"));
    system.launch(Program::up()).await;
    let job = submit_endless(&mut system).await?;

    let mut times = Vec::new();
    for attempt in 1..=KILLS_UNDER_UP {
        let healthy_at = Instant::now() + HEALTHY;
        let at_work = |view: &JobView| {
            let running = view.attempts.iter().find(|running| running.attempt == attempt);
            running.is_some_and(|running| running.progress.checkpoint_step.is_some())
        };
        system.until(&job, "past a checkpoint", at_work).await;
        tokio::time::sleep_until(healthy_at.into()).await;
        let workers = system.ask(&ListWorkers {}).await?.workers;
        let worker = workers.first().context("there is no worker")?;
        let killed = Instant::now();
        kill(Pid::from_raw(worker.pid.cast_signed()), Signal::SIGKILL)?;
        let started = system.events.first::<AttemptStarted>(|started| started.attempt == attempt + 1).await;
        let has_stepped = |told: &AttemptProgress| {
            told.attempt == attempt + 1 && started.resumed_from_step < told.progress.step
        };
        system.events.first::<AttemptProgress>(has_stepped).await;
        times.push(killed.elapsed().saturating_sub(last_backoff(&system, &job).await));
    }
    system.ask(&CancelJob { job_id: job.clone() }).await?;
    system.state(&job, JobState::Cancelled).await;
    system.end().await;
    Ok(Times::new(times))
}

async fn submit_endless(system: &mut System) -> anyhow::Result<JobId> {
    let params = json!({
        "data": "colours", "stem": "small", "image_size": 16, "batch_size": 8, "epochs": 10_000,
        "checkpoint_every_steps": 20
    });
    let params = params.as_object().cloned().unwrap_or_default();
    let job_id = Some(JobId::generate());
    let submission = SubmitJob { job_id, ..SubmitJob::new(Workload::new(classifier::WORKLOAD)?, params) };
    system.ask(&submission).await?;
    Ok(system.expect(submission))
}

/// The wait before the present attempt, which the policy chose.
async fn last_backoff(system: &System, job: &JobId) -> Duration {
    let view = system.view(job).await;
    let backoff = view.attempts.iter().rev().find_map(|attempt| attempt.backoff);
    backoff.map_or(Duration::ZERO, |backoff| backoff.to_duration())
}
