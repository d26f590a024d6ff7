//! What deciding costs, for the benchmarks. A door to the core through which nothing else goes.

use std::time::Duration;

use contract::{
    Incarnation, JobId, SubmitJob, Tier, Timestamp, WorkerId, Workload,
    events::{AttemptEnd, AttemptEnded, AttemptStarted, RunResult},
    lease::{Claim, Heartbeat, Hello, Progress, RunReport},
};
use serde_json::{Map, json};
use settings::Settings;
use tokio::time::Instant;

use crate::{
    core::{Core, Event, Reach, Submission},
    service::rules,
};

const WORKLOAD: &str = "classifier";
/// A class that a worker offers, and one that none does, for the jobs that only wait.
const OFFERED: &str = "t4";
const MISSING: &str = "h200";
/// The moment at which it begins.
const START: Timestamp = Timestamp(1_700_000_000_000);

/// A core that knows many jobs, and plays the lives of others.
#[derive(Debug)]
pub struct Decider {
    core: Core,
    now: Timestamp,
    lives: u64,
    worker: WorkerId,
    incarnation: Incarnation,
}

impl Decider {
    /// A core that knows so many jobs. They wait, in every priority and half of them with a total time; the jobs whose
    /// lives are played pass them by.
    pub fn with(settings: &Settings, known: usize) -> Self {
        let mut decider = Self {
            core: Core::new(rules(settings), Vec::new(), Vec::new(), START),
            now: START,
            lives: 0,
            worker: WorkerId::new("host-0").expect("a name"),
            incarnation: Incarnation::generate(),
        };
        decider.step(Event::Hello(Box::new(decider.hello())));
        for number in 0..known {
            let mut job = submission(&format!("known-{number}"), MISSING);
            job.priority = (number % 10) as u8;
            job.total.time = number.is_multiple_of(2).then(|| Duration::from_secs(24 * 3600).into());
            decider.submit(job);
        }
        decider
    }

    /// Plays so many lives, one after the other, each of seven events: submitted, claimed, started, heard of, a tick of
    /// the clock, ended, and heard of no more. Returns how many events that were, and the time that they took.
    pub fn lives(&mut self, count: u64) -> (u64, Duration) {
        let began = Instant::now();
        for _ in 0..count {
            self.life();
        }
        (7 * count, began.elapsed())
    }

    /// How many jobs have not ended.
    pub fn known(&self) -> usize {
        let census = self.core.census();
        census.queued + census.offered + census.running + census.backing_off
    }

    fn life(&mut self) {
        self.lives += 1;
        let job = submission(&format!("life-{}", self.lives), OFFERED);
        let job_id = job.job_id.clone().expect("every job here has a name");
        let (worker, incarnation) = (self.worker.clone(), self.incarnation);
        let progress = Progress { step: 10, steps_total: Some(100), ..Progress::default() };

        self.submit(job);
        let claim = Claim {
            job_id: job_id.clone(),
            attempt: 1,
            redelivered: false,
            worker: worker.clone(),
            incarnation,
        };
        self.step(Event::Claim(claim));
        self.step(Event::Started(AttemptStarted {
            job_id: job_id.clone(),
            attempt: 1,
            worker: worker.clone(),
            resumed_from_step: 0,
            damaged: Vec::new(),
            at: self.now,
        }));
        let run = RunReport { job_id: job_id.clone(), attempt: 1, progress: progress.clone() };
        self.step(Event::Heartbeat(Heartbeat { worker: worker.clone(), incarnation, runs: vec![run] }));
        self.now = self.now.plus(Duration::from_millis(100));
        self.step(Event::Tick(Reach::CaughtUp));
        self.step(Event::Ended(Box::new(AttemptEnded {
            job_id,
            attempt: 1,
            worker: worker.clone(),
            incarnation,
            end: AttemptEnd::Succeeded(RunResult::default()),
            progress,
            resumed_from_step: 0,
            at: self.now,
        })));
        self.step(Event::Heartbeat(Heartbeat { worker, incarnation, runs: Vec::new() }));
        self.core.retire();
    }

    fn submit(&mut self, job: SubmitJob) {
        self.step(Event::Submit(Box::new(Submission { job, message_id: None, traceparent: None })));
    }

    fn step(&mut self, event: Event) {
        drop(self.core.step(event, self.now));
    }

    fn hello(&self) -> Hello {
        Hello {
            worker: self.worker.clone(),
            incarnation: self.incarnation,
            workload: Workload::new(WORKLOAD).expect("a name"),
            gpu: OFFERED.parse().expect("a class"),
            tier: Tier::OnDemand,
            slots: 1,
            memory_mib: None,
            paused: None,
            host: "host".into(),
            pid: 1,
            release: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

fn submission(name: &str, gpu: &str) -> SubmitJob {
    let params = Map::from_iter([("data".to_owned(), json!("flowers"))]);
    let mut job = SubmitJob::new(Workload::new(WORKLOAD).expect("a name"), params);
    job.job_id = Some(JobId::new(name).expect("a name"));
    job.resources.gpu = vec![gpu.parse().expect("a class")];
    job
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_life_ends_and_leaves_the_jobs_that_wait_alone() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rekindle.toml");
        let settings = settings::load(&file, []).expect("what ships is valid");
        let mut decider = Decider::with(&settings, 1_000);
        assert_eq!(decider.known(), 1_000);
        let (decisions, took) = decider.lives(200);
        assert_eq!((decider.known(), decisions), (1_000, 1_400), "in {took:?}");
    }
}
