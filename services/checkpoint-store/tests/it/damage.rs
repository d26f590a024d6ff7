//! Checkpoints whose bytes have changed.

use anyhow::Context;

use crate::world::{World, job};

#[tokio::test]
async fn the_newest_whole_one_is_taken_and_the_others_are_named() -> anyhow::Result<()> {
    let world = World::new(&[("REKINDLE__CHECKPOINTS__KEEP_LAST", "4")]).await?;
    let replica = world.start()?;
    let job = job("a");
    world.open(&job, 1).await?;
    let mut commits = Vec::new();
    for step in 1..=4 {
        commits.push(world.save(&job, 1, step).await?);
    }
    let path = |step: usize| world.store.local_path(&commits[step - 1].key).context("a folder");
    let mut flipped = std::fs::read(path(4)?)?;
    flipped[0] ^= 1;
    std::fs::write(path(4)?, flipped)?;
    std::fs::write(path(3)?, b"")?;
    std::fs::remove_file(path(2)?)?;

    let opened = world.open(&job, 2).await?;
    assert_eq!(opened.latest.context("one is whole")?.step, 1);
    for (damage, (step, text)) in
        opened.damaged.iter().zip([(4, "hash"), (3, "truncated, with 0 bytes where 3"), (2, "missing")])
    {
        assert!(damage.contains(&commits[step - 1].key) && damage.contains(text), "{damage}");
    }
    let damaged = world.list(&job).await?.iter().filter(|listed| listed.damage.is_some()).count();
    assert_eq!((opened.damaged.len(), damaged), (3, 3));
    replica.stop().await
}
