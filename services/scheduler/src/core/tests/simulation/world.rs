//! One history: everyone acts in turn until every job has ended and nothing is left to happen.

use std::time::Duration;

use contract::{Tier, WorkerId, lease::Hello};
use rand::RngExt;

use super::{
    broker::{Asker, Line},
    client::{self, Wish},
    env::{Env, Happening},
    faults::{Fault, Weather},
    sabotage::Sabotage,
    scheduler::Scheduler,
    worker::{Deed, Process},
};

/// Machines that there always are, so that every job has a place where it can end.
pub(super) const MACHINES: [(&str, &str, Tier); 7] = [
    ("classifier", "t4", Tier::OnDemand),
    ("classifier", "t4", Tier::Spot),
    ("classifier", "l4", Tier::OnDemand),
    ("classifier", "cpu", Tier::OnDemand),
    ("dit", "a10g", Tier::OnDemand),
    ("dit", "a10g", Tier::Spot),
    ("dit", "a100", Tier::OnDemand),
];

/// How long after the last fault every job must have ended: as long as its limits, retries and losses allow.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);
/// How long the last messages may be on their way.
const DRAIN: Duration = Duration::from_secs(60);

pub(super) struct World {
    env: Env,
    scheduler: Scheduler,
    machines: Vec<Hello>,
    processes: Vec<Process>,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, journal: Option<Vec<String>>) -> Self {
        let mut env = Env::new(seed, sabotage, journal);
        let machines = MACHINES.iter().enumerate().map(|(number, (workload, gpu, tier))| Hello {
            worker: machine_name(number),
            incarnation: contract::Incarnation(uuid::Uuid::nil()),
            workload: workload.parse().expect("a simulated workload is one"),
            gpu: gpu.parse().expect("a simulated class is one"),
            tier: *tier,
            slots: env.random.random_range(1..=2),
            memory_mib: None,
            host: "host".into(),
            pid: 1,
            release: "0".into(),
            paused: None,
        });
        let machines: Vec<Hello> = machines.collect();
        let mut world = Self { env, scheduler: Scheduler::new(), machines, processes: Vec::new() };
        world.plan();
        world
    }

    fn plan(&mut self) {
        let env = &mut self.env;
        env.agenda.after(Duration::ZERO, Happening::SchedulerStarts);
        env.agenda.after(env.weather.tick, Happening::Tick);
        let lasts = env.weather.lasts.as_millis() as u64;
        for machine in 0..self.machines.len() {
            let delay = env.between(0, lasts / 2);
            env.agenda.after(delay, Happening::ProcessStarts { machine });
        }
        client::plan(env);
        Weather::plan(env);
    }

    /// Plays to the end. Panics where a promise is broken.
    pub(super) fn play(&mut self) {
        let deadline = self.env.start.plus(self.env.weather.lasts).plus(PATIENCE);
        let mut over_since = None;
        while let Some(happening) = self.env.agenda.next() {
            let now = self.env.agenda.now();
            let is_tick = matches!(happening, Happening::Tick);
            self.happen(happening);
            if is_tick && self.env.is_calm {
                match self.is_over() {
                    false => over_since = None,
                    true if DRAIN <= now.since(*over_since.get_or_insert(now)) => break,
                    true => {}
                }
                assert!(
                    now < deadline,
                    "some job never ends, or some message is never settled: {}",
                    self.open()
                );
            }
        }
        self.scheduler.settle();
        self.env.checks.at_the_end(&self.scheduler.saved);
        let sweeps = self.scheduler.sweeps();
        self.env.checks.sweeps.at_the_end(&sweeps, &self.scheduler.saved);
    }

    /// What was said of the history.
    pub(super) fn journal(&mut self) -> Vec<String> {
        self.env.take_journal()
    }

    fn is_over(&self) -> bool {
        let env = &self.env;
        let jobs = env.work.iter().filter(|(_, work)| work.talent.is_none());
        let is_answered = jobs.map(|(job_id, _)| job_id).all(|job_id| env.checks.is_answered(job_id))
            && env.sweeps.keys().all(|sweep| env.checks.sweeps.is_answered(sweep));
        let is_idle = self.processes.iter().all(|process| !process.is_alive || process.is_idle());
        is_answered
            && is_idle
            && self.scheduler.is_at_rest()
            && env.checks.is_over(&self.scheduler.saved)
            && env.broker.offers.values().all(std::collections::VecDeque::is_empty)
    }

    /// What keeps a history from its end.
    fn open(&self) -> String {
        let jobs = self.scheduler.saved.jobs.values().filter(|job| !job.state().is_end());
        let jobs: Vec<_> = jobs.map(|job| (job.id.as_str(), job.state(), &job.placement)).collect();
        let sweeps = self.scheduler.saved.sweeps.values().filter(|sweep| !sweep.state().is_end());
        let sweeps: Vec<_> = sweeps.map(|sweep| (sweep.id.as_str(), &sweep.trials)).collect();
        format!("{jobs:?}, {sweeps:?}, {} messages: {:?}", self.env.broker.depth(), self.env.broker.offers)
    }

    fn happen(&mut self, happening: Happening) {
        let env = &mut self.env;
        match happening {
            Happening::Arrive { inbox, message, life } => {
                if !env.broker.is_up() && inbox.is_durable() {
                    let again = Happening::Arrive { inbox, message, life };
                    return env.agenda.after(Duration::from_secs(1), again);
                }
                if inbox.is_durable() || life == env.broker.life {
                    env.broker.inboxes.entry(inbox).or_default().push_back(message);
                    self.scheduler.serve_soon(env);
                }
            }
            Happening::OfferArrives(offer) => {
                if !env.broker.is_up() {
                    return env.agenda.after(Duration::from_secs(1), Happening::OfferArrives(offer));
                }
                for process in self.processes.iter().filter(|process| process.is_alive) {
                    if process.queue() == offer.queue {
                        let delay = env.between(1, 200);
                        env.agenda.after(delay, process.deed(Deed::Poll));
                    }
                }
                env.broker.offers.entry(offer.queue.clone()).or_default().push_back(offer);
            }
            Happening::AnswerArrives { asker, answer, life } => {
                if env.broker.reaches(asker.line()) && env.broker.life == life {
                    self.deliver(asker, *answer);
                }
            }
            Happening::Serve => self.scheduler.serve(env, false),
            Happening::Tick => {
                env.agenda.after(env.weather.tick, Happening::Tick);
                self.scheduler.serve(env, true);
            }
            Happening::Resend => self.scheduler.resend(env),
            Happening::SchedulerStarts => self.scheduler.start(env),
            Happening::Deed { process, deed } => self.processes[process].act(deed, env),
            Happening::ProcessStarts { machine } => self.start_process(machine),
            Happening::Wish(wish) => client::wish(wish, env),
            Happening::Fault(fault) => self.go_wrong(fault),
            Happening::Mended(line) => env.broker.mend(line),
            Happening::BrokerBack => env.broker.come_back(),
            Happening::Calm => {
                env.note(|| "calm".into());
                env.is_calm = true;
                // Who waits for money gets some; that takes another start.
                env.rules.owners.0.values_mut().for_each(|owner| owner.monthly_usd = None);
                env.checks.lift_caps(&env.rules);
                self.scheduler.die(env);
                client::wish(Wish::LetGo, env);
            }
        }
    }

    fn deliver(&mut self, asker: Asker, answer: crate::core::Answer) {
        match asker {
            Asker::Nobody | Asker::Goodbye { .. } => {}
            Asker::Client(job_id) => self.env.checks.heard(&job_id, &answer),
            Asker::Sweep(sweep) => self.env.checks.sweeps.heard(&sweep, &answer),
            Asker::Hello { process } | Asker::Claim { process, .. } | Asker::Heartbeat { process, .. } => {
                self.processes[process].hear(asker, answer, &mut self.env);
            }
        }
    }

    fn start_process(&mut self, machine: usize) {
        let id = self.processes.len();
        let process = Process::start(id, machine, self.machines[machine].clone(), &mut self.env);
        self.processes.push(process);
    }

    fn go_wrong(&mut self, fault: Fault) {
        let env = &mut self.env;
        env.note(|| format!("{fault:?}"));
        let living: Vec<usize> = self
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| process.is_alive)
            .map(|(id, _)| id)
            .collect();
        let victim = (!living.is_empty()).then(|| env.pick(&living));
        match (fault, victim) {
            (Fault::SchedulerKilled, _) => self.scheduler.die(env),
            (Fault::SchedulerFrozen, _) => self.scheduler.freeze(env),
            (Fault::SchedulerCut, _) => cut(env, Line::Scheduler),
            (Fault::BrokerKilled, _) => {
                env.broker.die();
                let delay = env.between(500, 30_000);
                env.agenda.after(delay, Happening::BrokerBack);
                living.iter().for_each(|id| env.plan(*id, Duration::ZERO, Deed::LoseDeliveries));
            }
            (Fault::WorkerKilled, Some(id)) => self.processes[id].die(env),
            (Fault::WorkerFrozen, Some(id)) => self.processes[id].freeze(env),
            (Fault::WorkerReplaced, Some(id)) => {
                let process = &mut self.processes[id];
                if !std::mem::replace(&mut process.is_replaced, true) {
                    process.freeze(env);
                    let (machine, delay) = (process.machine, env.between(100, 20_000));
                    env.agenda.after(delay, Happening::ProcessStarts { machine });
                }
            }
            (Fault::WorkerCut, Some(id)) => {
                cut(env, Line::Process(id));
                let noticed = env.between(0, 20_000);
                env.plan(id, noticed, Deed::LoseDeliveries);
            }
            (Fault::WorkerPreempted, Some(id)) => self.processes[id].terminate(env),
            _ => {}
        }
    }
}

/// What the worker of a machine is called.
pub(super) fn machine_name(number: usize) -> WorkerId {
    WorkerId::new(format!("host-{number}")).expect("a simulated name is valid")
}

fn cut(env: &mut Env, line: Line) {
    env.broker.cut(line);
    let mended = env.between(100, 40_000);
    env.agenda.after(mended, Happening::Mended(line));
}
