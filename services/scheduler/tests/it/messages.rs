//! What is wrong with a message is said, and harms nothing else.

use broker::{Outgoing, RequestError};
use contract::{
    JobId, Refusal, Request, SubmitJob,
    control::{EstimateJob, GetHistory, GetJob, JobState},
    lease::Hello,
    names::{DEAD_LETTERS, JOBS_EXCHANGE, REQUESTS_EXCHANGE, SCHEDULER_KEY, SUBMIT_KEY},
};

use crate::world::{World, job, submission};

/// The refusal that a request comes to.
async fn refusal<R: Request>(world: &World, request: &R) -> (Refusal, String)
where
    R::Reply: std::fmt::Debug,
{
    match world.ask(request).await {
        Err(RequestError::Refused(refused)) => (refused.reason, refused.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_nobody_can_read_goes_to_the_dead_letters() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut graves = world.broker.consume(DEAD_LETTERS, 10).await?;
    let good = contract::encode(&submission("a"));
    let newer = String::from_utf8(good.clone())?.replace("\"version\":1", "\"version\":9");
    let misspelt = String::from_utf8(good)?.replace("\"workload\"", "\"work\"");
    for (body, reason) in [
        ("garbage".to_owned(), "not a JSON object"),
        ("x".repeat(100_000), "100000 bytes"),
        (newer, "version 9 is newer than 1"),
        (misspelt, "missing field `workload`"),
        ("{\"kind\":\"job.get\",\"version\":1}".to_owned(), "\"job.get\""),
    ] {
        let bad = Outgoing::new(JOBS_EXCHANGE, SUBMIT_KEY, &submission("a"));
        let sent = world.broker.publish(Outgoing { body: body.into(), ..bad }).await;
        if sent.is_err() {
            // A client that keeps to the contract does not even send it.
            continue;
        }
        let grave = graves.next().await.expect("the line is open");
        let given = grave.reason.clone().unwrap_or_default();
        assert!(given.contains(reason), "{given:?} says {reason:?}");
        grave.settle(broker::Disposition::Ack).await;
    }
    let stray = Outgoing::new(REQUESTS_EXCHANGE, SCHEDULER_KEY, &submission("a"));
    world.broker.publish(stray).await?;
    let grave = graves.next().await.expect("the line is open");
    assert!(grave.reason.clone().unwrap_or_default().contains("request to the scheduler"));

    world.ask(&submission("a")).await?;
    assert_eq!(world.view(&job("a")).await?.state, JobState::Queued);
    leader.stop().await
}

#[tokio::test]
async fn a_refusal_says_what_would_be_right() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let poetry = SubmitJob { workload: "poetry".parse()?, ..submission("a") };
    let (reason, message) = refusal(&world, &poetry).await;
    assert_eq!(reason, Refusal::Invalid);
    assert_eq!(message, "workload poetry is not known; the workloads are classifier and dit");

    let nameless = SubmitJob { job_id: None, ..submission("a") };
    let named = world.ask(&nameless).await;
    match named {
        Ok(accepted) => {
            assert!(JobId::new(accepted.job_id.as_str()).is_ok(), "the message's own id is the name")
        }
        Err(error) => assert!(error.to_string().contains("message_id"), "{error}"),
    }

    world.ask(&submission("a")).await?;
    assert!(world.ask(&submission("a")).await?.duplicate);
    let other = SubmitJob { priority: 1, owner: "ann".into(), ..submission("a") };
    let expected = (Refusal::Conflict, "job a exists with another priority, owner".to_owned());
    assert_eq!(refusal(&world, &other).await, expected);

    let unknown = (Refusal::NotFound, "there is no job b".to_owned());
    assert_eq!(refusal(&world, &GetJob { job_id: job("b") }).await, unknown);
    assert_eq!(refusal(&world, &GetHistory { job_id: job("b"), after: 0 }).await, unknown);

    let estimate = world.ask(&EstimateJob { submission: submission("c") }).await?.estimate;
    assert_eq!((estimate.worst_attempts, estimate.gpu.as_str()), (7, "t4"));
    assert_eq!(refusal(&world, &GetJob { job_id: job("c") }).await.0, Refusal::NotFound);
    leader.stop().await
}

#[tokio::test]
async fn a_bad_submission_that_nobody_waits_for_is_kept() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut graves = world.broker.consume(DEAD_LETTERS, 10).await?;
    let mut bad = submission("a");
    bad.params.insert("epochs".into(), 0.into());
    world.publish(&bad).await?;
    let grave = graves.next().await.expect("the line is open");
    assert_eq!(grave.reason.as_deref(), Some("params: epochs is 0; it takes 1 to 10,000"));
    let kept: SubmitJob = grave.decode()?;
    assert_eq!(kept, bad);
    leader.stop().await
}

#[tokio::test]
async fn a_worker_without_a_price_is_turned_away() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let hello = Hello {
        worker: "w1".parse()?,
        incarnation: contract::Incarnation::generate(),
        workload: "classifier".parse()?,
        gpu: "abacus".parse()?,
        tier: Default::default(),
        slots: 1,
        memory_mib: None,
        host: "test".into(),
        pid: 1,
        release: "0".into(),
        paused: None,
    };
    let (reason, message) = refusal(&world, &hello).await;
    assert_eq!(reason, Refusal::Invalid);
    let expected =
        "GPU class abacus has no price; the classes in [gpu] are a100, a10g, cpu, h100, h200, l4, t4";
    assert_eq!(message, expected);
    leader.stop().await
}
