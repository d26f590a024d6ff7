//! A storm: real programs on a real broker, jobs of every kind, and for some minutes everything that can go wrong, at
//! random. When it is over, every promise is held against what was recorded.

mod checker;
mod injuries;
mod jobs;
mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    time::Duration,
};

use contract::{JobId, SubmitJob, control::JobState, names::DEAD_LETTERS};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

pub use self::checker::{JobRecord, Record};
use self::{
    injuries::{Injury, Scene},
    jobs::{Planned, plan},
};
use crate::{Program, SCHEDULER, STORE, System};

const STANDBY: &str = "scheduler-2";
const TRAINERS: [&str; 4] = ["host-0", "host-1", "host-2", "nop-0"];
const PROGRAMS: [&str; 7] = [SCHEDULER, STANDBY, STORE, "host-0", "host-1", "host-2", "nop-0"];
/// Where the trainers take their attempts from.
const STEP_QUEUE: &str = "work.step.cpu.on-demand";
const NOP_QUEUE: &str = "work.nop.cpu.on-demand";
/// Losses and failures by accident are what a storm is made of; no job shall die of them.
const CHANGES: [(&str, &str); 6] = [
    ("workloads.step.retry.max_losses", "100000"),
    ("workloads.step.retry.max_retries", "1000"),
    ("workloads.nop.retry.max_losses", "100000"),
    ("workloads.nop.retry.max_retries", "1000"),
    ("workloads.step.concurrency", "8"),
    ("owners.ada.concurrency", "3"),
];
/// How often a storm says how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(20);
/// How long jobs may take to end once nothing goes wrong any more.
const AFTERMATH: Duration = Duration::from_secs(240);

/// What came of a storm.
#[derive(Debug)]
pub struct Outcome {
    /// How many jobs there were of each kind, and how they ended.
    pub jobs: BTreeMap<(&'static str, JobState), usize>,
    /// How often what went wrong.
    pub injuries: BTreeMap<&'static str, usize>,
    /// How many attempts there were.
    pub attempts: usize,
    /// How many of them were lost.
    pub losses: usize,
    /// How many were preempted.
    pub preemptions: usize,
    /// The promises that were broken.
    pub broken: Vec<String>,
}

/// Lets a storm rage for `lasts`.
///
/// # Panics
/// When the system cannot even be started, or asked.
pub async fn rage(seed: u64, lasts: Duration) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let mut system = System::with_own_broker("storm", &CHANGES).await;
    // One that is declared amid a kill of RabbitMQ comes back without a leader, and nobody can work for it.
    for queue in [STEP_QUEUE, NOP_QUEUE] {
        system.broker.ensure_work_queue(queue).await.expect("a queue can be declared");
    }
    let trainers = TRAINERS.map(|name| match name.strip_prefix("nop") {
        Some(_) => Program::nop_trainer(name),
        None => Program::step_trainer(name),
    });
    system.launch_all(trainers).await;
    system.launch(Program::scheduler(STANDBY)).await;

    let (mut planned, mut submitted, mut cancelled) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut injuries: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut diary = File::create(system.path().join("logs/storm.log")).expect("the diary can be written");
    let mut progress = Progress::new(lasts);
    let ends_at = Instant::now() + lasts;
    while Instant::now() < ends_at {
        for _ in 0..random.random_range(0..3) {
            submit(&mut system, &mut planned, &mut submitted, &mut random).await;
        }
        let injury = Injury::draw(&mut random);
        *injuries.entry(injury.name()).or_default() += 1;
        let mut scene = Scene {
            system: &mut system,
            programs: &PROGRAMS,
            trainers: &TRAINERS,
            submitted: &submitted,
            cancelled: &mut cancelled,
            diary: &mut diary,
        };
        injury.strike(&mut scene, &mut random).await;
        revive(&mut system);
        progress.tell(injuries.values().sum(), submitted.len());
        sleep(Duration::from_millis(random.random_range(10..400))).await;
    }

    let unfinished = settle(&mut system, &submitted).await;
    let cancelled: BTreeSet<JobId> = cancelled.into_iter().collect();
    let record = Record::take(&system, &planned, &cancelled).await;
    let mut broken = record.broken();
    broken.extend(unfinished.into_iter().map(|job| format!("{job}: it has not ended")));
    let unburied = system.without_dead_letter(record.dead()).await;
    broken.extend(unburied.into_iter().map(|job| format!("{job}: it is dead and has no dead letter")));
    if broken.is_empty() {
        system.queues_empty_but(&[DEAD_LETTERS]).await;
        system.shut_down().await;
    } else {
        system.folder.keep();
    }
    outcome(&planned, &record, injuries, broken)
}

/// Says now and then how far a storm is.
struct Progress {
    began: Instant,
    lasts: Duration,
    told: u32,
}

impl Progress {
    fn new(lasts: Duration) -> Self {
        Self { began: Instant::now(), lasts, told: 0 }
    }

    fn tell(&mut self, injuries: usize, jobs: usize) {
        let lasted = self.began.elapsed();
        if TOLD_EVERY * (self.told + 1) <= lasted {
            self.told += 1;
            let left = self.lasts.saturating_sub(lasted).as_secs();
            println!("{:>4} s, {left} left: {injuries} injuries, {jobs} jobs", lasted.as_secs());
        }
    }
}

async fn submit(
    system: &mut System,
    planned: &mut BTreeMap<JobId, Planned>,
    submitted: &mut BTreeMap<JobId, SubmitJob>,
    random: &mut StdRng,
) {
    let job = plan(planned.len(), random);
    let job_id = system.publish(&job.submission).await;
    submitted.insert(job_id.clone(), job.submission.clone());
    planned.insert(job_id, job);
}

/// Starts what has ended by itself again, as `rekindle up` and systemd do: some jobs take their trainer along.
fn revive(system: &mut System) {
    for program in PROGRAMS {
        if system.process(program).is_gone() {
            system.relaunch(program);
        }
    }
}

/// Waits until every job has ended, and names those that do not.
async fn settle(system: &mut System, submitted: &BTreeMap<JobId, SubmitJob>) -> Vec<JobId> {
    let deadline = Instant::now() + AFTERMATH;
    let mut waiting: Vec<JobId> = submitted.keys().cloned().collect();
    loop {
        let mut still = Vec::new();
        for job in waiting {
            if !system.view(&job).await.state.is_end() {
                still.push(job);
            }
        }
        if still.is_empty() || deadline < Instant::now() {
            return still;
        }
        waiting = still;
        revive(system);
        sleep(Duration::from_millis(500)).await;
    }
}

fn outcome(
    planned: &BTreeMap<JobId, Planned>,
    record: &Record,
    injuries: BTreeMap<&'static str, usize>,
    broken: Vec<String>,
) -> Outcome {
    let mut jobs: BTreeMap<(&'static str, JobState), usize> = BTreeMap::new();
    for (id, job) in &record.jobs {
        *jobs.entry((planned[id].kind, job.view.state)).or_default() += 1;
    }
    let sum = |count: &dyn Fn(&JobRecord) -> usize| record.jobs.values().map(count).sum();
    Outcome {
        jobs,
        injuries,
        attempts: sum(&|job| job.view.attempts.last().map_or(0, |attempt| attempt.attempt as usize)),
        losses: sum(&|job| job.view.ledger.losses as usize),
        preemptions: sum(&|job| job.view.ledger.preemptions as usize),
        broken,
    }
}
