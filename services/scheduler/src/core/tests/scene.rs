//! A core with a clock that scripts can turn.

use std::{collections::BTreeMap, iter, time::Duration};

use contract::{
    Failure, FailureClass, Incarnation, JobId, Month, SubmitJob, Tier, Timestamp, WorkerId,
    control::{DrainMode, DrainWorker, RedriveJob},
    events::{AttemptEnd, AttemptEnded, AttemptMetrics, AttemptStarted, RunResult},
    lease::{Claim, Goodbye, Heartbeat, Hello, Progress, RunReport},
    sweep::GetSweep,
};
use serde_json::{Value, json};

use super::spell::spell;
use crate::core::{Answer, Command, Core, Event, Job, Reach, Rules, Submission, Worker};

const TICK: Duration = Duration::from_millis(250);
/// The scripts' clock begins here: twenty seconds before a month ends, so that bills are split.
pub(crate) const START: Timestamp = Timestamp(1_001_894_380_000);

pub(crate) struct Scene {
    pub(crate) core: Core,
    pub(super) now: Timestamp,
    pub(super) rules: Rules,
}

impl Scene {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { core: Core::new(rules.clone(), Vec::new(), Vec::new(), START), now: START, rules }
    }

    /// Plays a script: its lines, each followed by what the core said.
    pub(crate) fn play(&mut self, script: &[&str]) -> String {
        let lines = script.iter().flat_map(|line| {
            let said: Vec<String> =
                self.act(line).iter().filter_map(|command| spell(command, START)).collect();
            iter::once(format!("{line}\n")).chain(said.into_iter().map(|said| format!("    {said}\n")))
        });
        lines.collect()
    }

    /// Does what one line says.
    pub(super) fn act(&mut self, line: &str) -> Vec<Command> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["wait", time] => self.wait(duration(time), Reach::CaughtUp),
            ["live", time, beats @ ..] => self.live(duration(time), beats),
            ["offline", time] => self.wait(duration(time), Reach::Offline),
            ["behind", time] => self.wait(duration(time), Reach::Behind),
            // The process stands still, and its clock goes on.
            ["freeze", time] => {
                self.now = self.now.plus(duration(time));
                self.core.step(Event::Tick(Reach::CaughtUp), self.now)
            }
            ["restart"] => {
                self.restart();
                Vec::new()
            }
            _ => self.step(event(&words, self.now)),
        }
    }

    pub(super) fn step(&mut self, event: Event) -> Vec<Command> {
        self.core.step(event, self.now)
    }

    fn wait(&mut self, time: Duration, reach: Reach) -> Vec<Command> {
        let until = self.now.plus(time);
        let mut commands = Vec::new();
        while self.now < until {
            self.now = self.now.plus(TICK).min(until);
            commands.extend(self.core.step(Event::Tick(reach), self.now));
        }
        commands
    }

    /// Time passes, and every five seconds workers are heard: `w1=a.1@20` runs something, `w2` nothing.
    fn live(&mut self, time: Duration, beats: &[&str]) -> Vec<Command> {
        let until = self.now.plus(time);
        let mut commands = Vec::new();
        while self.now < until {
            let next = until.since(self.now).min(Duration::from_secs(5));
            commands.extend(self.wait(next, Reach::CaughtUp));
            for beat in beats {
                let said = self.act(&format!("beat {}", beat.replace('=', " ")));
                let heard = |command: &Command| matches!(command, Command::Answer(Answer::Heartbeat(_)));
                commands.extend(said.into_iter().filter(|command| !heard(command)));
            }
        }
        commands
    }

    /// Begins again from what would have been saved; jobs that have ended are recalled, as the service does.
    pub(super) fn restart(&mut self) {
        let saved = |job: &Job| {
            let body = serde_json::to_string(job).unwrap();
            let read: Job = serde_json::from_str(&body).unwrap();
            assert_eq!(*job, read, "a job is read back as it was written");
            read
        };
        let sweeps: Vec<_> = self.core.desk.sweeps.saved();
        let workers: Vec<Worker> = self.core.desk.workers.all().cloned().collect();
        let (ended, live) = self.core.jobs.values().map(saved).partition(|job| job.state().is_end());
        let month = Month::of(self.now);
        let mut spent = BTreeMap::<String, f64>::new();
        for job in self.core.jobs.values() {
            let bill = job.bill_so_far();
            let lines = bill.lines().iter().filter(|line| line.month == month);
            *spent.entry(job.submission.owner.clone()).or_default() +=
                lines.map(|line| line.usd).sum::<f64>();
        }
        self.core = Core::new(self.rules.clone(), live, workers, self.now);
        self.core.recall_spending(month, spent);
        Vec::into_iter(ended).for_each(|job| self.core.recall(job));
        sweeps.into_iter().for_each(|sweep| self.core.recall_sweep(sweep));
    }
}

