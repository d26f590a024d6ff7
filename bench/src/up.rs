//! How soon the real trainer computes again under `rekindle up`.

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
use system_tests::{Program, System, draw_images};

use crate::{
    figures::{Times, milliseconds},
    recovery::last_backoff,
    report::Table,
};

const KILLS: u32 = 20;
/// `rekindle up` starts a program again at once that has run this long, and waits a little where it has not.
const HEALTHY: Duration = Duration::from_secs(11);

pub(crate) async fn measure() -> anyhow::Result<Table> {
    let mut table = Table::new(&["ResNet-18 after a SIGKILL", "p50", "p95"]);
    let Phases { started, stepped } = times().await?;
    for (what, times) in
        [("the next attempt has begun", started), ("it has learned from its first batch", stepped)]
    {
        table.row(&[&what, &milliseconds(times.median()), &milliseconds(times.percentile(95))]);
    }
    Ok(table)
}

/// From the kill, with the backoff taken off.
struct Phases {
    started: Times,
    stepped: Times,
}

/// The real trainer, started again by `rekindle up`. Progress is told five times a second here, to be seen in time.
async fn times() -> anyhow::Result<Phases> {
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

    let (mut starts, mut steps) = (Vec::new(), Vec::new());
    for attempt in 1..=KILLS {
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
        let began = killed.elapsed();
        let has_stepped = |told: &AttemptProgress| {
            told.attempt == attempt + 1 && started.resumed_from_step < told.progress.step
        };
        system.events.first::<AttemptProgress>(has_stepped).await;
        let stepped = killed.elapsed();
        let backoff = last_backoff(&system, &job).await;
        starts.push(began.saturating_sub(backoff));
        steps.push(stepped.saturating_sub(backoff));
    }
    system.ask(&CancelJob { job_id: job.clone() }).await?;
    system.state(&job, JobState::Cancelled).await;
    system.end().await;
    Ok(Phases { started: Times::new(starts), stepped: Times::new(steps) })
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
