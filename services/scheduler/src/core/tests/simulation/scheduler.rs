//! The scheduler's process: the real core in a shell that does as the service does, and that can be killed between any
//! two of its steps.

use std::collections::BTreeSet;

use contract::{JobId, Month, Seconds, SweepId, Timestamp, WorkerId, names::work_queue, sweep::SweepSummary};

use super::{
    broker::{Asker, Inbox, Line, Message, OfferMessage},
    env::{Env, Happening},
    run::METRIC,
    sabotage::Sabotage,
    saved::{Letter, Saved},
};
use crate::core::{Answer, Bill, Command, Core, Event, Job, JobEvent, Offer, Reach, job::Phase};

pub(super) struct Scheduler {
    core: Option<Core>,
    pub(super) saved: Saved,
    frozen_until: Timestamp,
    /// Letters that the broker has not confirmed, and those that it has.
    unsent: Vec<(u64, Letter)>,
    confirmed: Vec<u64>,
    letters: u64,
    is_serving_soon: bool,
}

/// What a batch comes to.
#[derive(Default)]
struct Effects {
    jobs: BTreeSet<JobId>,
    removed: Vec<Job>,
    sweeps: BTreeSet<SweepId>,
    workers: BTreeSet<WorkerId>,
    /// Figures of trials.
    figures: Vec<(JobId, f64)>,
    letters: Vec<Letter>,
    answers: Vec<(Asker, Answer)>,
}

/// Before which step of a batch the scheduler may be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Commit,
    Sending,
    Answering,
    Acknowledging,
}

const MOMENTS: [Moment; 4] = [Moment::Commit, Moment::Sending, Moment::Answering, Moment::Acknowledging];

impl Scheduler {
    pub(super) fn new() -> Self {
        Self {
            core: None,
            saved: Saved::default(),
            frozen_until: Timestamp::default(),
            unsent: Vec::new(),
            confirmed: Vec::new(),
            letters: 0,
            is_serving_soon: false,
        }
    }

    /// Begins from what is saved, as a successor of one that was killed does.
    pub(super) fn start(&mut self, env: &mut Env) {
        if self.core.is_some() {
            return;
        }
        env.note(|| "the scheduler starts".into());
        self.frozen_until = env.agenda.now();
        for job in self.saved.jobs.values_mut() {
            match env.sabotage {
                Some(Sabotage::RepeatedToken) if !matches!(job.phase, Phase::Running(_)) => {
                    job.granted = job.granted.saturating_sub(1);
                }
                Some(Sabotage::LostBill) => job.bill = Bill::default(),
                Some(Sabotage::PaidTwice) => job.ledger.usd *= 2.0,
                Some(Sabotage::ForgottenPause) if matches!(job.phase, Phase::Paused { .. }) => {
                    job.phase = Phase::Queued;
                }
                _ => {}
            }
        }
        for sweep in self.saved.sweeps.values_mut() {
            for trial in &mut sweep.trials {
                match env.sabotage {
                    Some(Sabotage::ForgottenTrials) => trial.usd = 0.0,
                    Some(Sabotage::ForgottenFigures) => trial.best = trial.last,
                    _ => {}
                }
            }
        }
        let workers = self.saved.workers.values().cloned().collect();
        let mut rules = env.rules.clone();
        if env.sabotage == Some(Sabotage::RaisedConcurrency) {
            rules.workloads.values_mut().for_each(|workload| workload.concurrency += 1);
        }
        if env.sabotage == Some(Sabotage::UnpaidGrace) {
            rules.grace = Seconds::default();
        }
        if env.sabotage == Some(Sabotage::NoOwnerLimits) {
            rules.owners.0.values_mut().for_each(|owner| owner.concurrency = None);
        }
        let mut core = Core::new(rules, self.saved.live_jobs(), workers, env.agenda.now());
        for mut sweep in self.saved.live_sweeps() {
            if env.sabotage == Some(Sabotage::RaisedSweep) {
                sweep.submission.concurrency += 1;
            }
            core.recall_sweep(sweep);
        }
        let month = Month::of(env.agenda.now());
        core.recall_spending(month, self.saved.spent(month));
        self.core = Some(core);
        self.unsent = self.saved.outbox.iter().map(|(id, letter)| (*id, letter.clone())).collect();
        self.confirmed.clear();
        self.resend(env);
        self.serve_soon(env);
    }

