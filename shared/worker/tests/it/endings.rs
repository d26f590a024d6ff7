//! How runs end other than by being done.

use contract::{
    Failure, FailureClass, Seconds, StopCause,
    checkpoints::CheckpointRole,
    events::{AttemptEnd, AttemptStarted, RunResult},
};
use worker::{Control, Exit, Run, RunError};

use crate::{
    counterpart::{Script, generous_grant},
    trainers::{Scripted, at_step, be_stuck, state, train_until_stopped},
    world::{World, job},
};

fn seconds(seconds: f64) -> Seconds {
    Seconds::new(seconds).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_or_superseded_run_stops_without_a_checkpoint() {
    for (cause, end) in
        [(StopCause::Cancelled, AttemptEnd::Cancelled), (StopCause::Superseded, AttemptEnd::Superseded)]
    {
        let world = World::new().await;
        let worker = world.start(Scripted(train_until_stopped));
        let job = job("unwanted");
        world.offer(&job, 1).await;
        world.event(|_: &AttemptStarted| true).await;
        world.counterpart.script().stop = Some(cause);
        assert_eq!(world.ended(&job, 1).await.end, end);
        assert!(world.checkpoints(&job).await.is_empty());
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_to_begin_afresh_leaves_earlier_checkpoints_alone() {
    let grant = contract::lease::Grant { run_limit: seconds(0.5), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant.clone()), ..Script::default() }).await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("afresh");
    world.offer(&job, 1).await;
    world.failed(&job, 1).await;
    let before = world.checkpoints(&job).await.len();
    assert_eq!(before, 1);

    world.counterpart.script().grant = Some(contract::lease::Grant { fresh_after: 1, ..grant.clone() });
    world.offer(&job, 2).await;
    let second = world.ended(&job, 2).await;
    assert_eq!(second.resumed_from_step, 0);
    world.offer(&job, 3).await;
    let third = world.ended(&job, 3).await;
    assert_eq!(third.resumed_from_step, second.progress.step, "those of the second attempt count");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_saves_its_state_and_says_that_it_was_paused() {
    let world = World::new().await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("paused");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    world.counterpart.script().stop = Some(StopCause::Paused);
    let ended = world.ended(&job, 1).await;
    assert_eq!(ended.end, AttemptEnd::Paused);
    let steps: Vec<u64> =
        world.checkpoints(&job).await.iter().map(|checkpoint| checkpoint.manifest.step).collect();
    assert_eq!(steps, [ended.progress.step]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_its_limit_saves_its_state_and_the_next_attempt_goes_on_from_it() {
    let grant = contract::lease::Grant {
        run_limit: seconds(0.5),
        run_limit_cause: StopCause::Budget,
        ..generous_grant()
    };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("limited");
    world.offer(&job, 1).await;
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Budget);
    let checkpoints = world.checkpoints(&job).await;
    assert_eq!(checkpoints.len(), 1);
    let step = checkpoints[0].manifest.step;

    world.offer(&job, 2).await;
    let ended = world.ended(&job, 2).await;
    assert_eq!(ended.resumed_from_step, step);
    assert!(step < ended.progress.step);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ignores_its_limit_is_given_up_after_the_grace_time_and_its_last_state_stays() {
    let grant = contract::lease::Grant { run_limit: seconds(0.5), grace: seconds(0.3), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let worker = world.start(Scripted(|_: &Run, control: &mut dyn Control| {
        control.checkpoint(state(3, CheckpointRole::Periodic));
        control.flush()?;
        control.report(at_step(4));
        be_stuck()
    }));
    let job = job("deaf");
    world.offer(&job, 1).await;
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Timeout);
    assert!(failure.message.ends_with("it did not stop within its grace time of 300ms"), "{failure}");
    assert_eq!(world.checkpoints(&job).await[0].manifest.step, 3);
    assert_eq!(worker.gone().await, Exit::Abandoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_its_run_back_with_its_state() {
    let world = World::new().await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("preempted");
    world.offer(&job, 1).await;
    world.steps_heard().await;
    assert_eq!(worker.stop().await, Exit::Stopped);

    let ended = world.ended(&job, 1).await;
    let expected = Failure::new(FailureClass::Preempted, "the worker was told to stop");
    assert_eq!(ended.end, AttemptEnd::Failed(expected));
    let saved = world.checkpoints(&job).await[0].manifest.step;
    assert_eq!(ended.progress.checkpoint_step, Some(saved));
    assert_eq!(world.counterpart.script().goodbyes.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_stop_is_reported_and_the_process_goes() {
    let grant = contract::lease::Grant { grace: seconds(0.3), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let worker = world.start(Scripted(|_: &Run, _: &mut dyn Control| be_stuck()));
    let job = job("stubborn");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    assert_eq!(worker.stop().await, Exit::Abandoned);
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Preempted);
    assert!(failure.message.ends_with("it did not stop within its grace time of 300ms"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_run_is_reported_and_the_other_one_is_handed_back_before_the_process_goes() {
    let grant = contract::lease::Grant { hang_limit: seconds(0.5), ..generous_grant() };
    let world = World::with(Script { grant: Some(grant), ..Script::default() }).await;
    let trainer = Scripted(|run: &Run, control: &mut dyn Control| {
        if run.grant.job_id == job("healthy") {
            return train_until_stopped(run, control);
        }
        control.report(at_step(7));
        be_stuck()
    });
    let worker = world.start_with(trainer, &[("REKINDLE__WORKLOADS__CLASSIFIER__SLOTS", "2")]);
    world.offer(&job("healthy"), 1).await;
    world.offer(&job("hung"), 1).await;

    let failure = world.failed(&job("hung"), 1).await;
    let hung = "step 8 hung: nothing was heard from the trainer for 500ms";
    assert_eq!(failure, Failure::transient(hung));
    assert_eq!(world.failed(&job("healthy"), 1).await.class, FailureClass::Preempted);
    assert_eq!(world.checkpoints(&job("healthy")).await.len(), 1);
    assert_eq!(worker.gone().await, Exit::Abandoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_the_run_and_not_the_worker() {
    let world = World::new().await;
    let worker = world.start(Scripted(|run: &Run, _: &mut dyn Control| match run.grant.attempt {
        1 => panic!("the shapes do not match"),
        2 => panic!("CUDA out of memory. Tried to allocate 2.00 GiB"),
        3 => Err(RunError::Failed(Failure::permanent("the images are no images"))),
        _ => Ok(RunResult::default()),
    }));
    let job = job("panics");
    for attempt in 1..=4 {
        world.offer(&job, attempt).await;
    }
    let first = world.failed(&job, 1).await;
    assert_eq!(first, Failure::transient("the trainer panicked: the shapes do not match"));
    assert_eq!(world.failed(&job, 2).await.class, FailureClass::Oom);
    assert_eq!(world.failed(&job, 3).await, Failure::permanent("the images are no images"));
    assert_eq!(world.ended(&job, 4).await.end, AttemptEnd::Succeeded(RunResult::default()));
    worker.stop().await;
}
