//! What is removed, and what stays.

use local_broker::testing::eventually;

use crate::world::{World, job};

#[tokio::test]
async fn old_checkpoints_go_after_a_commit() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__CHECKPOINTS__KEEP_LAST", "2")]).await?;
    let replica = world.start()?;
    let job = job("a");
    world.open(&job, 1).await?;
    for step in 1..=5 {
        world.save(&job, 1, step).await?;
    }
    eventually("two checkpoints are left", async || world.files(&job) == 2).await?;
    assert_eq!(world.steps(&job).await?, [5, 4]);
    replica.stop().await
}

#[tokio::test]
async fn uploads_that_nobody_commits_are_swept() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__CHECKPOINTS__SWEEP_AFTER", "2s")]).await?;
    let replica = world.start()?;
    let job = job("a");
    world.open(&job, 1).await?;
    world.save(&job, 1, 1).await?;
    let abandoned = world.upload(&job, 1, 2, b"abandoned").await?;
    eventually("one file is left", async || world.files(&job) == 1).await?;
    assert_eq!(world.steps(&job).await?, [1]);
    assert!(world.ask(&abandoned).await.is_err(), "what was swept cannot be committed");
    replica.stop().await
}
