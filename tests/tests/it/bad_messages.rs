//! Messages that nobody can read end in the dead letters with the reason, and nothing else suffers.

use std::time::Duration;

use broker::Outgoing;
use contract::{control::JobState, names};
use serde_json::json;
use system_tests::{StepParams, System};

const QUEUES: [&str; 5] = [
    names::SCHEDULER_JOBS,
    names::SCHEDULER_EVENTS,
    names::SCHEDULER_REQUESTS,
    names::CHECKPOINT_REQUESTS,
    "work.step.cpu.on-demand",
];

#[tokio::test(flavor = "multi_thread")]
async fn on_every_queue() {
    let mut system = System::start("bad-messages", &[]).await;
    let bystander = system.submit("bystander", &StepParams::steps(50).of_ms(20)).await;
    system.state(&bystander, JobState::Running).await;

    let bad = [
        (b"\xff\xfe garbage".to_vec(), "the message is not a JSON object"),
        (b"{\"kind\": \"job.submit\"}".to_vec(), "missing field `version`"),
        (vec![b' '; contract::MAX_MESSAGE_BYTES + 1], "the message has 65537 bytes; at most 65536 are read"),
        (json!({ "kind": "job.nonsense", "version": 1 }).to_string().into_bytes(), "job.nonsense"),
    ];
    for queue in QUEUES {
        for (body, _) in &bad {
            system.broker.publish(straight_to(queue, body.clone())).await.unwrap();
        }
    }
    let newer = [
        (names::SCHEDULER_JOBS, "job.submit"),
        (names::SCHEDULER_EVENTS, "attempt.ended"),
        (names::SCHEDULER_REQUESTS, "worker.heartbeat"),
        (names::CHECKPOINT_REQUESTS, "checkpoint.commit"),
        ("work.step.cpu.on-demand", "attempt.offer"),
    ];
    for (queue, kind) in newer {
        let body = json!({ "kind": kind, "version": 99 }).to_string().into_bytes();
        system.broker.publish(straight_to(queue, body)).await.unwrap();
    }

    let refused = system.refused_messages(QUEUES.len() * (bad.len() + 1)).await;
    for queue in QUEUES {
        for why in bad.iter().map(|(_, why)| *why).chain(["version 99 is newer than 1"]) {
            let told = refused.iter().any(|letter| letter.queue == queue && letter.reason.contains(why));
            assert!(told, "{queue} did not say {why:?}: {refused:#?}");
        }
    }

    let view = system.state(&bystander, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    system.end().await;
}

fn straight_to(queue: &str, body: Vec<u8>) -> Outgoing {
    Outgoing {
        exchange: String::new(),
        routing_key: queue.into(),
        body,
        message_id: None,
        correlation_id: None,
        durable: true,
        delay: Duration::ZERO,
        traceparent: None,
    }
}
