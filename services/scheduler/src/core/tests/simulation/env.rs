//! What everyone in a history shares: the clock, chance, the broker, the checkpoint-store, the promises.

use std::{collections::BTreeMap, time::Duration};

use contract::{JobId, Seconds, SubmitSweep, SweepId, Timestamp};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use super::{
    broker::{Asker, Broker, Inbox, Line, Message, OfferMessage},
    checkpoints::Checkpoints,
    checks::Checks,
    client::Wish,
    clock::Agenda,
    faults::{Fault, Weather},
    sabotage::Sabotage,
    worker::Deed,
};
use crate::core::{Answer, Event, Rules};

/// Something that is going to happen.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A message reaches a queue of the scheduler.
    Arrive { inbox: Inbox, message: Message, life: u32 },
    /// An offer reaches the queue of its machines.
    OfferArrives(OfferMessage),
    /// An answer reaches who asked.
    AnswerArrives { asker: Asker, answer: Box<Answer>, life: u32 },
    /// The scheduler takes what there is.
    Serve,
    /// The scheduler takes what there is, and time has passed.
    Tick,
    /// The scheduler sends what it could not send before.
    Resend,
    /// A scheduler starts from what is saved.
    SchedulerStarts,
    /// A worker's process does something.
    Deed { process: usize, deed: Deed },
    /// A process starts on a machine.
    ProcessStarts { machine: usize },
    /// A person or a program wants something.
    Wish(Wish),
    /// Something goes wrong.
    Fault(Fault),
    /// A line is whole again.
    Mended(Line),
    /// The broker is back.
    BrokerBack,
    /// From now on nothing goes wrong any more.
    Calm,
}

/// How much work a job is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) steps: u64,
    pub(super) step: Duration,
    /// How well a trial does; other jobs report no figures.
    pub(super) talent: Option<f64>,
}

impl Work {
    /// What a trial has learned at a step: more each time, but for some noise.
    pub(super) fn figure(&self, step: u64) -> Option<f64> {
        let noise = (step * 7 % 5) as f64 / 10.0;
        Some(self.talent? * step as f64 / self.steps as f64 + noise)
    }
}

pub(super) struct Env {
    pub(super) agenda: Agenda<Happening>,
    pub(super) start: Timestamp,
    pub(super) random: StdRng,
    pub(super) broker: Broker,
    pub(super) checkpoints: Checkpoints,
    pub(super) checks: Checks,
    pub(super) weather: Weather,
    pub(super) rules: Rules,
    pub(super) sabotage: Option<Sabotage>,
    /// The jobs that are submitted, and those that sweeps launch.
    pub(super) work: BTreeMap<JobId, Work>,
    pub(super) sweeps: BTreeMap<SweepId, SubmitSweep>,
    pub(super) is_calm: bool,
    journal: Option<Vec<String>>,
}

impl Env {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, journal: Option<Vec<String>>) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let weather = Weather::draw(&mut random);
        let rules = weather.rules(&mut random);
        let start = weather.start(&mut random);
        Self {
            agenda: Agenda::new(start),
            start,
            random,
            broker: Broker::default(),
            checkpoints: Checkpoints::new(sabotage),
            checks: Checks::new(&rules),
            weather,
            rules,
            sabotage,
            work: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            is_calm: false,
            journal,
        }
    }

    /// Whether something that happens so often, in so many of a thousand times, goes wrong now.
    pub(super) fn goes_wrong(&mut self, per_mille: u32) -> bool {
        !self.is_calm && self.random.random_range(0..1000) < per_mille
    }

    /// A length of time between two, in milliseconds.
    pub(super) fn between(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.random_range(least..=most))
    }

    /// How long a message is on its way.
    fn latency(&mut self) -> Duration {
        if self.goes_wrong(self.weather.late) { self.between(100, 15_000) } else { self.between(1, 40) }
    }

    /// Asks the scheduler, without a copy on any disk; a request is of no use once its sender's patience is over.
    pub(super) fn ask(&mut self, event: Event, asker: Asker, patience: Duration) {
        let (now, line) = (self.agenda.now(), asker.line());
        let message = Message { event, asker, sent_at: now, expires_at: Some(now.plus(patience)) };
        self.send(line, Inbox::Requests, &message);
    }

    /// Tells the scheduler; `false` when the sender cannot reach the broker.
    pub(super) fn tell(&mut self, line: Line, inbox: Inbox, event: Event, asker: Asker) -> bool {
        let message = Message { event, asker, sent_at: self.agenda.now(), expires_at: None };
        self.send(line, inbox, &message)
    }

    fn send(&mut self, line: Line, inbox: Inbox, message: &Message) -> bool {
        if !self.broker.reaches(line) {
            return false;
        }
        let copies = 1 + usize::from(self.goes_wrong(self.weather.doubled));
        for _ in 0..copies {
            let delay = self.latency();
            let life = self.broker.life;
            self.agenda.after(delay, Happening::Arrive { inbox, message: message.clone(), life });
        }
        true
    }

    /// Sends an answer, once: if it is lost, who asked asks again.
    pub(super) fn answer(&mut self, asker: Asker, answer: Answer) {
        if asker == Asker::Nobody || !self.broker.reaches(Line::Scheduler) {
            return;
        }
        let delay = self.latency();
        let happening = Happening::AnswerArrives { asker, answer: Box::new(answer), life: self.broker.life };
        self.agenda.after(delay, happening);
    }

    /// Publishes an offer; `due` is carried by the broker's delay.
    pub(super) fn publish(&mut self, offer: OfferMessage, due: Timestamp) {
        if self.goes_wrong(self.weather.lost_offers) {
            return;
        }
        let copies = 1 + usize::from(self.goes_wrong(self.weather.doubled));
        for _ in 0..copies {
            let latency = self.latency();
            let at = due.max(self.agenda.now()).plus(latency);
            self.agenda.at(at, Happening::OfferArrives(offer.clone()));
        }
    }

    pub(super) fn plan(&mut self, process: usize, delay: Duration, deed: Deed) {
        self.agenda.after(delay, Happening::Deed { process, deed });
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.random_range(0..from.len())]
    }

    /// Writes a line of the history, where somebody reads it.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(journal) = &mut self.journal {
            let at = self.agenda.now().since(self.start).as_secs_f64();
            journal.push(format!("{at:10.3} {}", line()));
        }
    }

    pub(super) fn take_journal(&mut self) -> Vec<String> {
        self.journal.take().unwrap_or_default()
    }
}

/// A length of time for a message.
pub(super) fn seconds(random: &mut impl Rng, least: u32, most: u32) -> Seconds {
    Duration::from_secs(random.random_range(least..=most).into()).into()
}
