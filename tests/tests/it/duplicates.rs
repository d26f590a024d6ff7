//! RabbitMQ promises at least once. Here everything comes at least twice.

use contract::{FailureClass, control::JobState};
use system_tests::{Duplicator, How, StepParams, System};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_comes_twice() {
    let mut system = System::start("twice", &[]).await;
    let duplicator = Duplicator::start(&system).await;
    let params = StepParams::steps(40).of_ms(10).checkpoint_every(10);
    let failing = params.clone().fail(25, 2, How::Fail(FailureClass::Transient));
    let mut jobs = Vec::new();
    for name in ["one", "two", "three"] {
        jobs.push((system.submit(name, &params).await, 1));
    }
    jobs.push((system.submit("failing", &failing).await, 3));

    for (job, attempts) in &jobs {
        let view = system.state(job, JobState::Succeeded).await;
        assert_eq!(view.attempts.len(), *attempts, "a copy starts nothing: {view:#?}");
    }
    assert!(40 < duplicator.stop().await, "copies were made");
    system.end().await;
}
