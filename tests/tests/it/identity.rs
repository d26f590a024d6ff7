//! One name is one job, however often and in whatever form it is submitted.

use contract::{Refusal, control::JobState};
use system_tests::{StepParams, System, submission};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_twice_is_one_job() {
    let mut system = System::start("same-twice", &[]).await;
    let params = StepParams::steps(10);
    let first = system.ask(&submission("job", &params)).await.unwrap();
    assert!(!first.duplicate);
    let again = system.ask(&submission("job", &params)).await.unwrap();
    assert!(again.duplicate);
    let job = system.publish(&submission("job", &params)).await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    let after = system.ask(&submission("job", &params)).await.unwrap();
    assert!(after.duplicate);
    assert_eq!(after.state, JobState::Succeeded);
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_submission_under_the_same_name_is_refused() {
    let mut system = System::start("same-name", &[]).await;
    let job = system.submit("job", &StepParams::steps(10)).await;
    let refused = system.ask(&submission("job", &StepParams::steps(11))).await.unwrap_err();
    assert_eq!(refused.reason, Refusal::Conflict);
    assert!(refused.message.contains("job"), "{refused}");

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.submission.params, StepParams::steps(10).to_map());
    system.end().await;
}
