//! What goes wrong in a storm.

use std::{collections::BTreeMap, fs::File, io::Write, time::Duration};

use broker::Outgoing;
use contract::{
    JobId, SubmitJob,
    control::{CancelJob, JobState, PauseJob, ResumeJob},
    lease::OfferAttempt,
    names::{EVENTS_EXCHANGE, JOBS_EXCHANGE, SUBMIT_KEY, WORK_EXCHANGE},
};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use tokio::time::sleep;

use super::STEP_QUEUE;
use crate::{System, wait::wait_for};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Injury {
    /// A program is killed, and comes back after a while.
    Kill,
    /// A program stands still for a while, at times for longer than a lease.
    Freeze,
    /// A program's line to the broker is cut for a while.
    Cut,
    /// Nothing comes through a program's line for a while, and nobody is told.
    Stall,
    /// A trainer's machine is taken away: SIGTERM, and another one in its place.
    Preempt,
    /// Messages come once more: submissions, offers of attempts, reports.
    Repeat,
    /// Somebody cancels a job.
    Cancel,
    /// Somebody pauses a job, and resumes it after a while.
    Pause,
    /// RabbitMQ is killed and started again.
    KillBroker,
}

/// How likely each of them is, in parts.
const MIX: [(Injury, u32); 9] = [
    (Injury::Kill, 26),
    (Injury::Freeze, 16),
    (Injury::Cut, 14),
    (Injury::Stall, 10),
    (Injury::Preempt, 10),
    (Injury::Repeat, 16),
    (Injury::Cancel, 6),
    (Injury::Pause, 8),
    (Injury::KillBroker, 2),
];

/// What an injury needs to know of the storm.
pub(super) struct Scene<'a> {
    pub(super) system: &'a mut System,
    pub(super) programs: &'a [&'static str],
    pub(super) trainers: &'a [&'static str],
    pub(super) submitted: &'a BTreeMap<JobId, SubmitJob>,
    pub(super) cancelled: &'a mut Vec<JobId>,
    /// What was done to whom, with the time, for whoever has to find out what came of it.
    pub(super) diary: &'a mut File,
}

impl Injury {
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let chosen = MIX.choose_weighted(random, |(_, parts)| *parts);
        chosen.expect("some injury has a part").0
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL of a program",
            Self::Freeze => "SIGSTOP of a program",
            Self::Cut => "line cut",
            Self::Stall => "line stalled",
            Self::Preempt => "SIGTERM of a trainer",
            Self::Repeat => "messages repeated",
            Self::Cancel => "job cancelled",
            Self::Pause => "job paused and resumed",
            Self::KillBroker => "SIGKILL of RabbitMQ",
        }
    }

    /// Lets it happen, and everything come back.
    pub(super) async fn strike(self, scene: &mut Scene<'_>, random: &mut StdRng) {
        let system = &mut *scene.system;
        let target = *scene.programs.choose(random).expect("there are programs");
        let a_while = Duration::from_millis(random.random_range(20..600));
        writeln!(scene.diary, "{} {} ({target}, {a_while:?})", jiff::Timestamp::now(), self.name())
            .expect("the diary can be written");
        match self {
            Self::Kill => {
                system.kill(target).await;
                sleep(a_while).await;
                system.relaunch(target);
            }
            Self::Freeze => {
                let longer = if random.random_bool(0.2) { 10 } else { 1 };
                system.process(target).pause();
                sleep(a_while * longer).await;
                system.process(target).resume();
            }
            Self::Cut => {
                system.line(target).cut();
                sleep(a_while).await;
                system.line(target).restore();
            }
            Self::Stall => {
                system.line(target).stall();
                sleep(a_while).await;
                system.line(target).restore();
            }
            Self::Preempt => {
                let trainer = *scene.trainers.choose(random).expect("there are trainers");
                preempt(system, trainer).await;
            }
            Self::Repeat => repeat(scene, random).await,
            Self::Cancel => cancel(scene, random).await,
            Self::Pause => pause(scene, a_while, random).await,
            Self::KillBroker => system.restart_broker().await,
        }
    }
}

/// Takes a trainer's machine away, and brings another in its place.
async fn preempt(system: &mut System, trainer: &str) {
    let mut process = system.take(trainer);
    process.terminate();
    wait_for(&format!("{trainer} to end"), async || process.is_gone().then_some(())).await;
    system.relaunch(trainer);
}

/// Publishes a submission again, an offer for an attempt that may be over or never be, and old reports.
async fn repeat(scene: &mut Scene<'_>, random: &mut StdRng) {
    let mut again: Vec<Outgoing> = Vec::new();
    let jobs: Vec<&SubmitJob> = scene.submitted.values().collect();
    if let Some(job) = jobs.choose(random) {
        again.push(Outgoing::new(JOBS_EXCHANGE, SUBMIT_KEY, *job));
        let job_id = job.job_id.clone().expect("every job of a storm has a name");
        let attempt = random.random_range(1..4);
        again.push(Outgoing::new(WORK_EXCHANGE, STEP_QUEUE, &OfferAttempt { job_id, attempt }));
    }
    for (routing_key, body) in scene.system.events.sample("attempt.", 20, random) {
        let mut report = again.first().cloned().unwrap_or_else(|| panic!("a storm has jobs"));
        report.exchange = EVENTS_EXCHANGE.into();
        (report.routing_key, report.body, report.message_id) = (routing_key, body, None);
        again.push(report);
    }
    for published in scene.system.broker.publish_all(again).await {
        published.expect("the broker takes a message again");
    }
}

async fn cancel(scene: &mut Scene<'_>, random: &mut StdRng) {
    let Some(job) = live(scene, random).await else { return };
    if scene.system.ask(&CancelJob { job_id: job.clone() }).await.is_ok() {
        scene.cancelled.push(job);
    }
}

async fn pause(scene: &mut Scene<'_>, a_while: Duration, random: &mut StdRng) {
    let Some(job_id) = live(scene, random).await else { return };
    if scene.system.ask(&PauseJob { job_id: job_id.clone() }).await.is_ok() {
        sleep(a_while).await;
        // It may have ended before it heard of the pause, or have been resumed by a request whose answer was lost.
        if let Err(refused) = scene.system.ask(&ResumeJob { job_id: job_id.clone() }).await {
            let state = scene.system.view(&job_id).await.state;
            assert_ne!(state, JobState::Paused, "{job_id} cannot be resumed: {refused}");
        }
    }
}

/// Some job that has not ended.
async fn live(scene: &Scene<'_>, random: &mut StdRng) -> Option<JobId> {
    let jobs: Vec<&JobId> = scene.submitted.keys().collect();
    let job = (*jobs.choose(random)?).clone();
    (!scene.system.view(&job).await.state.is_end()).then_some(job)
}
