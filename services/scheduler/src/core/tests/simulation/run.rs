//! The runs of a process: how they go on, fail, stop, and end.

use std::time::Duration;

use contract::{
    Failure, FailureClass, JobId, StopCause, Timestamp,
    events::{AttemptEnd, AttemptEnded, AttemptMetrics, AttemptStarted, RunResult},
    lease::{Grant, Progress},
};
use rand::RngExt;

use super::{
    env::{Env, Happening, Work},
    sabotage::Sabotage,
    worker::{Deed, Process},
};
use crate::core::Event;

/// The figure that trials are compared by.
pub(super) const METRIC: &str = "accuracy";

pub(super) struct Run {
    /// Its number in its process.
    pub(super) number: u64,
    pub(super) job_id: JobId,
    pub(super) attempt: u32,
    work: Work,
    fails: Option<(u64, FailureClass)>,
    /// Whether its trainer does not listen.
    is_deaf: bool,
    /// The step it goes on from, once that is known.
    from: Option<u64>,
    step: u64,
    run_until: Timestamp,
    limit_cause: StopCause,
    stop: Option<(StopCause, Timestamp)>,
    gone_at: Option<Timestamp>,
}

impl Process {
    pub(super) fn begin(&mut self, grant: Grant, took: Duration, env: &mut Env) {
        let (job_id, attempt) = (grant.job_id, grant.attempt);
        // An offer that came twice is run once.
        if !self.known.insert((job_id.clone(), attempt)) {
            return;
        }
        self.begun += 1;
        let number = self.begun;
        let work = env.work[&job_id];
        let failing = [
            FailureClass::Transient,
            FailureClass::Transient,
            FailureClass::Oom,
            FailureClass::Oom,
            FailureClass::Permanent,
            FailureClass::Timeout,
        ];
        let fails = env
            .goes_wrong(env.weather.failures)
            .then(|| (env.random.random_range(0..work.steps), env.pick(&failing)));
        let is_deaf = env.goes_wrong(100) || env.sabotage == Some(Sabotage::UnpaidGrace);
        // More than the whole run may have been on the road.
        env.checks.on_the_road(&job_id, took.saturating_sub(grant.run_limit.to_duration()));
        let run_limit = grant.run_limit.to_duration().saturating_sub(took);
        self.runs.push(Run {
            number,
            job_id: job_id.clone(),
            attempt,
            work,
            fails,
            is_deaf,
            from: None,
            step: 0,
            run_until: env.agenda.now().plus(run_limit),
            limit_cause: grant.run_limit_cause,
            stop: None,
            gone_at: None,
        });
        env.note(|| format!("process {} begins {job_id}.{attempt}", self.id));
        let delay = env.between(1, 500);
        env.plan(self.id, delay, Deed::Open { run: number });
        env.plan(self.id, run_limit, Deed::Look { run: number });
        if self.is_leaving {
            self.request_stop(number, StopCause::Preempted, env);
        }
    }

    pub(super) fn open(&mut self, number: u64, env: &mut Env) {
        let (id, line) = (self.id, self.line());
        let Some(run) = self.run(number) else { return };
        let (job_id, attempt) = run.key();
        if !env.broker.reaches(line) {
            return env.plan(id, Duration::from_secs(1), Deed::Open { run: number });
        }
        match env.checkpoints.open(&job_id, attempt, id) {
            Err(_) => self.end(number, AttemptEnd::Superseded, env),
            Ok(step) => {
                run.from = Some(step);
                run.step = step;
                let delay = run.work.step;
                let started = AttemptStarted {
                    job_id,
                    attempt,
                    worker: self.hello.worker.clone(),
                    resumed_from_step: step,
                    damaged: Vec::new(),
                    at: env.agenda.now(),
                };
                self.unsent.push(Event::Started(started));
                self.tell(env);
                env.plan(id, delay, Deed::Step { run: number });
            }
        }
    }

