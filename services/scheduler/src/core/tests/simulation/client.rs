//! Those who ask for work: they submit until they are answered, cancel, pause, resume, redrive, remove and look.

use std::time::Duration;

use contract::{
    JobId, SubmitJob, TotalLimits, WorkerId,
    control::{DrainMode, DrainWorker, RedriveJob},
};
use rand::RngExt;
use serde_json::{Value, json};

use super::{
    broker::{Asker, Inbox, Line},
    env::{Env, Happening, Work},
    sweeps::{self, SweepWish},
    world::{MACHINES, machine_name},
};
use crate::core::{Event, Submission};

/// What somebody wants.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    Submit(Box<SubmitJob>),
    Cancel(JobId),
    Pause(JobId),
    Resume(JobId),
    /// Every job that is paused is to go on, whenever that is.
    LetGo,
    /// A worker takes nothing new, or does again.
    Drain(WorkerId, DrainMode),
    Redrive(JobId),
    Remove(JobId),
    Look(JobId),
    Sweep(SweepWish),
}

/// How long a publisher waits for an answer before it submits once more.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Plans what is wanted in the course of a history.
pub(super) fn plan(env: &mut Env) {
    plan_drains(env);
    sweeps::plan(env);
    let lasts = env.weather.lasts.as_millis() as u64;
    for number in 0..env.weather.jobs {
        let job_id = JobId::new(format!("job-{number}")).expect("a simulated name is valid");
        let submission = submission(Some(&job_id), env);
        let steps = env.random.random_range(2..12);
        let step = env.between(300, 5_000);
        env.work.insert(job_id.clone(), Work { steps, step, talent: None });
        let at = env.between(0, lasts / 2);
        env.agenda.after(at, Happening::Wish(Wish::Submit(Box::new(submission))));
        let wishes = [
            (Wish::Cancel(job_id.clone()), 150),
            (Wish::Pause(job_id.clone()), 250),
            (Wish::Pause(job_id.clone()), 50),
            (Wish::Resume(job_id.clone()), 250),
            (Wish::Redrive(job_id.clone()), 300),
            (Wish::Remove(job_id.clone()), 100),
            (Wish::Look(job_id), 300),
        ];
        for (wish, in_a_thousand) in wishes {
            if env.random.random_range(0..1000) < in_a_thousand {
                let at = env.between(lasts / 8, lasts * 5 / 4);
                env.agenda.after(at, Happening::Wish(wish));
            }
        }
    }
}

/// Plans who is to take nothing new, and when.
fn plan_drains(env: &mut Env) {
    let lasts = env.weather.lasts.as_millis() as u64;
    for machine in 0..MACHINES.len() {
        for mode in [DrainMode::Finish, DrainMode::HandBack, DrainMode::Undo, DrainMode::Undo] {
            if env.random.random_range(0..1000) < 70 {
                let at = env.between(lasts / 8, lasts);
                env.agenda.after(at, Happening::Wish(Wish::Drain(machine_name(machine), mode)));
            }
        }
    }
}

/// A job that somebody may ask for.
pub(super) fn submission(job_id: Option<&JobId>, env: &mut Env) -> SubmitJob {
    let workload = env.pick(&["classifier", "classifier", "dit"]);
    let mut fields = json!({
        "job_id": job_id,
        "workload": workload,
        "priority": env.random.random_range(0..10),
        "owner": env.pick(&["ada", "bob"]),
        "timeout": env.random.random_range(5..120),
        "params": { "data": "flowers" },
        "resources": { "spot": env.pick(&["never", "allow", "only"]) },
        "total": {},
        "retry": {},
    });
    let mut maybe = |path: [&str; 2], value: Value| {
        if env.random.random_range(0..3) == 0 {
            fields[path[0]][path[1]] = value;
        }
    };
    maybe(["retry", "max_retries"], json!(0));
    maybe(["retry", "max_losses"], json!(1));
    let (time, usd) = (env.random.random_range(20..300), env.random.random_range(0.001..0.05));
    let mut maybe = |path: [&str; 2], value: Value| {
        if env.random.random_range(0..3) == 0 {
            fields[path[0]][path[1]] = value;
        }
    };
    maybe(["total", "time"], json!(time));
    maybe(["total", "usd"], json!(usd));
    serde_json::from_value(fields).expect("a simulated submission is one")
}

/// Asks for it.
pub(super) fn wish(wish: Wish, env: &mut Env) {
    if !matches!(wish, Wish::LetGo) {
        env.note(|| format!("wish: {wish:?}"));
    }
    match wish {
        Wish::Submit(job) => {
            let Some(job_id) = job.job_id.clone() else { return };
            if env.checks.is_answered(&job_id) {
                return;
            }
            let submission = Submission { job: (*job).clone(), message_id: None, traceparent: None };
            let event = Event::Submit(Box::new(submission));
            env.tell(Line::Client, Inbox::Submissions, event, Asker::Client(job_id));
            env.agenda.after(PATIENCE, Happening::Wish(Wish::Submit(job)));
        }
        Wish::Cancel(job_id) => ask(env, Event::Cancel(job_id.clone()), job_id),
        Wish::Pause(job_id) => ask(env, Event::Pause(job_id.clone()), job_id),
        Wish::Resume(job_id) => ask(env, Event::Resume(job_id.clone()), job_id),
        Wish::LetGo => {
            let paused: Vec<JobId> = env.checks.paused().cloned().collect();
            paused.into_iter().for_each(|job_id| ask(env, Event::Resume(job_id.clone()), job_id));
            for worker in 0..MACHINES.len() {
                drain(env, machine_name(worker), DrainMode::Undo);
            }
            env.agenda.after(PATIENCE, Happening::Wish(Wish::LetGo));
        }
        Wish::Drain(worker, mode) => drain(env, worker, mode),
        Wish::Remove(job_id) => ask(env, Event::Remove(job_id.clone()), job_id),
        Wish::Sweep(wish) => sweeps::wish(wish, env),
        Wish::Look(job_id) => ask(env, Event::Get(job_id.clone()), job_id),
        Wish::Redrive(job_id) => {
            env.checks.redriven_by_hand(&job_id);
            let total = TotalLimits { time: Some(Duration::from_secs(5_000).into()), usd: Some(5.0) };
            let redrive = RedriveJob { total, ..RedriveJob::plain(job_id.clone()) };
            ask(env, Event::Redrive(Box::new(redrive)), job_id);
        }
    }
}

fn drain(env: &mut Env, worker: WorkerId, mode: DrainMode) {
    env.ask(Event::Drain(DrainWorker { worker, mode }), Asker::Nobody, PATIENCE);
}

fn ask(env: &mut Env, event: Event, job_id: JobId) {
    env.ask(event, Asker::Client(job_id), PATIENCE);
}
