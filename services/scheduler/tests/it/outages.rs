//! Schedulers that stop, and others that take over.

use std::time::Duration;

use contract::{control::JobState, lease::Verdict};
use local_broker::testing::Proxy;

use crate::{
    trainer::{Trainer, succeeded},
    world::{World, job, submission},
};

#[tokio::test]
async fn a_run_does_not_notice_that_the_scheduler_starts_again() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 1).await?;
    world.ask(&submission("a")).await?;
    world.ask(&submission("b")).await?;
    let grant = trainer.lease().await?;
    trainer.beat(&[(&grant, 10)]).await?;
    leader.abort().await;

    // Said while nobody listens, and heard later.
    trainer.start_run(&grant, 0).await?;
    let leader = world.start()?;
    let answer = trainer.beat(&[(&grant, 20)]).await?;
    assert!(answer.known);
    assert_eq!(answer.runs, [Verdict::Continue]);
    trainer.end(&grant, 30, succeeded()).await?;
    let view = world.reached(&job("a"), JobState::Succeeded).await?;
    assert_eq!((view.attempts.len(), view.attempts[0].resumed_from_step), (1, Some(0)));

    let grant = trainer.lease().await?;
    assert_eq!(grant.job_id, job("b"));
    trainer.end(&grant, 30, succeeded()).await?;
    world.reached(&job("b"), JobState::Succeeded).await?;
    leader.stop().await
}

#[tokio::test]
async fn one_leads_and_another_takes_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    let first = world.start()?;
    world.ask(&submission("a")).await?;
    let second = world.start()?;
    world.ask(&submission("b")).await?;
    first.stop().await?;

    // The second has all the first knew.
    assert!(world.ask(&submission("a")).await?.duplicate);
    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 2).await?;
    for _ in 0..2 {
        let grant = trainer.lease().await?;
        trainer.end(&grant, 1, succeeded()).await?;
    }
    world.reached(&job("a"), JobState::Succeeded).await?;
    world.reached(&job("b"), JobState::Succeeded).await?;
    second.stop().await
}

#[tokio::test]
async fn one_that_waits_for_its_turn_can_be_stopped() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    world.ask(&submission("a")).await?;
    world.start()?.stop().await?;
    leader.stop().await
}

#[tokio::test]
async fn no_lease_runs_out_while_the_scheduler_is_cut_off() -> anyhow::Result<()> {
    let world =
        World::with(&[("REKINDLE__SCHEDULER__HEARTBEAT", "0.2"), ("REKINDLE__SCHEDULER__LEASE", "1")])
            .await?;
    let line = Proxy::start(world.vhost.amqp_url()).await?;
    let leader = world.start_at(line.url())?;
    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 1).await?;
    world.ask(&submission("a")).await?;
    let grant = trainer.lease().await?;
    trainer.beat(&[(&grant, 1)]).await?;

    line.cut();
    // Three leases long nobody hears the trainer, and the question waits for its answer.
    let runs = [(&grant, 2)];
    let beat = trainer.beat(&runs);
    let cut_off = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        line.restore();
        anyhow::Ok(())
    };
    let (answer, restored) = tokio::join!(beat, cut_off);
    restored?;
    assert_eq!(answer?.runs, [Verdict::Continue], "the lease outlived the outage");
    trainer.end(&grant, 3, succeeded()).await?;
    let view = world.reached(&job("a"), JobState::Succeeded).await?;
    assert_eq!(view.ledger.losses, 0);

    // Silence counts again afterwards.
    world.ask(&submission("b")).await?;
    trainer.lease().await?;
    let lost = world.reached(&job("b"), JobState::BackingOff).await?;
    assert_eq!(lost.ledger.losses, 1);
    leader.stop().await
}
