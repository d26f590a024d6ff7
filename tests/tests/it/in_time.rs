//! Attempts that will not be done in time, and limits that follow what is predicted.

use contract::{FailureClass, Timeout, control::JobState, events::JobWarned};
use system_tests::{StepParams, System};

/// A job is warned while it runs, once an attempt, and its attempts go on from each other all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_warned_of_an_attempt_that_will_not_be_done() {
    let mut system = System::start("warned", &[]).await;
    let params = StepParams::steps(200).of_ms(50);
    let job = system.submit_with("job", &params, |job| job.timeout = Some("6s".parse().unwrap())).await;

    let view = system.until(&job, "warned", |view| !view.warnings.is_empty()).await;
    assert!(view.warnings[0].ends_with("left of its timeout of 6s"), "{view:#?}");
    let (run_until, finish) = (view.run_until.unwrap(), view.predicted_finish.unwrap());
    assert!(run_until < finish, "the prediction is why it is warned: {view:#?}");

    let view = system.state(&job, JobState::Succeeded).await;
    let first = view.attempts[0].failure.as_ref().map(|failure| failure.class);
    assert_eq!((first, view.ledger.steps_repeated), (Some(FailureClass::Timeout), 0), "{view:#?}");
    assert_eq!((view.warnings.len(), view.predicted_finish), (0, None), "{view:#?}");
    let warned: Vec<u32> = system.events.all::<JobWarned>().iter().map(|event| event.attempt).collect();
    assert_eq!(warned.iter().filter(|attempt| **attempt == 1).count(), 1, "{warned:?}");
    system.end().await;
}

/// With `timeout = "auto"` an attempt may run as long as it is predicted to need, and its trainer is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_timeout_follows_the_prediction() {
    let mut system = System::start("auto-timeout", &[("workloads.step.timeout", "5s")]).await;
    let params = StepParams::steps(200).of_ms(50);
    let job = system.submit_with("job", &params, |job| job.timeout = Some(Timeout::Auto)).await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "10 s of steps fit, though the workload's timeout is 5 s: {view:#?}");
    assert!(system.events.all::<JobWarned>().is_empty());
    system.end().await;
}
