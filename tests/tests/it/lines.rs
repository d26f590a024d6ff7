//! The line between a program and the broker is cut and comes back.

use std::time::Duration;

use contract::control::JobState;
use system_tests::{Hold, Program, SCHEDULER, StepParams, System};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_cut_off_for_less_than_its_lease_loses_nothing() {
    let mut system = System::start("trainer-cut-off", &[("scheduler.lease", "10s")]).await;
    let hold = Hold::at_step(&system.holds(), 10);
    let job = system.submit("job", &StepParams::steps(50).of_ms(10).hold(&hold)).await;
    hold.reached().await;

    // It works on, and finishes, while nobody can hear it.
    system.line("host-0").cut();
    hold.release();
    sleep(Duration::from_secs(1)).await;
    system.line("host-0").restore();

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_cut_off_beyond_its_lease_yields_to_its_successor() {
    let mut system = System::start("trainer-overtaken", &[]).await;
    let cut_off = Hold::at_step(&system.holds(), 25);
    let successor = Hold::at_step(&system.holds(), 30).of_attempt(2);
    let params = StepParams::steps(40).commit_every(10).hold(&cut_off).hold(&successor);
    let job = system.submit("job", &params).await;
    cut_off.reached().await;
    system
        .until(&job, "checkpointed at 20", |view| view.attempts[0].progress.checkpoint_step == Some(20))
        .await;

    system.line("host-0").cut();
    system.launch(Program::step_trainer("host-1")).await;
    successor.reached().await;
    cut_off.release();
    system.line("host-0").restore();
    system.attempt_ended(&job, 1).await;
    successor.release();

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert_eq!(view.attempts[1].resumed_from_step, Some(20));
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_cut_off_decides_nothing_meanwhile() {
    let mut system = System::start("scheduler-cut-off", &[]).await;
    let hold = Hold::at_step(&system.holds(), 10);
    let job = system.submit("job", &StepParams::steps(20).hold(&hold)).await;
    hold.reached().await;

    system.line(SCHEDULER).cut();
    // Longer than the lease: the trainer is well and only the scheduler does not hear it.
    sleep(Duration::from_secs(4)).await;
    system.line(SCHEDULER).restore();
    system.view(&job).await;
    hold.release();

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.losses), (1, 0), "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_breaks_again_and_again() {
    let mut system = System::start("lines-break", &[("scheduler.lease", "10s")]).await;
    let job = system.submit("job", &StepParams::steps(150).of_ms(20).checkpoint_every(5)).await;
    system.state(&job, JobState::Running).await;
    for round in 0..12u64 {
        let name = [SCHEDULER, "host-0", system_tests::STORE][(round % 3) as usize];
        system.line(name).cut();
        sleep(Duration::from_millis(20 + round * 17 % 90)).await;
        system.line(name).restore();
        sleep(Duration::from_millis(150)).await;
    }
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "{view:#?}");
    system.end().await;
}
