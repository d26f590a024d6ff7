//! A worker's process: it says hello, takes offers, claims them, runs attempts step by step, checkpoints, reports, and
//! does what it is told. It can stand still, be cut off, be asked to go, and die.

use std::{collections::BTreeSet, time::Duration};

use contract::{
    Incarnation, JobId, StopCause, Timestamp,
    lease::{Claim, ClaimAnswer, Goodbye, Heartbeat, HeartbeatAnswer, Hello, RunReport, Verdict},
    names::work_queue,
};

use super::{
    broker::{Asker, Inbox, Line, OfferMessage},
    env::{Env, Happening},
    run::Run,
};
use crate::core::{Answer, Event};

/// How long a process waits for an answer before it asks once more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that a process does.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// It introduces itself until it is welcome.
    Hello,
    /// It tells that it lives.
    Beat,
    /// It takes offers.
    Poll,
    /// It asks about an offer that it holds.
    Ask { job_id: JobId, attempt: u32 },
    /// A run opens its checkpoints.
    Open { run: u64 },
    /// A run has finished a step.
    Step { run: u64 },
    /// A run is looked at: whether it must stop, or has had the time to.
    Look { run: u64 },
    /// The broker has noticed that its line is dead.
    LoseDeliveries,
    /// It goes by itself, if it can.
    Leave,
    /// Its machine goes.
    Gone,
}

/// One life of a worker's process.
pub(super) struct Process {
    pub(super) id: usize,
    /// Which machine it runs on.
    pub(super) machine: usize,
    pub(super) hello: Hello,
    pub(super) is_alive: bool,
    frozen_until: Timestamp,
    /// Whether another process has its place.
    pub(super) is_replaced: bool,
    pub(super) is_leaving: bool,
    is_welcome: bool,
    /// Whether it was told to take nothing new.
    is_draining: bool,
    beats: bool,
    claims: Vec<Held>,
    pub(super) runs: Vec<Run>,
    /// How many runs there have been, and which.
    pub(super) begun: u64,
    pub(super) known: BTreeSet<(JobId, u32)>,
    /// Reports that the broker does not have yet.
    pub(super) unsent: Vec<Event>,
}

/// An offer that was taken and not settled.
struct Held {
    offer: OfferMessage,
    /// Whether the broker still counts it as this process's.
    is_ours: bool,
}

impl Process {
    pub(super) fn start(id: usize, machine: usize, hello: Hello, env: &mut Env) -> Self {
        let hello = Hello { incarnation: Incarnation(uuid::Uuid::from_u128(id as u128 + 1)), ..hello };
        env.note(|| format!("process {id} starts as {}", hello.worker));
        env.plan(id, Duration::ZERO, Deed::Hello);
        Self {
            id,
            machine,
            hello,
            is_alive: true,
            frozen_until: Timestamp::default(),
            is_replaced: false,
            is_leaving: false,
            is_welcome: false,
            is_draining: false,
            beats: false,
            claims: Vec::new(),
            runs: Vec::new(),
            begun: 0,
            known: BTreeSet::new(),
            unsent: Vec::new(),
        }
    }

    pub(super) fn deed(&self, deed: Deed) -> Happening {
        Happening::Deed { process: self.id, deed }
    }

    pub(super) fn line(&self) -> Line {
        Line::Process(self.id)
    }

    /// The queue that it takes offers from.
    pub(super) fn queue(&self) -> String {
        work_queue(&self.hello.workload, &self.hello.gpu, self.hello.tier)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.runs.is_empty() && self.claims.is_empty() && self.unsent.is_empty()
    }

    /// Ends without a word; what it had not acknowledged goes back.
    pub(super) fn die(&mut self, env: &mut Env) {
        env.note(|| format!("process {} dies", self.id));
        self.is_alive = false;
        self.give_deliveries_back(env);
        self.runs.clear();
        self.unsent.clear();
        if !self.is_replaced {
            let delay = env.between(100, 20_000);
            env.agenda.after(delay, Happening::ProcessStarts { machine: self.machine });
        }
    }

