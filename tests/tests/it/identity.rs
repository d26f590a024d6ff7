//! One name is one job, however often and in whatever form it is submitted.

use contract::{
    Refusal,
    checkpoints::RemoveHistory,
    control::{GetJob, JobState, RemoveJob},
};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_job_leaves_nothing_but_its_name() {
    let mut system = System::start("removed", &[]).await;
    let job = system.submit("job", &StepParams::steps(30).checkpoint_every(10)).await;
    let view = system.state(&job, JobState::Succeeded).await;
    let token = view.attempts.last().expect("it ran").attempt;

    let removed = system.ask(&RemoveHistory { job_id: job.clone(), token }).await.unwrap();
    assert!(0 < removed.objects, "{removed:?}");
    system.ask(&RemoveJob { job_id: job.clone() }).await.unwrap();
    let unknown = system.ask(&GetJob { job_id: job.clone() }).await.unwrap_err();
    assert_eq!(unknown.reason, Refusal::NotFound);
    system.forget(&job);

    // A publisher that publishes once more, late, starts nothing.
    let late = system.ask(&submission("job", &StepParams::steps(30).checkpoint_every(10))).await.unwrap_err();
    assert_eq!(late.reason, Refusal::Conflict);
    assert!(late.message.contains("has been removed"), "{late}");
    system.end().await;
}
