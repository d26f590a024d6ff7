//! A trainer that dies, or stands still, at the worst moments.

use contract::{
    FailureClass,
    control::{Charge, JobState},
};
use system_tests::{Claims, Hold, How, Program, StepParams, System};

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_step() {
    let mut system = System::start("killed-in-a-step", &[]).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let params = StepParams::steps(40).commit_every(10).hold(&hold);
    let job = system.submit("job", &params).await;

    hold.reached().await;
    system
        .until(&job, "checkpointed at 20", |view| view.attempts[0].progress.checkpoint_step == Some(20))
        .await;
    system.restart("host-0").await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert_eq!(view.attempts[0].failure.as_ref().map(|failure| failure.class), Some(FailureClass::Lost));
    assert_eq!(view.attempts[0].charged_to, Some(Charge::Losses));
    assert_eq!(view.attempts[1].resumed_from_step, Some(20));
    assert_eq!((view.ledger.losses, view.ledger.retries), (1, 0));
    assert!(view.ledger.steps_repeated <= 5, "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_half_a_checkpoint_written() {
    let mut system = System::start("killed-in-a-checkpoint", &[]).await;
    let hold = Hold::in_checkpoint(&system.holds(), 20);
    let params = StepParams::steps(40).commit_every(10).hold(&hold);
    let job = system.submit("job", &params).await;

    hold.reached().await;
    system.restart("host-0").await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts[1].resumed_from_step, Some(10), "{view:#?}");
    system.end().await;
}

/// The scheduler has granted the lease, the trainer never heard of it: the offer comes back and supersedes.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_its_claim_and_its_acknowledgement() {
    let mut system = System::start("killed-in-a-claim", &[("workloads.step.slots", "1")]).await;
    let hold = Hold::at_step(&system.holds(), 1);
    let first = system.submit("first", &StepParams::steps(2).hold(&hold)).await;
    hold.reached().await;
    let second = system.submit("second", &StepParams::steps(20).checkpoint_every(5)).await;
    system.state(&second, JobState::Offered).await;

    // With the scheduler asleep, the trainer takes the second offer and waits for the answer to its claim.
    let claims = Claims::listen(&system).await;
    system.process("scheduler").pause();
    hold.release();
    claims.heard(&system, &second).await;
    system.process("host-0").pause();
    system.process("scheduler").resume();
    system.state(&second, JobState::Running).await;
    system.restart("host-0").await;

    system.state(&first, JobState::Succeeded).await;
    let view = system.state(&second, JobState::Succeeded).await;
    assert!(1 < view.attempts.len(), "the dead trainer's lease was superseded: {view:#?}");
    system.end().await;
}

/// It wakes up after its lease has run out, and another trainer has taken over: the token keeps it out.
#[tokio::test(flavor = "multi_thread")]
async fn paused_beyond_its_lease() {
    let mut system = System::start("paused-beyond-its-lease", &[]).await;
    let sleeper = Hold::in_checkpoint(&system.holds(), 20);
    let successor = Hold::at_step(&system.holds(), 15).of_attempt(2);
    let params = StepParams::steps(40).commit_every(10).hold(&sleeper).hold(&successor);
    let job = system.submit("job", &params).await;

    sleeper.reached().await;
    system.process("host-0").pause();
    system.launch(Program::step_trainer("host-1")).await;
    successor.reached().await;

    // Both believe that the job is theirs. The first one's checkpoint of step 20 must not get in.
    sleeper.release();
    system.process("host-0").resume();
    system.attempt_ended(&job, 1).await;
    assert!(system.checkpoints(&job).await.iter().all(|manifest| manifest.step <= 10), "it was fenced");
    successor.release();

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert_eq!(view.attempts[1].worker.as_str(), "host-1");
    let checkpoints = system.checkpoints(&job).await;
    assert!(checkpoints.iter().all(|kept| kept.step <= 10 || kept.token == 2), "{checkpoints:?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_one_failed_attempt_and_the_process_lives_on() {
    let mut system = System::start("panic", &[]).await;
    let bystander = system.submit("bystander", &StepParams::steps(40).of_ms(20)).await;
    let job = system.submit("job", &StepParams::steps(20).commit_every(5).fail(12, 1, How::Panic)).await;

    let view = system.state(&job, JobState::Succeeded).await;
    let failure = view.attempts[0].failure.as_ref().expect("the first attempt failed");
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("panicked on purpose at step 12"), "{failure}");
    assert_eq!(view.attempts[1].resumed_from_step, Some(10));
    let view = system.state(&bystander, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    system.end().await;
}

/// A job that takes every trainer's process along ends as lost once its losses are used up.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_every_trainer_is_given_up() {
    let mut system = System::start("poison", &[("workloads.step.retry.max_losses", "2")]).await;
    let job = system.submit("job", &StepParams::steps(20).fail(3, u32::MAX, How::Abort)).await;

    let view = loop {
        let view = system.view(&job).await;
        if view.state.is_end() {
            break view;
        }
        if system.process("host-0").is_gone() {
            system.relaunch("host-0");
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(view.state, JobState::Dead);
    assert_eq!(view.attempts.len(), 3, "{view:#?}");
    assert_eq!(view.failure.map(|failure| failure.class), Some(FailureClass::Lost));
    assert_eq!(system.dead_letters(1).await[0].job.job_id, job);
    if system.process("host-0").is_gone() {
        system.relaunch("host-0");
    }
    system.end().await;
}
