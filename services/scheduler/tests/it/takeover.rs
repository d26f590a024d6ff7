//! One scheduler takes over from another while every place is taken.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, ensure};
use contract::{
    JobId, Timestamp,
    control::JobState,
    lease::{ClaimAnswer, Grant, OfferAttempt, Verdict},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::Child;

use crate::{
    trainer::{Trainer, succeeded},
    world::{World, job, submission},
};

/// How many jobs may run at once, and how many of ada's.
const MOST: usize = 3;
const MOST_OF_ADA: usize = 2;
const JOBS_OF_EACH: usize = 8;
const TAKEOVERS: usize = 3;

/// A trainer with more slots than anybody may use, and all jobs there are.
struct Crew<'a> {
    world: &'a World,
    trainer: Trainer,
    /// Whose job each is that has not begun, or has not ended.
    waiting: BTreeMap<JobId, &'static str>,
    running: VecDeque<(Grant, &'static str)>,
}

impl<'a> Crew<'a> {
    async fn start(world: &'a World) -> anyhow::Result<Self> {
        let trainer = Trainer::start(&world.broker, "w1", "t4", 9).await?;
        let mut waiting = BTreeMap::new();
        for (owner, n) in
            ["ada", "bob"].into_iter().flat_map(|owner| (0..JOBS_OF_EACH).map(move |n| (owner, n)))
        {
            let submission =
                contract::SubmitJob { owner: owner.into(), ..submission(&format!("{owner}-{n}")) };
            world.ask(&submission).await?;
            waiting.insert(job(&format!("{owner}-{n}")), owner);
        }
        Ok(Self { world, trainer, waiting, running: VecDeque::new() })
    }

    fn running_of_ada(&self) -> usize {
        self.running.iter().filter(|(_, owner)| *owner == "ada").count()
    }

    /// Whether another job may begin.
    fn has_room(&self) -> bool {
        let waits = |whose: &str| self.waiting.values().any(|owner| *owner == whose);
        let may_begin = waits("bob") || (waits("ada") && self.running_of_ada() < MOST_OF_ADA);
        self.running.len() < MOST && may_begin
    }

    /// Takes what is offered until no place is left.
    async fn fill(&mut self) -> anyhow::Result<()> {
        while self.has_room() {
            let grant = self.trainer.lease().await?;
            let owner = self.waiting.remove(&grant.job_id).context("a job begins once")?;
            self.running.push_back((grant, owner));
            ensure!(self.running.len() <= MOST, "the workload's limit is passed: {:?}", self.running);
            ensure!(self.running_of_ada() <= MOST_OF_ADA, "ada's limit is passed: {:?}", self.running);
        }
        Ok(())
    }

    /// Asks for jobs that wait as if they had been offered.
    async fn nothing_else_is_granted(&self) -> anyhow::Result<()> {
        for whose in ["ada", "bob"] {
            let Some((job_id, _)) = self.waiting.iter().find(|(_, owner)| **owner == whose) else { continue };
            let offer = OfferAttempt { job_id: job_id.clone(), attempt: 1 };
            match self.trainer.claim(&offer, true).await? {
                ClaimAnswer::Refused { why, .. } => ensure!(why.contains("at most"), "{job_id}: {why}"),
                ClaimAnswer::Granted(grant) => {
                    anyhow::bail!("no place is left, and it was granted: {grant:?}")
                }
            }
        }
        Ok(())
    }

    /// Says that the job which began first is done.
    async fn end_one(&mut self) -> anyhow::Result<()> {
        let (grant, _) = self.running.pop_front().context("something runs")?;
        self.trainer.end(&grant, 1, succeeded()).await
    }

    /// Whether whoever leads knows everything that runs.
    async fn goes_on(&self) -> anyhow::Result<()> {
        let runs: Vec<(&Grant, u64)> = self.running.iter().map(|(grant, _)| (grant, 1)).collect();
        let answer = self.trainer.beat(&runs).await?;
        ensure!(
            answer.known && answer.runs.iter().all(|verdict| *verdict == Verdict::Continue),
            "{answer:?}"
        );
        Ok(())
    }

    /// Every job has succeeded with its first attempt, and by the scheduler's own account no limit was passed at any time.
    async fn all_is_well(&self) -> anyhow::Result<()> {
        let mut changes = Vec::new();
        for (owner, n) in
            ["ada", "bob"].into_iter().flat_map(|owner| (0..JOBS_OF_EACH).map(move |n| (owner, n)))
        {
            let view = self.world.reached(&job(&format!("{owner}-{n}")), JobState::Succeeded).await?;
            let [attempt] = view.attempts.as_slice() else { anyhow::bail!("{view:?}") };
            let ended_at = attempt.ended_at.context("it has ended")?;
            changes.extend([(attempt.leased_at, 1, owner), (ended_at, -1, owner)]);
        }
        // Of what happens in the same moment, ends come first.
        changes.sort_unstable_by_key(|(at, change, _): &(Timestamp, i32, &str)| (*at, *change));
        let (mut all, mut adas) = (0, 0);
        for (at, change, owner) in changes {
            all += change;
            adas += if owner == "ada" { change } else { 0 };
            ensure!(all <= MOST as i32 && adas <= MOST_OF_ADA as i32, "{all} ran at {at:?}, {adas} of ada's");
        }
        Ok(())
    }
}

#[tokio::test]
async fn limits_are_kept_while_one_takes_over_from_another() -> anyhow::Result<()> {
    let world = World::with(&[
        ("REKINDLE__WORKLOADS__CLASSIFIER__CONCURRENCY", "3"),
        ("REKINDLE__OWNERS__ADA__CONCURRENCY", "2"),
    ])
    .await?;
    let mut leader = world.spawn()?;
    let mut crew = Crew::start(&world).await?;
    for _ in 0..TAKEOVERS {
        crew.fill().await?;
        let mut successor = world.spawn()?;
        crew.nothing_else_is_granted().await?;

        // While the one that leads stands still it still leads, and nobody decides.
        signal(&leader, Signal::SIGSTOP)?;
        crew.end_one().await?;
        ensure!(successor.try_wait()?.is_none(), "it waits for its turn");
        signal(&leader, Signal::SIGCONT)?;
        crew.fill().await?;
        crew.nothing_else_is_granted().await?;

        // What is said while it stands still is heard by the one that takes over.
        signal(&leader, Signal::SIGSTOP)?;
        crew.end_one().await?;
        leader.kill().await?;
        leader = successor;
        crew.goes_on().await?;
        crew.fill().await?;
        crew.nothing_else_is_granted().await?;
    }
    while !crew.running.is_empty() {
        crew.end_one().await?;
        crew.fill().await?;
    }
    crew.all_is_well().await
}

fn signal(process: &Child, signal: Signal) -> anyhow::Result<()> {
    let id = process.id().context("it runs")?;
    Ok(kill(Pid::from_raw(id.try_into()?), signal)?)
}
