//! The program, killed at any moment.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use contract::{JobId, control::JobState, events::JobEnded};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};

use crate::{
    trainer::Trainer,
    world::{World, connect, job, submission},
};

const JOBS: usize = 120;
const KILLS: usize = 6;

#[tokio::test]
async fn killed_again_and_again_it_ends_every_job_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut scheduler = world.spawn()?;
    let mut ends = world.broker.listen(&["job.*.ended"]).await?;
    let mut trainers = JoinSet::new();
    for name in ["w1", "w2"] {
        let trainer = Trainer::start(&connect(world.vhost.amqp_url()).await?, name, "t4", 4).await?;
        trainers.spawn(trainer.work());
    }

    let mut pause = interval(Duration::from_millis(400));
    for round in 0..KILLS {
        for n in 0..JOBS / KILLS {
            world.publish(&submission(&format!("job-{round}-{n}"))).await?;
        }
        pause.tick().await;
        scheduler.kill().await?;
        scheduler = world.spawn()?;
    }

    let mut ended: BTreeMap<JobId, JobState> = BTreeMap::new();
    while ended.len() < JOBS {
        let event = timeout(Duration::from_secs(60), ends.next()).await;
        let event = event.with_context(|| format!("{} of {JOBS} have ended", ended.len()))?;
        let event: JobEnded = event.context("the line is open")?.decode()?;
        // Told twice, perhaps, when the scheduler was killed in between; but never another end.
        let before = ended.insert(event.job_id, event.state);
        assert!(before.is_none_or(|state| state == event.state));
    }
    for round in 0..KILLS {
        for n in 0..JOBS / KILLS {
            let view = world.view(&job(&format!("job-{round}-{n}"))).await?;
            assert_eq!(view.state, JobState::Succeeded, "{view:?}");
        }
    }
    trainers.shutdown().await;
    Ok(())
}
