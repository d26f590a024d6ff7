//! Messages that nobody can read end in the dead letters with the reason, and nothing else suffers.

use contract::{MAX_MESSAGE_BYTES, control::JobState, names};
use system_tests::{StepParams, System};

/// Every queue that a program reads, with a kind that it knows.
const QUEUES: [(&str, &str); 5] = [
    (names::SCHEDULER_JOBS, "job.submit"),
    (names::SCHEDULER_EVENTS, "attempt.ended"),
    (names::SCHEDULER_REQUESTS, "worker.heartbeat"),
    (names::CHECKPOINT_REQUESTS, "checkpoint.commit"),
    ("work.step.cpu.on-demand", "attempt.offer"),
];

#[tokio::test(flavor = "multi_thread")]
async fn on_every_queue() {
    let mut system = System::start("bad-messages", &[]).await;
    let bystander = system.submit("bystander", &StepParams::steps(50).of_ms(20)).await;
    system.state(&bystander, JobState::Running).await;

    let bad = [
        ("garbage".to_owned(), "the message is not a JSON object"),
        (r#"{"kind": "job.submit"}"#.to_owned(), "missing field `version`"),
        (" ".repeat(MAX_MESSAGE_BYTES + 1), "the message has 65537 bytes; at most 65536 are read"),
        (r#"{"kind": "job.nonsense", "version": 1}"#.to_owned(), "job.nonsense"),
    ];
    for (queue, kind) in QUEUES {
        for (text, _) in &bad {
            system.put(queue, text).await;
        }
        system.put(queue, &format!(r#"{{"kind": "{kind}", "version": 99}}"#)).await;
    }

    let refused = system.refused_messages(QUEUES.len() * (bad.len() + 1)).await;
    for (queue, _) in QUEUES {
        for why in bad.iter().map(|(_, why)| *why).chain(["version 99 is newer than 1"]) {
            let told = refused.iter().any(|letter| letter.queue == queue && letter.reason.contains(why));
            assert!(told, "{queue} did not say {why:?}: {refused:#?}");
        }
    }

    let view = system.state(&bystander, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    system.end().await;
}
