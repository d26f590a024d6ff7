//! What goes wrong, and how often.

use std::time::Duration;

use contract::{Jitter, Month, Seconds, Timestamp};
use policy::{DEFAULT_OWNER, GpuPrice, OwnerPolicy};
use rand::{Rng, RngExt};

use super::env::{Env, Happening, seconds};
use crate::core::{
    Rules,
    tests::{self, scene::START},
};

/// Something that goes wrong at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The scheduler is killed between two messages.
    SchedulerKilled,
    /// The scheduler's process stands still.
    SchedulerFrozen,
    /// The scheduler's line is cut.
    SchedulerCut,
    /// A worker's process is killed.
    WorkerKilled,
    /// A worker's process stands still.
    WorkerFrozen,
    /// A worker's process stands still, and another one takes its place.
    WorkerReplaced,
    /// A worker's line is cut.
    WorkerCut,
    /// A worker's machine is taken away, with notice.
    WorkerPreempted,
    /// RabbitMQ is killed.
    BrokerKilled,
}

const FAULTS: [Fault; 14] = [
    Fault::SchedulerKilled,
    Fault::SchedulerKilled,
    Fault::SchedulerFrozen,
    Fault::SchedulerCut,
    Fault::WorkerKilled,
    Fault::WorkerKilled,
    Fault::WorkerKilled,
    Fault::WorkerFrozen,
    Fault::WorkerReplaced,
    Fault::WorkerCut,
    Fault::WorkerCut,
    Fault::WorkerPreempted,
    Fault::WorkerPreempted,
    Fault::BrokerKilled,
];

/// How bad one history is. Rates count in a thousand.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    /// How long things go wrong.
    pub(super) lasts: Duration,
    pub(super) faults: u32,
    pub(super) jobs: u32,
    pub(super) sweeps: u32,
    pub(super) tick: Duration,
    /// Messages that the scheduler takes from a queue in one go.
    pub(super) batch: usize,
    /// Messages that take seconds.
    pub(super) late: u32,
    /// Messages that come twice.
    pub(super) doubled: u32,
    /// Offers that never come.
    pub(super) lost_offers: u32,
    /// Messages that the broker does not take, or takes without the scheduler hearing of it.
    pub(super) unconfirmed: u32,
    /// Batches in which the scheduler is killed.
    pub(super) crashes: u32,
    /// Runs that fail.
    pub(super) failures: u32,
}

impl Weather {
    pub(super) fn draw(random: &mut impl Rng) -> Self {
        let mut rate = |most: u32| if random.random() { random.random_range(0..=most) } else { 0 };
        let (late, doubled, lost_offers) = (rate(60), rate(80), rate(60));
        let (unconfirmed, crashes, failures) = (rate(150), rate(15), rate(600));
        let sweeps = [0, 0, 0, 1, 2][random.random_range(0..5)];
        Self {
            lasts: Duration::from_secs(random.random_range(20..150)),
            faults: random.random_range(0..20),
            jobs: random.random_range(u32::from(sweeps == 0)..=6 - 2 * sweeps),
            sweeps,
            tick: Duration::from_millis(random.random_range(500..=2000)),
            batch: random.random_range(1..=8),
            late,
            doubled,
            lost_offers,
            unconfirmed,
            crashes,
            failures,
        }
    }

    /// When the history begins: often so that a month ends in the midst of it.
    pub(super) fn start(&self, random: &mut impl Rng) -> Timestamp {
        if random.random() {
            return START;
        }
        let before = random.random_range(0..self.lasts.as_millis() as u64);
        Timestamp(Month::of(START).next().start().0 - before)
    }

    /// The rules that ship, at other prices and other speeds.
    pub(super) fn rules(&self, random: &mut impl Rng) -> Rules {
        let mut rules = tests::rules();
        let heartbeat = random.random_range(2..=4);
        rules.heartbeat = Duration::from_secs(heartbeat).into();
        rules.lease = Duration::from_secs(heartbeat * 4).into();
        rules.grace = seconds(random, 5, 30);
        rules.least_run = seconds(random, 1, 10);
        for price in rules.prices.values_mut() {
            let factor = random.random_range(0.5..4.0);
            let GpuPrice { usd_per_hour, spot_usd_per_hour, .. } = price;
            *usd_per_hour *= factor;
            *spot_usd_per_hour *= factor;
        }
        for workload in rules.workloads.values_mut() {
            workload.concurrency = random.random_range(1..=4);
            workload.retry.initial_delay = Seconds::new(random.random_range(0.0..8.0)).unwrap_or_default();
            workload.retry.jitter = [Jitter::None, Jitter::Full, Jitter::Equal][random.random_range(0..3)];
        }
        for owner in ["ada", DEFAULT_OWNER] {
            let concurrency = random.random::<bool>().then(|| random.random_range(1..=3));
            let weight = random.random::<bool>().then(|| random.random_range(1..=4));
            let monthly_usd = (random.random_range(0..3) != 0).then(|| random.random_range(0.004..0.04));
            rules.owners.0.insert(owner.into(), OwnerPolicy { concurrency, weight, monthly_usd });
        }
        rules.priority_worth = seconds(random, 2, 120);
        rules
    }

    /// Plans what is to go wrong.
    pub(super) fn plan(env: &mut Env) {
        let lasts = env.weather.lasts.as_millis() as u64;
        for _ in 0..env.weather.faults {
            let (fault, at) = (env.pick(&FAULTS), env.between(0, lasts));
            env.agenda.after(at, Happening::Fault(fault));
        }
        env.agenda.after(env.weather.lasts, Happening::Calm);
    }
}
