//! Jobs from their submission to their end.

use contract::{
    Failure, JobAccepted, StopCause,
    control::{CancelJob, GetHistory, JobState, ListJobs, ListWorkers, PauseJob, RedriveJob, ResumeJob},
    events::{AttemptEnd, DeadLetter},
    lease::Verdict,
    names::{DEAD_LETTERS, SCHEDULER_EVENTS, SCHEDULER_JOBS},
};

use crate::{
    trainer::{Trainer, succeeded, transient},
    world::{World, job, kinds, submission},
};

#[tokio::test]
async fn a_job_is_trained_after_one_retry() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 1).await?;
    let mut events = world.broker.listen(&["job.a.*"]).await?;

    let accepted: JobAccepted = world.ask(&submission("a")).await?;
    assert_eq!((accepted.state, accepted.duplicate), (JobState::Queued, false));
    assert_eq!(accepted.estimate.gpu.as_str(), "t4");

    let first = trainer.lease().await?;
    trainer.start_run(&first, 0).await?;
    assert_eq!(trainer.beat(&[(&first, 40)]).await?.runs, [Verdict::Continue]);
    trainer.end(&first, 50, transient("the disk went away")).await?;

    let second = trainer.lease().await?;
    assert_eq!((second.attempt, &second.params), (2, &submission("a").params));
    trainer.start_run(&second, 30).await?;
    trainer.end(&second, 100, succeeded()).await?;

    let view = world.reached(&job("a"), JobState::Succeeded).await?;
    assert_eq!((view.attempts.len(), view.ledger.retries, view.ledger.steps_repeated), (2, 1, 20));
    assert_eq!(kinds(&mut events, 5).await?, "job.queued job.leased job.retrying job.leased job.ended");
    let history = world.ask(&GetHistory { job_id: job("a"), after: 0 }).await?;
    assert_eq!(history.entries.len(), 9, "what the trainer told is kept beside it");

    leader.stop().await?;
    for queue in [SCHEDULER_JOBS, SCHEDULER_EVENTS, "work.classifier.t4.on-demand", DEAD_LETTERS] {
        world.holds(queue, 0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_job_is_buried_and_redriven() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 1).await?;
    let mut graves = world.broker.consume(DEAD_LETTERS, 1).await?;
    world.ask(&submission("a")).await?;

    let grant = trainer.lease().await?;
    let failure = Failure::permanent("the folder is empty");
    trainer.end(&grant, 0, AttemptEnd::Failed(failure.clone())).await?;
    let letter: DeadLetter = graves.next().await.expect("the line is open").decode()?;
    assert_eq!((letter.failure, letter.exhausted, letter.job.attempts.len()), (failure, None, 1));

    let view = world.ask(&RedriveJob::plain(job("a"))).await?;
    assert!(view.ended_at.is_none());
    let grant = trainer.lease().await?;
    assert_eq!(grant.attempt, 2);
    trainer.end(&grant, 9, succeeded()).await?;
    world.reached(&job("a"), JobState::Succeeded).await?;
    leader.stop().await
}

#[tokio::test]
async fn a_running_job_is_cancelled() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut trainer = Trainer::start(&world.broker, "w1", "cpu", 1).await?;
    world.ask(&submission("a")).await?;
    let grant = trainer.lease().await?;
    let workers = world.ask(&ListWorkers {}).await?.workers;
    assert_eq!((&workers[0].worker, &workers[0].running[..]), (&trainer.worker(), &[job("a")][..]));

    let view = world.ask(&CancelJob { job_id: job("a") }).await?;
    assert_eq!((view.state, view.stopping), (JobState::Running, Some(StopCause::Cancelled)));
    let verdicts = trainer.beat(&[(&grant, 1)]).await?.runs;
    assert_eq!(verdicts, [Verdict::Stop { cause: StopCause::Cancelled }]);
    trainer.end(&grant, 1, AttemptEnd::Cancelled).await?;
    world.reached(&job("a"), JobState::Cancelled).await?;
    leader.stop().await
}

#[tokio::test]
async fn a_running_job_is_paused_and_goes_on_when_it_is_resumed() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leader = world.start()?;
    let mut trainer = Trainer::start(&world.broker, "w1", "cpu", 1).await?;
    let mut events = world.broker.listen(&["job.a.*"]).await?;
    world.ask(&submission("a")).await?;
    let grant = trainer.lease().await?;

    let view = world.ask(&PauseJob { job_id: job("a") }).await?;
    assert_eq!((view.state, view.stopping), (JobState::Running, Some(StopCause::Paused)));
    let verdicts = trainer.beat(&[(&grant, 1)]).await?.runs;
    assert_eq!(verdicts, [Verdict::Stop { cause: StopCause::Paused }]);
    trainer.end(&grant, 1, AttemptEnd::Paused).await?;
    world.reached(&job("a"), JobState::Paused).await?;

    world.ask(&ResumeJob { job_id: job("a") }).await?;
    let grant = trainer.lease().await?;
    assert_eq!(grant.attempt, 2);
    trainer.end(&grant, 2, succeeded()).await?;
    world.reached(&job("a"), JobState::Succeeded).await?;
    let told = "job.queued job.leased job.paused job.resumed job.leased job.ended";
    assert_eq!(kinds(&mut events, 6).await?, told);
    leader.stop().await
}

#[tokio::test]
async fn urgent_jobs_go_first_and_all_are_listed() -> anyhow::Result<()> {
    let world = World::with(&[("REKINDLE__WORKLOADS__CLASSIFIER__CONCURRENCY", "1")]).await?;
    let leader = world.start()?;
    for (name, priority) in [("a", 5), ("b", 5), ("c", 9)] {
        world.ask(&contract::SubmitJob { priority, ..submission(name) }).await?;
    }
    let waiting = world.view(&job("a")).await?;
    assert_eq!(waiting.waiting_for.as_deref(), Some("no worker offers t4, l4 or cpu"));

    let mut trainer = Trainer::start(&world.broker, "w1", "t4", 1).await?;
    for expected in ["c", "a", "b"] {
        let grant = trainer.lease().await?;
        assert_eq!(grant.job_id.as_str(), expected);
        trainer.end(&grant, 1, succeeded()).await?;
    }
    world.reached(&job("b"), JobState::Succeeded).await?;
    let list = world.ask(&ListJobs { limit: 2, ..ListJobs::default() }).await?;
    let names: Vec<&str> = list.jobs.iter().map(|job| job.job_id.as_str()).collect();
    assert_eq!((names.as_slice(), list.more), (&["c", "b"][..], true));
    leader.stop().await
}
