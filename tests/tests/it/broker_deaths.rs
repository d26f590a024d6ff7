//! RabbitMQ itself dies and comes back, or takes no messages for a while.

use std::time::Duration;

use contract::control::JobState;
use system_tests::{Hold, How, Program, StepParams, System};

/// As the settings of these tests have it.
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_jobs_train() {
    let mut system = System::with_own_broker("broker-killed", &[]).await;
    system.launch_all([Program::step_trainer("host-0")]).await;
    let hold = Hold::at_step(&system.holds(), 50);
    let params = StepParams::steps(100).of_ms(10).checkpoint_every(20).hold(&hold);
    let training = system.submit("training", &params).await;
    let failing = StepParams::steps(10).fail(5, 1, How::Fail(contract::FailureClass::Transient));
    let backing_off = system
        .submit_with("backing-off", &failing, |job| {
            job.retry.initial_delay = Some("8s".parse().unwrap());
            job.retry.max_delay = Some("8s".parse().unwrap());
        })
        .await;
    hold.reached().await;
    system.state(&backing_off, JobState::BackingOff).await;

    hold.release();
    system.restart_broker().await;

    let view = system.state(&training, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "it costs no step: {view:#?}");
    let view = system.state(&backing_off, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    let after = system.submit("after", &StepParams::steps(5)).await;
    system.state(&after, JobState::Succeeded).await;
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_of_memory_for_longer_than_a_lease() {
    let mut system = System::with_own_broker("broker-held-back", &[]).await;
    system.launch_all([Program::step_trainer("host-0")]).await;
    let hold = Hold::at_step(&system.holds(), 50);
    let params = StepParams::steps(100).of_ms(10).checkpoint_every(20).hold(&hold);
    let training = system.submit("training", &params).await;
    hold.reached().await;

    system.hold_back_broker(true).await;
    // Nobody can be asked meanwhile: the time itself is what is tried here.
    tokio::time::sleep(LEASE * 2).await;
    hold.release();
    system.hold_back_broker(false).await;

    let view = system.state(&training, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "it costs no step: {view:#?}");
    system.end().await;
}
