//! The scheduler dies between any two of its steps; nothing is lost and nothing is decided twice.

use std::time::Duration;

use contract::{FailureClass, control::JobState};
use system_tests::{How, Program, StepParams, System};
use tokio::time::{sleep, timeout};

/// Kills it a little later after each event, so that over the rounds every place between two steps is met.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again() {
    let mut system = System::start("scheduler-killed", &[]).await;
    let params = StepParams::steps(60).of_ms(25).checkpoint_every(10);
    let failing = params.clone().fail(25, 1, How::Fail(FailureClass::Transient));
    let hopeless = StepParams::steps(60).of_ms(25).fail(30, 9, How::Fail(FailureClass::Permanent));
    let mut jobs = Vec::new();

    let mut seen = 0;
    for round in 0..24u64 {
        // New jobs arrive all the while, published without waiting for an answer.
        if round % 4 == 0 {
            let params = if round % 8 == 0 { &failing } else { &params };
            jobs.push(system.publish(&system_tests::submission(&format!("job-{round}"), params)).await);
        }
        if let Ok(count) = timeout(Duration::from_secs(2), system.events.more_than(seen)).await {
            seen = count;
        }
        sleep(Duration::from_millis(round * 7 % 50)).await;
        system.restart("scheduler").await;
    }
    let dead = system.publish(&system_tests::submission("hopeless", &hopeless)).await;

    for job in &jobs {
        let view = system.state(job, JobState::Succeeded).await;
        assert_eq!(view.ledger.losses, 0, "no attempt was lost to the scheduler's deaths: {view:#?}");
        assert!(view.attempts.len() <= 2, "{view:#?}");
    }
    system.state(&dead, JobState::Dead).await;
    system.dead_letters(1).await;
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_one_takes_over() {
    let mut system = System::start("scheduler-failover", &[]).await;
    system.launch(Program::scheduler("scheduler-2")).await;
    let job = system.submit("job", &StepParams::steps(100).of_ms(30).checkpoint_every(20)).await;
    system.state(&job, JobState::Running).await;

    // Whichever of the two leads, it is gone after this.
    system.kill("scheduler").await;
    let late = system.submit("late", &StepParams::steps(5)).await;
    system.state(&late, JobState::Succeeded).await;
    system.relaunch("scheduler");
    system.kill("scheduler-2").await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    system.end().await;
}

/// No lease runs out while the scheduler, rather than the trainer, is away.
#[tokio::test(flavor = "multi_thread")]
async fn away_for_longer_than_a_lease() {
    let mut system = System::start("scheduler-away", &[]).await;
    let hold = system_tests::Hold::at_step(&system.holds(), 10);
    let job = system.submit("job", &StepParams::steps(20).hold(&hold)).await;
    hold.reached().await;

    system.kill("scheduler").await;
    // Longer than the lease: what is tested is that this length of time does no harm.
    sleep(Duration::from_secs(5)).await;
    system.relaunch("scheduler");
    system.view(&job).await;
    hold.release();

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "{view:#?}");
    system.end().await;
}