    /// Ends without a word.
    pub(super) fn die(&mut self, env: &mut Env) {
        env.note(|| "the scheduler dies".into());
        self.core = None;
        self.unsent.clear();
        self.confirmed.clear();
        if env.sabotage == Some(Sabotage::ForgottenOutbox) {
            self.saved.outbox.clear();
        }
        let delay = env.between(50, 30_000);
        env.agenda.after(delay, Happening::SchedulerStarts);
    }

    /// Stands still for a while.
    pub(super) fn freeze(&mut self, env: &mut Env) {
        let time = env.between(100, 40_000);
        env.note(|| format!("the scheduler freezes for {time:?}"));
        self.frozen_until = env.agenda.now().plus(time);
        env.agenda.after(time, Happening::Serve);
    }

    /// A message has come.
    pub(super) fn serve_soon(&mut self, env: &mut Env) {
        if !self.is_serving_soon {
            self.is_serving_soon = true;
            let delay = env.between(1, 20);
            env.agenda.after(delay, Happening::Serve);
        }
    }

    /// Takes a batch from reading to acknowledging.
    pub(super) fn serve(&mut self, env: &mut Env, is_tick: bool) {
        self.is_serving_soon = false;
        let now = env.agenda.now();
        if now < self.frozen_until {
            return;
        }
        let Some(mut core) = self.core.take() else { return };
        let killed_at = env.goes_wrong(env.weather.crashes).then(|| env.pick(&MOMENTS));
        let is_online = env.broker.reaches(Line::Scheduler);
        let most = env.weather.batch;
        let mut taken: Vec<(Inbox, Vec<Message>)> = Vec::new();
        if is_online {
            taken.extend(Inbox::ALL.map(|inbox| (inbox, env.broker.take(inbox, most, now))));
        }
        let is_full = taken.iter().any(|(_, messages)| messages.len() == most);

        let effects = self.decide(env, &mut core, &taken, is_tick.then(|| reach(is_online, is_full)));
        let survived = self.carry_out(env, &core, effects, killed_at);
        if !survived {
            taken.into_iter().for_each(|(inbox, messages)| env.broker.give_back(inbox, messages));
            self.die(env);
            return;
        }
        core.retire();
        self.core = Some(core);
        if is_full {
            self.serve_soon(env);
        }
    }

    fn decide(
        &self,
        env: &mut Env,
        core: &mut Core,
        taken: &[(Inbox, Vec<Message>)],
        reach: Option<Reach>,
    ) -> Effects {
        let now = env.agenda.now();
        let messages = || taken.iter().flat_map(|(_, messages)| messages);
        messages().for_each(|message| self.saved.recall(&message.event, core));
        let mut effects = Effects::default();
        for message in messages() {
            match env.sabotage {
                Some(Sabotage::NoReservations) => core.desk.purses.forget_reserved(),
                Some(Sabotage::NoSweepReservations) => core.desk.purses.forget_reserved_by_sweeps(),
                Some(Sabotage::ForgottenSpending) => core.desk.purses.forget_spent(),
                _ => {}
            }
            env.note(|| format!("< {:?}", message.event));
            if let Asker::Heartbeat { runs, .. } = &message.asker {
                runs.iter()
                    .for_each(|(job_id, _)| env.checks.on_the_road(job_id, now.since(message.sent_at)));
            }
            effects.note_figure(&message.event, core);
            effects.take(env, core.step(message.event.clone(), now), core, &message.asker);
        }
        if let Some(reach) = reach.filter(|_| env.sabotage != Some(Sabotage::NoTicks)) {
            effects.take(env, core.step(Event::Tick(reach), now), core, &Asker::Nobody);
        }
        effects
    }

