//! The program, killed at any moment.

use std::time::Duration;

use anyhow::Context;
use broker::RequestError;
use contract::Refusal;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::Child;

use crate::world::{World, job};

/// How many steps are committed while the program is killed again and again.
const STEPS: u64 = 60;

#[tokio::test]
async fn a_file_uploaded_before_the_kill_is_committed_after_it() -> anyhow::Result<()> {
    let world = World::new(&[]).await?;
    let mut first = world.spawn()?;
    let job = job("a");
    world.open(&job, 1).await?;
    let commit = world.upload(&job, 1, 10, b"state").await?;
    first.kill().await?;

    let mut second = world.spawn()?;
    world.ask(&commit).await?;
    assert_eq!(world.steps(&job).await?, [10]);

    signal(&second, Signal::SIGTERM)?;
    let ended = second.wait().await?;
    assert!(ended.success(), "told to stop, it stops in order: {ended}");
    Ok(())
}

#[tokio::test]
async fn a_replica_that_sleeps_is_replaced_and_wakes_without_harm() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__BROKER__HEARTBEAT", "2s")]).await?;
    let sleeper = world.spawn()?;
    let job = job("a");
    world.open(&job, 1).await?;
    let commit = world.upload(&job, 1, 10, b"state").await?;
    let late = world.upload(&job, 1, 20, b"late").await?;

    signal(&sleeper, Signal::SIGSTOP)?;
    let asked = world.ask(&commit);
    let replaced = async {
        let other = world.spawn()?;
        anyhow::Ok((other, world.open(&job, 1).await?))
    };
    let (committed, replaced) = tokio::join!(asked, replaced);
    assert_eq!(committed?.manifest.step, 10, "the request was taken from the one that sleeps");
    let (_other, _) = replaced?;
    assert_eq!(world.open(&job, 2).await?.latest.context("there is one")?.key, commit.key);

    signal(&sleeper, Signal::SIGCONT)?;
    // Both answer now, in turns.
    for _ in 0..4 {
        let refused = world.ask(&late).await;
        let Err(RequestError::Refused(refused)) = refused else { anyhow::bail!("{refused:?}") };
        assert_eq!(refused.reason, Refusal::Fenced);
        assert_eq!(world.steps(&job).await?, [10]);
    }
    Ok(())
}

fn signal(program: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = program.id().context("it runs")?;
    Ok(kill(Pid::from_raw(pid.try_into()?), signal)?)
}

#[tokio::test]
async fn killed_at_random_moments_it_keeps_every_commit_once() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__CHECKPOINTS__KEEP_LAST", "1000")]).await?;
    let job = job("a");
    let committed = async {
        world.open(&job, 1).await?;
        for step in 1..=STEPS {
            let commit = world.upload(&job, 1, step, &vec![step as u8; 1 << 20]).await?;
            // Asked until it is answered, as a trainer does: every answer but the first may have been lost.
            loop {
                match world.broker.request(&commit, Duration::from_secs(1)).await {
                    Ok(_) => break,
                    Err(RequestError::TimedOut { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        anyhow::Ok(())
    };
    let kills = async {
        let mut kills = 0;
        loop {
            let mut program = world.spawn()?;
            // No event is waited for: the moment of the kill is the chance that this test takes.
            let moment = Duration::from_millis(rand::random_range(50..600));
            tokio::time::sleep(moment).await;
            program.kill().await?;
            kills += 1;
            tracing::debug!(kills, ?moment, "killed");
        }
        #[expect(unreachable_code, reason = "gives the block its type")]
        anyhow::Ok(())
    };
    tokio::select! {
        committed = committed => committed?,
        killed = kills => killed?,
    }

    let _program = world.spawn()?;
    assert_eq!(world.steps(&job).await?, (1..=STEPS).rev().collect::<Vec<_>>());
    assert_eq!(world.open(&job, 2).await?.latest.map(|latest| latest.step), Some(STEPS));
    Ok(())
}