    pub(super) fn step(&mut self, number: u64, env: &mut Env) {
        let (id, line) = (self.id, self.line());
        let Some(run) = self.run(number) else { return };
        if run.gone_at.is_some() {
            return;
        }
        if let Some((_, class)) = run.fails.filter(|(step, _)| *step <= run.step) {
            return self.end(number, AttemptEnd::Failed(Failure::new(class, "it went wrong")), env);
        }
        run.step = (run.step + 1).min(run.work.steps);
        let (step, work) = (run.step, run.work);
        let is_done = step == work.steps;
        let (job_id, attempt) = run.key();
        let next = Deed::Step { run: number };
        if !env.broker.reaches(line) {
            // It trains on without the store, and waits for it with its last step.
            return env.plan(id, if is_done { Duration::from_secs(1) } else { work.step }, next);
        }
        let saves = is_done || env.random.random_range(0..2) == 0;
        if saves && env.checkpoints.commit(&job_id, attempt, step).is_err() {
            return self.end(number, AttemptEnd::Superseded, env);
        }
        let metrics = work.figure(step).map(|figure| (METRIC.to_owned(), figure)).into_iter().collect();
        if is_done {
            return self.end(
                number,
                AttemptEnd::Succeeded(RunResult { metrics, ..RunResult::default() }),
                env,
            );
        }
        if work.talent.is_some() {
            let at = env.agenda.now();
            self.unsent.push(Event::Metrics(AttemptMetrics {
                job_id,
                attempt,
                step,
                epoch: None,
                metrics,
                at,
            }));
            self.tell(env);
        }
        env.plan(id, work.step, next);
    }

    pub(super) fn request_stop(&mut self, number: u64, cause: StopCause, env: &mut Env) {
        let (id, now) = (self.id, env.agenda.now());
        let Some(run) = self.run(number) else { return };
        let since = run.stop.map_or(now, |(_, since)| since);
        if run.stop.is_none_or(|(before, _)| before.wants_checkpoint() && !cause.wants_checkpoint()) {
            run.stop = Some((cause, since));
            env.plan(id, Duration::ZERO, Deed::Look { run: number });
        }
    }

    /// Ends a run that has to stop, once it had the time to.
    pub(super) fn look(&mut self, number: u64, env: &mut Env) {
        let (id, line, now) = (self.id, self.line(), env.agenda.now());
        let Some(run) = self.run(number) else { return };
        if run.stop.is_none() && run.run_until <= now {
            run.stop = Some((run.limit_cause, now));
        }
        let Some((cause, since)) = run.stop else { return };
        let ignores_limit = env.sabotage == Some(Sabotage::IgnoredLimit);
        let gone_at = *run.gone_at.get_or_insert_with(|| {
            let heartbeat = env.rules.heartbeat.to_duration().as_millis() as u64;
            match cause != StopCause::Superseded && (run.is_deaf || ignores_limit) {
                true if ignores_limit => since.plus(Duration::from_secs(120)),
                true => since.plus(env.rules.grace.to_duration()),
                false => now.plus(env.between(0, heartbeat * 3 / 4)),
            }
        });
        if now < gone_at {
            let look = Deed::Look { run: number };
            return env.agenda.at(gone_at, Happening::Deed { process: id, deed: look });
        }
        let (job_id, attempt) = run.key();
        let (step, is_open) = (run.step, run.from.is_some() && !run.is_deaf);
        let mut end = match cause {
            StopCause::Cancelled | StopCause::EarlyStopped => AttemptEnd::Cancelled,
            StopCause::Paused => AttemptEnd::Paused,
            StopCause::Superseded => AttemptEnd::Superseded,
            StopCause::Preempted => failed(FailureClass::Preempted),
            StopCause::Timeout => failed(FailureClass::Timeout),
            StopCause::Budget => failed(FailureClass::Budget),
        };
        if cause.wants_checkpoint()
            && is_open
            && env.broker.reaches(line)
            && env.checkpoints.commit(&job_id, attempt, step).is_err()
        {
            end = AttemptEnd::Superseded;
        }
        self.end(number, end, env);
    }

    fn end(&mut self, number: u64, end: AttemptEnd, env: &mut Env) {
        let Some(at) = self.runs.iter().position(|run| run.number == number) else { return };
        let run = self.runs.remove(at);
        env.note(|| format!("process {} ends {}.{}: {end:?}", self.id, run.job_id, run.attempt));
        self.unsent.push(Event::Ended(Box::new(AttemptEnded {
            progress: run.progress(),
            resumed_from_step: run.from.unwrap_or(0),
            job_id: run.job_id,
            attempt: run.attempt,
            worker: self.hello.worker.clone(),
            incarnation: self.hello.incarnation,
            end,
            at: env.agenda.now(),
        })));
        self.tell(env);
        env.plan(self.id, Duration::ZERO, Deed::Poll);
    }

    fn run(&mut self, number: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.number == number)
    }
}

impl Run {
    pub(super) fn key(&self) -> (JobId, u32) {
        (self.job_id.clone(), self.attempt)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { step: self.step, ..Progress::default() }
    }
}

fn failed(class: FailureClass) -> AttemptEnd {
    AttemptEnd::Failed(Failure::new(class, "it had to stop"))
}