/// Reads one line of a script.
fn event(words: &[&str], now: Timestamp) -> Event {
    match words {
        ["submit", id, options @ ..] => {
            let submission = Submission { job: submission(id, options), message_id: None, traceparent: None };
            Event::Submit(Box::new(submission))
        }
        ["hello", who, gpu, options @ ..] => Event::Hello(Box::new(hello(who, gpu, options))),
        ["bye", who] => Event::Goodbye(Goodbye { worker: worker(who), incarnation: incarnation(who) }),
        ["claim", who, run, rest @ ..] => Event::Claim(Claim {
            job_id: attempt(run).0,
            attempt: attempt(run).1,
            redelivered: rest == ["redelivered"],
            worker: worker(who),
            incarnation: incarnation(who),
        }),
        ["beat", who, runs @ ..] => Event::Heartbeat(Heartbeat {
            worker: worker(who),
            incarnation: incarnation(who),
            runs: runs.iter().map(|run| report(run)).collect(),
        }),
        ["started", who, run] => {
            let RunReport { job_id, attempt, progress } = report(run);
            let resumed_from_step = progress.step;
            let worker = worker(who);
            Event::Started(AttemptStarted {
                job_id,
                attempt,
                worker,
                resumed_from_step,
                damaged: vec![],
                at: now,
            })
        }
        ["ended", who, run, how] => {
            let RunReport { job_id, attempt, progress } = report(run);
            Event::Ended(Box::new(AttemptEnded {
                job_id,
                attempt,
                worker: worker(who),
                incarnation: incarnation(who),
                end: end(how),
                resumed_from_step: progress.step,
                progress,
                at: now,
            }))
        }
        ["owners"] => Event::ListOwners,
        ["cancel", id] => Event::Cancel(job(id)),
        ["pause", id] => Event::Pause(job(id)),
        ["resume", id] => Event::Resume(job(id)),
        ["drain", who] => drain(who, DrainMode::Finish),
        ["drain", who, "handing-back"] => drain(who, DrainMode::HandBack),
        ["drain", who, "no-more"] => drain(who, DrainMode::Undo),
        ["workers"] => Event::ListWorkers,
        ["remove", id] => Event::Remove(job(id)),
        ["get", id] => Event::Get(job(id)),
        ["redrive", id, options @ ..] => {
            let plain = serde_json::to_value(RedriveJob::plain(job(id))).unwrap();
            Event::Redrive(Box::new(serde_json::from_value(fields(plain, options)).unwrap()))
        }
        other => sweep_event(other, now),
    }
}

/// Reads one line about sweeps.
fn sweep_event(words: &[&str], now: Timestamp) -> Event {
    match words {
        ["sweep", id, options @ ..] => {
            let sweep = fields(
                json!({ "sweep_id": id, "job": { "workload": "classifier", "params": { "data": "d" } },
                "search": { "method": "grid", "params": { "epochs": [1, 2, 3, 4, 5, 6] } } }),
                options,
            );
            Event::SubmitSweep(Box::new(serde_json::from_value(sweep).unwrap()), None)
        }
        ["metric", run, figures @ ..] => {
            let (job_id, attempt) = attempt(run.split('@').next().unwrap());
            let step = report(run).progress.step;
            let metrics = figures.iter().map(|figure| {
                let (name, value) = figure.split_once('=').unwrap();
                (name.to_owned(), value.parse().unwrap())
            });
            let metrics = metrics.collect();
            Event::Metrics(AttemptMetrics {
                job_id,
                attempt,
                step,
                epoch: Some(step as u32),
                metrics,
                at: now,
            })
        }
        ["show-sweep", id] => Event::GetSweep(GetSweep { sweep_id: id.parse().unwrap(), after: 0 }),
        ["cancel-sweep", id] => Event::CancelSweep(id.parse().unwrap()),
        ["resume-sweep", id, options @ ..] => {
            let resume = fields(json!({ "sweep_id": id }), options);
            Event::ResumeSweep(serde_json::from_value(resume).unwrap())
        }
        other => panic!("no such line: {other:?}"),
    }
}