    /// Saves, sends, answers; `false` when the scheduler was killed before it could acknowledge.
    fn carry_out(
        &mut self,
        env: &mut Env,
        core: &Core,
        mut effects: Effects,
        killed_at: Option<Moment>,
    ) -> bool {
        let answers = std::mem::take(&mut effects.answers);
        if env.sabotage == Some(Sabotage::AnswerBeforeCommit) {
            self.answer(env, answers.clone());
        }
        if killed_at == Some(Moment::Commit) {
            return false;
        }
        if effects.is_urgent() {
            let letters = self.commit(env, core, effects);
            env.checks.after_commit(core, &self.saved);
            if killed_at == Some(Moment::Sending) {
                return false;
            }
            self.unsent.extend(letters);
            self.send(env);
        }
        if killed_at == Some(Moment::Answering) {
            return false;
        }
        self.answer(env, answers);
        killed_at != Some(Moment::Acknowledging)
    }

    /// One transaction.
    fn commit(&mut self, env: &mut Env, core: &Core, effects: Effects) -> Vec<(u64, Letter)> {
        let Effects { jobs, removed, sweeps, workers, figures, letters, .. } = effects;
        for job in removed {
            self.saved.jobs.remove(&job.id);
            self.saved.bills.insert(job.id.clone(), (job.submission.owner, job.bill));
            self.saved.removed.insert(job.id);
        }
        for job in jobs.iter().filter_map(|id| core.job(id)) {
            let is_kept =
                env.sabotage != Some(Sabotage::UnsavedLease) || !matches!(job.phase, Phase::Running(_));
            if is_kept {
                let bill = (job.submission.owner.clone(), job.bill_so_far());
                self.saved.bills.insert(job.id.clone(), bill);
                self.saved.jobs.insert(job.id.clone(), job.clone());
            }
        }
        for id in sweeps.iter().filter(|_| env.sabotage != Some(Sabotage::UnsavedSweep)) {
            let sweep = core.sweep(id).expect("a sweep that is saved is there");
            self.saved.sweeps.insert(id.clone(), sweep.clone());
        }
        for (job_id, figure) in figures {
            env.checks.sweeps.reported(&job_id, figure);
        }
        for id in workers {
            match core.worker(&id) {
                Some(worker) => drop(self.saved.workers.insert(id, worker.clone())),
                None => drop(self.saved.workers.remove(&id)),
            }
        }
        for id in self.confirmed.drain(..) {
            self.saved.outbox.remove(&id);
        }
        let first = self.letters + 1;
        self.letters += letters.len() as u64;
        let letters: Vec<(u64, Letter)> = (first..).zip(letters).collect();
        for (id, letter) in &letters {
            if let Letter::Told(event) = letter {
                let job = core.job(subject(event));
                let reached = env.checkpoints.step(subject(event));
                let steps = env.work.get(subject(event)).map_or(0, |work| work.steps);
                env.checks.saved(event, job, reached, steps);
            }
            self.saved.outbox.insert(*id, letter.clone());
        }
        letters
    }

    /// Sends again what the broker did not take.
    pub(super) fn resend(&mut self, env: &mut Env) {
        if self.core.is_some() {
            self.send(env);
        }
    }

    fn send(&mut self, env: &mut Env) {
        for (id, letter) in std::mem::take(&mut self.unsent) {
            let is_taken = env.broker.reaches(Line::Scheduler);
            let is_confirmed = is_taken && !env.goes_wrong(env.weather.unconfirmed);
            let arrives = is_confirmed || (is_taken && env.goes_wrong(500));
            if arrives {
                deliver(env, &letter);
            }
            match is_confirmed {
                true => self.confirmed.push(id),
                false => self.unsent.push((id, letter)),
            }
        }
        if !self.unsent.is_empty() {
            let delay = env.between(900, 1_100);
            env.agenda.after(delay, Happening::Resend);
        }
    }

