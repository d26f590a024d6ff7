//! Sweeps with real trainers, while the scheduler dies.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    StopCause, SubmitSweep, SweepId, SweepView,
    control::{GetHistory, JobState},
    sweep::{CancelSweep, GetSweep, ResumeSweep, SweepState},
};
use serde_json::json;
use system_tests::{System, wait_for};
use tokio::time::{sleep, timeout};

const TRIALS: u32 = 9;

/// Nine trials of which the first one is the best, compared after 10, 20 and 40 steps.
fn sweep(name: &str, step_ms: u64) -> SubmitSweep {
    let scores: Vec<f64> = (0..TRIALS).map(|number| 0.9 - 0.1 * f64::from(number)).collect();
    let params = json!({ "steps": 60, "step_ms": step_ms, "report_every": 10, "commit_every": 20 });
    let submission = json!({
        "sweep_id": name,
        "job": { "workload": "step", "params": params },
        "search": { "method": "grid", "params": { "score": scores } },
        "concurrency": 3,
        "objective": { "metric": "score", "direction": "maximize" },
        "early_stop": { "resource": "steps", "first": 10, "factor": 2 },
    });
    serde_json::from_value(submission).unwrap()
}

async fn view(system: &System, sweep_id: &SweepId) -> SweepView {
    system.ask(&GetSweep { sweep_id: sweep_id.clone(), after: 0 }).await.unwrap()
}

/// Waits until a sweep is in a state, and has its trials held to the promises from then on.
async fn until(system: &mut System, sweep_id: &SweepId, state: SweepState) -> SweepView {
    let reached = wait_for(&format!("sweep {sweep_id} to be {state}"), async || {
        let view = view(system, sweep_id).await;
        (view.summary.state == state).then_some(view)
    })
    .await;
    for trial in reached.trials.iter().filter(|trial| trial.state.is_some()) {
        let submission = system.view(&trial.job_id).await.submission;
        system.expect(submission);
    }
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn trials_are_launched_once_and_compared_though_the_scheduler_dies() {
    let mut system = System::start("sweep-killed", &[]).await;
    let submission = sweep("scores", 20);
    let sweep_id = submission.sweep_id.clone();
    system.ask(&submission).await.unwrap();

    let mut seen = 0;
    for round in 0..16u64 {
        if let Ok(count) = timeout(Duration::from_secs(2), system.events.more_than(seen)).await {
            seen = count;
        }
        // A little later after each event, so that it dies between any two of its steps.
        sleep(Duration::from_millis(round * 7 % 50)).await;
        system.restart("scheduler").await;
    }

    let ended = until(&mut system, &sweep_id, SweepState::Finished).await;
    let summary = &ended.summary;
    assert_eq!((summary.launched, summary.live, summary.dead), (TRIALS, 0, 0), "{ended:#?}");
    let best = summary.best.as_ref().expect("figures were reported");
    assert_eq!((best.number, best.value), (1, 0.9));
    let by_number: BTreeMap<u32, _> = ended.trials.iter().map(|trial| (trial.number, trial)).collect();
    assert_eq!(by_number[&1].state, Some(JobState::Succeeded), "the best goes on: {ended:#?}");
    assert!(0 < summary.stopped_early, "what falls behind is stopped: {ended:#?}");
    assert_eq!(summary.succeeded + summary.stopped_early, TRIALS);
    for trial in &ended.trials {
        let job = system.view(&trial.job_id).await;
        assert_eq!(job.sweep.as_ref(), Some(&sweep_id));
        let early = trial.cause == Some(StopCause::EarlyStopped);
        assert_eq!(job.state, if early { JobState::Cancelled } else { JobState::Succeeded }, "{job:#?}");
        assert_eq!(job.cause, trial.cause);
        let history = system.ask(&GetHistory { job_id: trial.job_id.clone(), after: 0 }).await.unwrap();
        let queued = history.entries.iter().filter(|entry| entry.event["kind"] == "job.queued").count();
        assert_eq!(queued, 1, "{} was launched once", trial.job_id);
    }
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_was_cancelled_goes_on_where_it_was() {
    let mut system = System::start("sweep-resumed", &[]).await;
    let submission = SubmitSweep { early_stop: None, ..sweep("scores", 40) };
    let sweep_id = submission.sweep_id.clone();
    system.ask(&submission).await.unwrap();
    let first = sweep_id.trial(1);
    system
        .until(&first, "checkpointed", |view| {
            view.attempts.iter().any(|attempt| attempt.progress.checkpoint_step.is_some())
        })
        .await;

    system.ask(&CancelSweep { sweep_id: sweep_id.clone() }).await.unwrap();
    system.restart("scheduler").await;
    let cancelled = until(&mut system, &sweep_id, SweepState::Cancelled).await;
    assert!(cancelled.summary.launched < TRIALS, "{cancelled:#?}");

    let resume = ResumeSweep { sweep_id: sweep_id.clone(), max_usd: Some(12.5) };
    let resumed = system.ask(&resume).await.unwrap();
    assert_eq!(resumed.submission.max_usd, Some(12.5), "the limit that holds now is shown");
    system.restart("scheduler").await;
    let ended = until(&mut system, &sweep_id, SweepState::Finished).await;
    assert_eq!((ended.summary.succeeded, ended.submission.max_usd), (TRIALS, Some(12.5)), "{ended:#?}");
    let view = system.view(&first).await;
    let last = view.attempts.last().expect("it was run");
    assert!(last.resumed_from_step.is_some_and(|step| 0 < step), "from its last checkpoint: {view:#?}");
    system.end().await;
}