    fn give_deliveries_back(&mut self, env: &mut Env) {
        for held in self.claims.iter_mut().filter(|held| held.is_ours) {
            held.is_ours = false;
            env.broker.requeue(held.offer.clone());
        }
        if !self.is_alive {
            self.claims.clear();
        }
    }

    /// Stands still for a while.
    pub(super) fn freeze(&mut self, env: &mut Env) {
        let time = env.between(100, 30_000);
        env.note(|| format!("process {} freezes for {time:?}", self.id));
        self.frozen_until = self.frozen_until.max(env.agenda.now().plus(time));
        self.runs.iter().for_each(|run| env.checks.excuse(&run.job_id, time));
    }

    /// Is asked to go: saves its runs, hands them back, takes nothing more.
    pub(super) fn terminate(&mut self, env: &mut Env) {
        env.note(|| format!("process {} is asked to go", self.id));
        self.is_leaving = true;
        let runs: Vec<u64> = self.runs.iter().map(|run| run.number).collect();
        runs.iter().for_each(|run| self.request_stop(*run, StopCause::Preempted, env));
        env.plan(self.id, env.rules.grace.to_duration(), Deed::Gone);
        env.plan(self.id, Duration::from_millis(200), Deed::Leave);
    }

    pub(super) fn act(&mut self, deed: Deed, env: &mut Env) {
        if !self.is_alive {
            return;
        }
        let now = env.agenda.now();
        match &deed {
            // The broker does this, and the cloud.
            Deed::LoseDeliveries if !env.broker.reaches(self.line()) => {
                return self.give_deliveries_back(env);
            }
            Deed::LoseDeliveries => return,
            Deed::Gone => return self.die(env),
            _ => {}
        }
        if now < self.frozen_until {
            env.agenda.at(self.frozen_until, Happening::Deed { process: self.id, deed });
            return;
        }
        match deed {
            Deed::Hello => self.introduce(env),
            Deed::Beat => self.beat(env),
            Deed::Poll => self.poll(env),
            Deed::Ask { job_id, attempt } => self.ask(&job_id, attempt, env),
            Deed::Open { run } => self.open(run, env),
            Deed::Step { run } => self.step(run, env),
            Deed::Look { run } => self.look(run, env),
            Deed::Leave => self.leave(env),
            Deed::LoseDeliveries | Deed::Gone => {}
        }
    }

    fn introduce(&mut self, env: &mut Env) {
        if !self.is_welcome {
            let hello = Event::Hello(Box::new(self.hello.clone()));
            env.ask(hello, Asker::Hello { process: self.id }, PATIENCE);
            env.plan(self.id, PATIENCE, Deed::Hello);
        }
    }

    fn beat(&mut self, env: &mut Env) {
        self.tell(env);
        let runs = self.runs.iter().map(|run| RunReport {
            job_id: run.job_id.clone(),
            attempt: run.attempt,
            progress: run.progress(),
        });
        let heartbeat = Heartbeat {
            worker: self.hello.worker.clone(),
            incarnation: self.hello.incarnation,
            runs: runs.collect(),
        };
        let asker = Asker::Heartbeat { process: self.id, runs: self.runs.iter().map(Run::key).collect() };
        env.ask(Event::Heartbeat(heartbeat), asker, env.rules.lease.to_duration() / 2);
        self.poll(env);
        env.plan(self.id, env.rules.heartbeat.to_duration(), Deed::Beat);
    }

    /// Goes, once everything that it ran is handed back.
    fn leave(&mut self, env: &mut Env) {
        if !self.runs.is_empty() || !self.unsent.is_empty() {
            return env.plan(self.id, Duration::from_millis(200), Deed::Leave);
        }
        let goodbye = Goodbye { worker: self.hello.worker.clone(), incarnation: self.hello.incarnation };
        env.ask(Event::Goodbye(goodbye), Asker::Goodbye { process: self.id }, PATIENCE);
        self.die(env);
    }

