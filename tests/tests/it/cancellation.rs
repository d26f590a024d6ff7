//! Cancelling a job in every state it can be in.

use contract::{
    FailureClass, JobId,
    control::{CancelJob, JobState, JobView},
};
use system_tests::{Hold, How, StepParams, System};

async fn cancel(system: &System, job: &JobId) -> JobView {
    system.ask(&CancelJob { job_id: job.clone() }).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_queued_or_running() {
    let mut system = System::start("cancel-running", &[("workloads.step.concurrency", "1")]).await;
    let hold = Hold::at_step(&system.holds(), 10);
    let running = system.submit("running", &StepParams::steps(20).checkpoint_every(5).hold(&hold)).await;
    hold.reached().await;
    let queued = system.submit("queued", &StepParams::steps(20)).await;
    let next = system.submit("next", &StepParams::steps(20)).await;
    system.state(&queued, JobState::Queued).await;

    assert_eq!(cancel(&system, &queued).await.state, JobState::Cancelled);
    cancel(&system, &running).await;
    system.state(&running, JobState::Cancelled).await;

    // The place it held is free again.
    system.state(&next, JobState::Succeeded).await;
    let view = system.view(&queued).await;
    assert!(view.attempts.is_empty(), "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_offered() {
    let mut system = System::start("cancel-offered", &[("workloads.step.slots", "1")]).await;
    let hold = Hold::at_step(&system.holds(), 1);
    let busy = system.submit("busy", &StepParams::steps(2).hold(&hold)).await;
    hold.reached().await;
    let job = system.submit("job", &StepParams::steps(20)).await;
    system.state(&job, JobState::Offered).await;
    assert_eq!(cancel(&system, &job).await.state, JobState::Cancelled);

    // The offer still lies in the queue; the trainer that takes it is told that there is nothing to run.
    hold.release();
    system.state(&busy, JobState::Succeeded).await;
    let other = system.submit("other", &StepParams::steps(5)).await;
    system.state(&other, JobState::Succeeded).await;
    let view = system.state(&job, JobState::Cancelled).await;
    assert!(view.attempts.is_empty(), "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_backs_off() {
    let mut system = System::start("cancel-backing-off", &[]).await;
    let params = StepParams::steps(20).fail(5, 1, How::Fail(FailureClass::Transient));
    let job = system
        .submit_with("job", &params, |job| {
            job.retry.initial_delay = Some("3s".parse().unwrap());
            job.retry.max_delay = Some("3s".parse().unwrap());
        })
        .await;
    system.state(&job, JobState::BackingOff).await;
    assert_eq!(cancel(&system, &job).await.state, JobState::Cancelled);

    // Its offer is still on its way through the delay levels, and must come to nothing.
    system.queues_empty().await;
    let view = system.state(&job, JobState::Cancelled).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_end() {
    let mut system = System::start("cancel-ended", &[]).await;
    let job = system.submit("job", &StepParams::steps(5)).await;
    system.state(&job, JobState::Succeeded).await;

    let answer = system.ask(&CancelJob { job_id: job.clone() }).await;
    assert!(answer.is_err() || answer.is_ok_and(|view| view.state == JobState::Succeeded));
    system.state(&job, JobState::Succeeded).await;

    let unknown = system.ask(&CancelJob { job_id: JobId::new("unknown").unwrap() }).await.unwrap_err();
    assert_eq!(unknown.reason, contract::Refusal::NotFound);
    assert!(unknown.message.contains("unknown"), "{unknown}");
    system.end().await;
}
