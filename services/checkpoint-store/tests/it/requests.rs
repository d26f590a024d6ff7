//! What is asked and what is answered.

use anyhow::Context;
use broker::{Disposition, Outgoing, RequestError};
use contract::{
    Refusal,
    checkpoints::{ListCheckpoints, OpenHistory},
    lease::Goodbye,
    names::{CHECKPOINTS_KEY, DEAD_LETTERS, REQUESTS_EXCHANGE},
};
use tokio::task::JoinSet;

use crate::world::{World, job};

/// Why a request was refused.
fn refusal<T: std::fmt::Debug>(answer: Result<T, RequestError>) -> Refusal {
    match answer {
        Err(RequestError::Refused(refused)) => refused.reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn an_attempt_opens_commits_and_is_overtaken() -> anyhow::Result<()> {
    let world = World::new(&[]).await?;
    let replica = world.start()?;
    let job = job("a");

    assert_eq!(world.open(&job, 1).await?.latest, None);
    let commit = world.save(&job, 1, 10).await?;
    assert_eq!(world.ask(&commit).await?.manifest.step, 10, "a commit that is asked for again stands");

    let late = world.upload(&job, 1, 20, b"late").await?;
    let opened = world.open(&job, 2).await?;
    assert_eq!(opened.latest.context("there is one")?.key, commit.key);
    assert_eq!(refusal(world.ask(&late).await), Refusal::Fenced);
    assert_eq!(refusal(world.open(&job, 1).await), Refusal::Fenced);
    assert_eq!(world.steps(&job).await?, [10]);

    world.save(&job, 2, 20).await?;
    assert_eq!(world.steps(&job).await?, [20, 10]);
    assert_eq!(world.steps(&crate::world::job("unknown")).await?, [] as [u64; 0]);
    replica.stop().await
}

#[tokio::test]
async fn each_refusal_says_what_is_wrong() -> anyhow::Result<()> {
    let world = World::new(&[]).await?;
    let replica = world.start()?;
    let job = job("a");
    world.open(&job, 3).await?;

    let early = world.upload(&job, 4, 10, b"not opened").await?;
    assert_eq!(refusal(world.ask(&early).await), Refusal::Invalid);

    let mut wrong = world.upload(&job, 3, 10, b"content").await?;
    wrong.blake3 = blake3::hash(b"other content").to_string();
    assert_eq!(refusal(world.ask(&wrong).await), Refusal::Invalid);

    wrong.key = format!("jobs/{job}/data/../../b/data/x.safetensors");
    assert_eq!(refusal(world.ask(&wrong).await), Refusal::Invalid);

    world.save(&job, 3, 30).await?;
    let held_up = world.upload(&job, 3, 20, b"held up").await?;
    assert_eq!(refusal(world.ask(&held_up).await), Refusal::Conflict);
    assert_eq!(world.steps(&job).await?, [30]);
    replica.stop().await
}

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters() -> anyhow::Result<()> {
    let world = World::new(&[]).await?;
    let replica = world.start()?;
    let goodbye =
        Goodbye { worker: contract::WorkerId::new("w")?, incarnation: contract::Incarnation::generate() };
    world.broker.publish(Outgoing::new(REQUESTS_EXCHANGE, CHECKPOINTS_KEY, &goodbye)).await?;

    let mut dead = world.broker.consume(DEAD_LETTERS, 1).await?;
    let letter = dead.next().await.context("the broker runs")?;
    assert_eq!(letter.decode::<Goodbye>()?, goodbye);
    let reason = letter.reason.clone().context("it says why")?;
    assert!(reason.contains("worker.goodbye") && reason.contains("checkpoint.open"), "{reason}");
    letter.settle(Disposition::Ack).await;
    replica.stop().await
}

#[tokio::test]
async fn many_replicas_asked_at_once_make_one_history() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__CHECKPOINTS__KEEP_LAST", "100")]).await?;
    let replicas = [world.start()?, world.start()?, world.start()?];
    let job = job("a");
    world.open(&job, 1).await?;
    let mut asking = JoinSet::new();
    for step in 1..=5 {
        // The same state, uploaded twice, and each file committed twice.
        for _ in 0..2 {
            let commit = world.upload(&job, 1, step, &[step as u8; 100]).await?;
            for _ in 0..2 {
                let (broker, commit) = (world.broker.clone(), commit.clone());
                asking
                    .spawn(async move { broker.request(&commit, std::time::Duration::from_secs(30)).await });
            }
        }
    }
    let list = ListCheckpoints { job_id: job.clone(), verify: false };
    while let Some(answered) = asking.join_next().await {
        match answered? {
            Ok(committed) => assert_eq!(committed.manifest.token, 1),
            // They come in any order; one that comes after a later step is too late.
            Err(error) => assert_eq!(refusal(Err::<(), _>(error)), Refusal::Conflict),
        }
    }
    let steps: Vec<_> = world.ask(&list).await?.checkpoints.iter().map(|it| it.manifest.step).collect();
    assert!(steps.is_sorted_by(|newer, older| older < newer) && steps.first() == Some(&5), "{steps:?}");
    for replica in replicas {
        replica.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_leaves_no_request_unanswered() -> anyhow::Result<()> {
    let world = World::new(&[]).await?;
    let first = world.start()?;
    world.open(&job("ready"), 1).await?;
    let mut asking = JoinSet::new();
    for number in 0..40 {
        let (broker, job_id) = (world.broker.clone(), job(&format!("job-{number}")));
        let open = OpenHistory { job_id, token: 1 };
        asking.spawn(async move { broker.request(&open, std::time::Duration::from_secs(30)).await });
    }
    first.stop().await?;
    let second = world.start()?;
    while let Some(answered) = asking.join_next().await {
        assert_eq!(answered??.latest, None);
    }
    second.stop().await
}