    /// Sends what it has to report.
    pub(super) fn tell(&mut self, env: &mut Env) {
        let line = self.line();
        self.unsent.retain(|event| !env.tell(line, Inbox::Reports, event.clone(), Asker::Nobody));
    }

    fn poll(&mut self, env: &mut Env) {
        if self.is_leaving || self.is_draining || !self.is_welcome || !env.broker.reaches(self.line()) {
            return;
        }
        while self.runs.len() + self.claims.len() < self.hello.slots as usize {
            let offers = env.broker.offers.entry(self.queue()).or_default();
            let Some(offer) = offers.pop_front() else { return };
            let (job_id, attempt) = (offer.job_id.clone(), offer.attempt);
            self.claims.push(Held { offer, is_ours: true });
            self.ask(&job_id, attempt, env);
        }
    }

    fn ask(&mut self, job_id: &JobId, attempt: u32, env: &mut Env) {
        let is_it = |held: &&Held| held.offer.job_id == *job_id && held.offer.attempt == attempt;
        let Some(held) = self.claims.iter().find(is_it) else { return };
        let claim = Claim {
            job_id: job_id.clone(),
            attempt,
            redelivered: held.offer.redelivered,
            worker: self.hello.worker.clone(),
            incarnation: self.hello.incarnation,
        };
        let asked_at = env.agenda.now();
        let asker = Asker::Claim { process: self.id, job_id: job_id.clone(), attempt, asked_at };
        env.ask(Event::Claim(claim), asker, PATIENCE);
        env.plan(self.id, PATIENCE, Deed::Ask { job_id: job_id.clone(), attempt });
    }

    /// Hears an answer.
    pub(super) fn hear(&mut self, asker: Asker, answer: Answer, env: &mut Env) {
        if !self.is_alive {
            return;
        }
        if env.agenda.now() < self.frozen_until {
            let life = env.broker.life;
            let heard = Happening::AnswerArrives { asker, answer: Box::new(answer), life };
            env.agenda.at(self.frozen_until, heard);
            return;
        }
        match (asker, answer) {
            (Asker::Hello { .. }, Answer::Welcome(welcome)) => {
                self.is_welcome = true;
                self.is_draining = welcome.draining;
                if !std::mem::replace(&mut self.beats, true) {
                    env.plan(self.id, Duration::ZERO, Deed::Beat);
                }
            }
            (Asker::Hello { .. }, Answer::Refused(_)) => self.die(env),
            (Asker::Claim { job_id, attempt, asked_at, .. }, Answer::Claim(answer)) => {
                let took = env.agenda.now().since(asked_at);
                if PATIENCE < took {
                    return;
                }
                let is_it = |held: &Held| held.offer.job_id == job_id && held.offer.attempt == attempt;
                let Some(at) = self.claims.iter().position(is_it) else { return };
                self.claims.remove(at);
                match *answer {
                    ClaimAnswer::Granted(grant) => self.begin(grant, took, env),
                    ClaimAnswer::Refused { draining, .. } => {
                        self.is_draining |= draining;
                        env.plan(self.id, Duration::ZERO, Deed::Poll);
                    }
                }
            }
            (Asker::Heartbeat { runs, .. }, Answer::Heartbeat(answer)) => self.obey(&runs, &answer, env),
            _ => {}
        }
    }

    fn obey(&mut self, runs: &[(JobId, u32)], answer: &HeartbeatAnswer, env: &mut Env) {
        self.is_draining = answer.draining;
        for (run, verdict) in runs.iter().zip(&answer.runs) {
            let number = self.runs.iter().find(|known| known.key() == *run).map(|known| known.number);
            if let (Verdict::Stop { cause }, Some(number)) = (verdict, number) {
                self.request_stop(number, *cause, env);
            }
        }
        if !answer.known && self.is_welcome {
            self.is_welcome = false;
            env.plan(self.id, Duration::ZERO, Deed::Hello);
        }
    }
}
