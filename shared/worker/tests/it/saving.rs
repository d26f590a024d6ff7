//! Checkpoints: written beside the training, kept through trouble, refused to whoever was overtaken.

use std::{
    path::Path,
    sync::{Mutex, mpsc},
};

use checkpoints::History;
use contract::{
    FailureClass, Seconds,
    checkpoints::CheckpointRole::{Best, Final, Periodic},
    events::{AttemptCheckpointed, AttemptEnd, AttemptNote, AttemptStarted, RunResult},
    lease::Grant,
};
use worker::{Control, Exit, Run, Snapshot};

use crate::{
    counterpart::{Script, generous_grant},
    trainers::{Scripted, state, train_until_stopped},
    world::{World, job},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_periodic_state_replaces_one_that_waits_and_the_others_are_all_kept() {
    let world = World::new().await;
    let (go_on, held) = mpsc::channel();
    let held = Mutex::new(Some(held));
    let worker = world.start(Scripted(move |_: &Run, control: &mut dyn Control| {
        let held = held.lock().unwrap().take().unwrap();
        let (began, has_begun) = mpsc::channel();
        let mut first = state(1, Periodic);
        let mut write = first.write;
        // Its file takes until the test lets it go on.
        first.write = Box::new(move |path: &Path| {
            began.send(()).unwrap();
            held.recv().unwrap();
            write(path)
        });
        control.checkpoint(first);
        has_begun.recv().unwrap();
        for (step, role) in [(2, Periodic), (3, Best), (4, Periodic), (5, Final)] {
            control.checkpoint(state(step, role));
        }
        control.note("all are handed over".into());
        control.flush()?;
        Ok(RunResult::default())
    }));
    let job = job("replaced");
    world.offer(&job, 1).await;
    world.event(|note: &AttemptNote| note.note == "all are handed over").await;
    go_on.send(()).unwrap();

    world.ended(&job, 1).await;
    let steps: Vec<_> = world.events::<AttemptCheckpointed>().iter().map(|kept| kept.step).collect();
    assert_eq!(steps, [1, 3, 4, 5]);
    let newest = &world.checkpoints(&job).await[0].manifest;
    assert_eq!((newest.step, newest.role), (5, Final));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_kept_at_the_granted_interval() {
    let grant = Grant { checkpoint_interval: Seconds::new(0.05).unwrap(), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("regular");
    world.offer(&job, 1).await;
    world
        .heard("progress with a checkpoint", |script| {
            let mut runs = script.heartbeats.iter().flat_map(|heartbeat| &heartbeat.runs);
            runs.any(|run| run.progress.checkpoint_step.is_some())
        })
        .await;
    worker.stop().await;
    let kept = world.checkpoints(&job).await;
    assert!(2 <= kept.len());
    assert!(kept.iter().all(|checkpoint| checkpoint.damage.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_for_a_while_costs_nothing_but_a_note() {
    let world =
        World::with(Script { unavailable: 2, grant: Some(generous_grant()), ..Script::default() }).await;
    let worker = world.start(Scripted(|_: &Run, control: &mut dyn Control| {
        let mut tries = 0;
        let mut last = state(10, Final);
        let mut write = last.write;
        last.write = Box::new(move |path: &Path| {
            tries += 1;
            anyhow::ensure!(1 < tries, "No space left on device (os error 28)");
            write(path)
        });
        control.checkpoint(last);
        control.flush()?;
        Ok(RunResult::default())
    }));
    let job = job("patient");
    world.offer(&job, 1).await;
    assert_eq!(world.ended(&job, 1).await.end, AttemptEnd::Succeeded(RunResult::default()));
    let notes = world.events::<AttemptNote>();
    assert_eq!(notes.len(), 1, "trouble is told once: {notes:?}");
    assert!(notes[0].note.contains("No space left on device"), "{:?}", notes[0].note);
    assert_eq!(world.checkpoints(&job).await.len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_attempt_is_refused_and_stops() {
    let world = World::new().await;
    let worker = world.start(Scripted(|_: &Run, control: &mut dyn Control| {
        for step in 1.. {
            control.checkpoint(state(step, Periodic));
            control.flush()?;
        }
        Ok(RunResult::default())
    }));
    let job = job("overtaken");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptCheckpointed| true).await;
    History::of(world.store.clone(), job.clone()).open(2).await.unwrap();
    assert_eq!(world.ended(&job, 1).await.end, AttemptEnd::Superseded);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_forgets_to_wait_for_its_last_state_is_not_done_before_it() {
    let world = World::new().await;
    let worker = world.start(Scripted(|_: &Run, control: &mut dyn Control| {
        let metrics = [("accuracy".into(), f64::NAN)].into();
        control.checkpoint(Snapshot { metrics, ..state(9, Final) });
        Ok(RunResult::default())
    }));
    let job = job("forgetful");
    world.offer(&job, 1).await;
    let ended = world.ended(&job, 1).await;
    assert_eq!(ended.progress.checkpoint_step, Some(9));
    assert_eq!(world.checkpoints(&job).await[0].manifest.step, 9);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_passed_over_and_told() {
    let world = World::new().await;
    let worker = world.start(Scripted(|run: &Run, control: &mut dyn Control| {
        if run.grant.attempt == 1 {
            control.checkpoint(state(1, Periodic));
            control.flush()?;
            control.checkpoint(state(2, Periodic));
            control.flush()?;
        }
        Ok(RunResult::default())
    }));
    let job = job("damaged");
    world.offer(&job, 1).await;
    world.ended(&job, 1).await;
    let newest = &world.checkpoints(&job).await[0].manifest;
    std::fs::write(world.store.local_path(&newest.key).unwrap(), "X").unwrap();

    world.offer(&job, 2).await;
    assert_eq!(world.ended(&job, 2).await.resumed_from_step, 1);
    let started = world.event(|started: &AttemptStarted| started.attempt == 2).await;
    assert_eq!(started.damaged.len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_must_stop_waits_for_its_commit_only_within_its_grace_time() {
    let grant = Grant { grace: Seconds::new(1.0).unwrap(), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("unheard");
    world.offer(&job, 1).await;
    world.steps_heard().await;
    world.counterpart.script().silent = true;

    assert_eq!(worker.stop().await, Exit::Stopped, "the run gave up by itself");
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Preempted);
    assert!(failure.message.contains("could not be kept"), "{failure}");
    assert!(world.checkpoints(&job).await.is_empty());
}