    fn answer(&self, env: &mut Env, answers: Vec<(Asker, Answer)>) {
        for (asker, answer) in answers {
            env.checks.said(&asker, &answer, &self.saved);
            env.answer(asker, answer);
        }
    }

    /// Notes what the broker has, once nothing else is left to do.
    pub(super) fn settle(&mut self) {
        for id in self.confirmed.drain(..) {
            self.saved.outbox.remove(&id);
        }
    }

    /// Every sweep in one line.
    pub(super) fn sweeps(&self) -> Vec<SweepSummary> {
        let core = self.core.as_ref().expect("it is at rest");
        self.saved.sweeps.values().map(|sweep| core.sweep_summary(sweep)).collect()
    }

    /// Whether it has nothing left to send.
    pub(super) fn is_at_rest(&self) -> bool {
        self.core.is_some() && self.unsent.is_empty()
    }
}

impl Effects {
    /// Whether there is anything to save.
    fn is_urgent(&self) -> bool {
        let Self { jobs, removed, sweeps, workers, letters, .. } = self;
        let is_idle = jobs.is_empty() && removed.is_empty() && sweeps.is_empty() && workers.is_empty();
        !(is_idle && letters.is_empty())
    }

    /// Notes what a trial reports, if there still is one.
    fn note_figure(&mut self, event: &Event, core: &Core) {
        if let Event::Metrics(report) = event
            && core.job(&report.job_id).is_some()
            && let Some(figure) = report.metrics.get(METRIC)
        {
            self.figures.push((report.job_id.clone(), *figure));
        }
    }

    fn take(&mut self, env: &mut Env, commands: Vec<Command>, core: &Core, asker: &Asker) {
        let mut touched = BTreeSet::new();
        for command in commands {
            match command {
                Command::SaveJob(job_id) => drop(touched.insert(job_id)),
                Command::RemoveJob(job) => {
                    self.jobs.remove(&job.id);
                    touched.remove(&job.id);
                    self.removed.push(*job);
                }
                Command::SaveWorker(id) | Command::ForgetWorker(id) => drop(self.workers.insert(id)),
                Command::Offer(offer) => {
                    env.note(|| format!("> offer {}.{} to {}", offer.job_id, offer.attempt, offer.placement));
                    self.letters.push(Letter::Offer(offer));
                }
                Command::Tell(event) => {
                    env.note(|| format!("> {event:?}"));
                    self.letters.push(Letter::Told(event));
                }
                Command::SaveSweep(id) => drop(self.sweeps.insert(id)),
                Command::Record { .. } | Command::Bury(_) => {}
                Command::Answer(answer) => {
                    env.note(|| format!("> {answer:?}"));
                    self.answers.push((asker.clone(), answer));
                }
            }
        }
        env.checks.after_step(core, touched.iter());
        self.jobs.append(&mut touched);
    }
}

fn reach(is_online: bool, is_full: bool) -> Reach {
    match (is_online, is_full) {
        (false, _) => Reach::Offline,
        (true, true) => Reach::Behind,
        (true, false) => Reach::CaughtUp,
    }
}

fn deliver(env: &mut Env, letter: &Letter) {
    match letter {
        Letter::Offer(Offer { job_id, attempt, workload, placement, due, .. }) => {
            let queue = work_queue(workload, &placement.gpu, placement.tier);
            let offer = OfferMessage { queue, job_id: job_id.clone(), attempt: *attempt, redelivered: false };
            env.publish(offer, *due);
        }
        Letter::Told(event) => env.checks.told(event),
    }
}

fn subject(event: &JobEvent) -> &JobId {
    match event {
        JobEvent::Queued(event) => &event.job_id,
        JobEvent::Leased(event) => &event.job_id,
        JobEvent::Retrying(event) => &event.job_id,
        JobEvent::Warned(event) => &event.job_id,
        JobEvent::Paused(event) => &event.job_id,
        JobEvent::Resumed(event) => &event.job_id,
        JobEvent::Ended(event) => &event.job_id,
    }
}