fn drain(who: &str, mode: DrainMode) -> Event {
    Event::Drain(DrainWorker { worker: worker(who), mode })
}

/// `a priority=9 total.usd=0.5`
fn submission(id: &str, options: &[&str]) -> SubmitJob {
    let defaults = json!({ "job_id": id, "workload": "classifier", "params": { "data": "flowers" } });
    serde_json::from_value(fields(defaults, options)).unwrap()
}

fn fields(mut fields: Value, options: &[&str]) -> Value {
    for option in options {
        let (path, value) = option.split_once('=').unwrap();
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        let pointer = path.split('.').fold(&mut fields, |fields, key| &mut fields[key]);
        *pointer = value;
    }
    fields
}

/// `w1 t4 spot slots=3`; `w1#2` is the second life of its process.
fn hello(who: &str, gpu: &str, options: &[&str]) -> Hello {
    let slots = options.iter().find_map(|option| option.strip_prefix("slots=")).unwrap_or("1");
    Hello {
        worker: worker(who),
        incarnation: incarnation(who),
        workload: "classifier".parse().unwrap(),
        gpu: gpu.parse().unwrap(),
        tier: if options.contains(&"spot") { Tier::Spot } else { Tier::OnDemand },
        slots: slots.parse().unwrap(),
        memory_mib: None,
        host: "host".into(),
        pid: 1,
        release: "0".into(),
        paused: options.contains(&"paused").then(|| "others hold its memory".into()),
    }
}

/// `a.1@50`: attempt 1 of a, at step 50; `a.1@50/400*2`: of 400, 2 a second; `a.1@50%4`: in 4 micro-batches.
fn report(run: &str) -> RunReport {
    let (run, micro_batches) = run.split_once('%').map_or((run, None), |(run, n)| (run, n.parse().ok()));
    let (run, at) = run.split_once('@').unwrap_or((run, "0"));
    let (at, rate) = at.split_once('*').map_or((at, None), |(at, rate)| (at, rate.parse().ok()));
    let (step, total) = at.split_once('/').map_or((at, None), |(step, total)| (step, total.parse().ok()));
    let (job_id, attempt) = attempt(run);
    let step = step.parse().unwrap();
    let progress =
        Progress { step, steps_total: total, steps_per_second: rate, micro_batches, ..Progress::default() };
    RunReport { job_id, attempt, progress }
}

fn attempt(run: &str) -> (JobId, u32) {
    let (id, number) = run.split_once('.').unwrap();
    (job(id), number.parse().unwrap())
}

fn end(how: &str) -> AttemptEnd {
    let class = match how {
        "ok" => return AttemptEnd::Succeeded(RunResult::default()),
        "cancelled" => return AttemptEnd::Cancelled,
        "paused" => return AttemptEnd::Paused,
        "superseded" => return AttemptEnd::Superseded,
        diverged if diverged.starts_with("diverged@") => {
            let step = diverged["diverged@".len()..].parse().unwrap();
            return AttemptEnd::Failed(Failure::diverged(step, "no number"));
        }
        class => serde_json::from_value::<FailureClass>(json!(class)).unwrap(),
    };
    AttemptEnd::Failed(Failure::new(class, "it went wrong"))
}

fn job(id: &str) -> JobId {
    JobId::new(id).unwrap()
}

fn worker(who: &str) -> WorkerId {
    WorkerId::new(who.split('#').next().unwrap()).unwrap()
}

fn incarnation(who: &str) -> Incarnation {
    let life: u128 = who.split_once('#').map_or(1, |(_, life)| life.parse().unwrap());
    Incarnation(uuid::Uuid::from_u128(life))
}

fn duration(text: &str) -> Duration {
    text.parse::<contract::Seconds>().unwrap().to_duration()
}
