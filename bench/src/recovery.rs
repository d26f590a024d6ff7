//! How soon a job computes again after its trainer was killed.

use std::time::{Duration, Instant};

use contract::{JobId, control::JobState};
use system_tests::{Hold, Program, StepParams, System};

use crate::{
    figures::{Times, milliseconds},
    report::Table,
};

const KILLS: u32 = 20;
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
    let mut table = Table::new(&["after a SIGKILL", "p50", "p95"]);
    let restarted = times(Successor::Restarted).await;
    table.row(&[
        &"the process is started again at once",
        &milliseconds(restarted.median()),
        &milliseconds(restarted.percentile(95)),
    ]);
    let another = times(Successor::Another).await;
    table.row(&[
        &"another worker takes over, once the lease of 10 s has run out",
        &milliseconds(another.median()),
        &milliseconds(another.percentile(95)),
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

/// The wait before the present attempt, which the policy chose.
pub(crate) async fn last_backoff(system: &System, job: &JobId) -> Duration {
    let view = system.view(job).await;
    let backoff = view.attempts.iter().rev().find_map(|attempt| attempt.backoff);
    backoff.map_or(Duration::ZERO, |backoff| backoff.to_duration())
}
