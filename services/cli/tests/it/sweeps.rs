//! Asking about sweeps, and waiting for them.

use std::path::PathBuf;

use broker::{Outgoing, ReplyTo};
use contract::{
    Message, Refusal, Refused, SubmitSweep, SweepView,
    sweep::{CancelSweep, GetSweep, ListSweeps, ResumeSweep, SweepList, SweepState},
};
use serde_json::Value;

use crate::{
    command::{Finished, World},
    scheduler::Scheduler,
    waiting::interrupt,
};

/// What the stand-in says of the one sweep that it knows.
pub(crate) fn reply(to: &ReplyTo, kind: &str, value: &Value, sweep: &mut SweepView) -> Outgoing {
    if kind == ListSweeps::KIND {
        return Outgoing::reply(to, &SweepList { sweeps: vec![sweep.summary.clone()], more: false });
    }
    if value["sweep_id"] != sweep.summary.sweep_id.as_str() {
        return Outgoing::reply(to, &Refused::new(Refusal::NotFound, "there is no such sweep"));
    }
    match kind {
        SubmitSweep::KIND => {
            sweep.submission = serde_json::from_value(value.clone()).unwrap();
            sweep.summary.state = SweepState::Running;
            sweep.summary.why = None;
        }
        CancelSweep::KIND => sweep.summary.state = SweepState::Cancelled,
        ResumeSweep::KIND => {
            sweep.summary.state = SweepState::Running;
            sweep.submission.max_usd = value["max_usd"].as_f64();
        }
        GetSweep::KIND => {
            // A page has one trial here, so that the command has to turn pages.
            let after = value["after"].as_u64().unwrap();
            let trials: Vec<_> =
                sweep.trials.iter().filter(|trial| after < trial.number.into()).cloned().collect();
            let page = trials.iter().take(1).cloned().collect();
            return Outgoing::reply(to, &SweepView { trials: page, more: 1 < trials.len(), ..sweep.clone() });
        }
        other => panic!("the command asked {other}"),
    }
    Outgoing::reply(to, sweep)
}

/// The contract's example as a file.
fn file(world: &World) -> PathBuf {
    let file = world.folder.path().join("sweep.json");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contract/golden/sweep.submit.v1.json");
    std::fs::copy(example, &file).unwrap();
    file
}

/// Gives the sweep three trials.
fn add_trials(view: &mut SweepView) {
    for number in 2..=3 {
        let job_id = view.summary.sweep_id.trial(number);
        let trial = contract::sweep::TrialView { number, job_id, ..view.trials[0].clone() };
        view.trials.push(trial);
    }
}

#[tokio::test]
async fn sweeps_are_listed_shown_cancelled_and_resumed() {
    let world = World::create().await;
    let scheduler = Scheduler::start(&world, Vec::new()).await;
    scheduler.change_sweep(add_trials);

    let list = world.run(&["sweep", "ls"]).await;
    assert!(list.stdout.contains("flowers-lr  stopped  classifier  9/40"), "{list:?}");
    let shown = world.run(&["sweep", "show", "flowers-lr"]).await;
    assert!(shown.stdout.contains("spent      $1.25 of $25.00"), "{shown:?}");
    for trial in ["flowers-lr-1", "flowers-lr-2", "flowers-lr-3"] {
        assert!(shown.stdout.contains(&format!("\n{trial}")), "every page is asked for: {shown:?}");
    }
    let json = world.run(&["sweep", "show", "flowers-lr", "--json"]).await.json();
    assert_eq!(json["trials"].as_array().unwrap().len(), 3);

    let resumed = world.run(&["sweep", "resume", "flowers-lr", "--max-usd=50"]).await;
    assert_eq!(
        resumed.stdout,
        "sweep flowers-lr is running (3 trials died the same way: oom): 9 of 40 trials launched, 0 under way\n"
    );
    let shown = world.run(&["sweep", "show", "flowers-lr"]).await;
    assert!(shown.stdout.contains("spent      $1.25 of $50.00"), "{shown:?}");
    let cancelled = world.run(&["sweep", "cancel", "flowers-lr", "--json"]).await;
    assert_eq!(cancelled.json()["state"], "cancelled");

    let missing = world.run(&["sweep", "show", "birds"]).await;
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(3), "error: there is no such sweep\n"));
}

#[tokio::test]
async fn a_sweep_is_submitted_and_not_waited_for() {
    let world = World::create().await;
    let _scheduler = Scheduler::start(&world, Vec::new()).await;
    let path = file(&world).display().to_string();
    let submitted = world.run(&["sweep", "submit", &path]).await;
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    assert_eq!(submitted.stdout, "sweep flowers-lr is running: 9 of 40 trials launched, 0 under way\n");
    let wrong = world.run(&["sweep", "submit", "nowhere.toml"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("cannot read the sweep file nowhere.toml"), "{wrong:?}");
}

/// Waits for a sweep that ends in `state`.
async fn waited(state: SweepState) -> Finished {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, Vec::new()).await;
    let path = file(&world).display().to_string();
    let waiting = world.command(&["sweep", "submit", &path, "--wait"]).spawn().unwrap();
    scheduler.is_asked::<GetSweep>().await;
    scheduler.change_sweep(|view| view.summary.launched = 12);
    scheduler.is_asked::<GetSweep>().await;
    scheduler.change_sweep(|view| view.summary.state = state);
    Finished::of(waiting.wait_with_output().await.unwrap())
}

#[tokio::test]
async fn waiting_tells_each_change_and_ends_with_the_sweep() {
    let finished = waited(SweepState::Finished).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stderr.contains("9 of 40 trials launched"), "{finished:?}");
    assert!(finished.stderr.contains("12 of 40 trials launched"), "{finished:?}");
    assert!(finished.stdout.contains("state      finished"), "{finished:?}");
    assert!(finished.stdout.contains("flowers-lr-1  stopped early"), "{finished:?}");

    let finished = waited(SweepState::Stopped).await;
    assert_eq!(finished.code, Some(4), "not every trial was launched: {finished:?}");
}

#[tokio::test]
async fn ctrl_c_while_waiting_leaves_the_sweep_running() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, Vec::new()).await;
    let path = file(&world).display().to_string();
    let waiting = world.command(&["sweep", "submit", &path, "--wait"]).spawn().unwrap();
    scheduler.is_asked::<GetSweep>().await;
    interrupt(waiting.id());
    let finished = Finished::of(waiting.wait_with_output().await.unwrap());
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(finished.stderr.contains("sweep flowers-lr goes on"), "{finished:?}");
    scheduler.asked.close();
    while let Some(kind) = scheduler.asked.recv().await {
        assert_ne!(kind, CancelSweep::KIND);
    }
}
