//! Those who ask for sweeps: they submit them until they are answered, cancel them, let them go on, and look; and they
//! meddle with single trials.

use contract::{
    JobId, SubmitSweep, SweepId,
    sweep::{GetSweep, ResumeSweep},
};
use rand::RngExt;
use serde_json::{Value, json};

use super::{
    broker::{Asker, Inbox, Line},
    client::{PATIENCE, Wish, submission},
    env::{Env, Happening, Work},
    run::METRIC,
};
use crate::core::Event;

/// What somebody wants of a sweep.
#[derive(Debug, Clone)]
pub(super) enum SweepWish {
    Submit(Box<SubmitSweep>),
    Cancel(SweepId),
    Resume(ResumeSweep),
    Look(SweepId),
}

/// Plans what is wanted of sweeps in the course of a history.
pub(super) fn plan(env: &mut Env) {
    let lasts = env.weather.lasts.as_millis() as u64;
    for number in 0..env.weather.sweeps {
        let sweep_id = SweepId::new(format!("sweep-{number}")).expect("a simulated name is valid");
        let submission = sweep(&sweep_id, env);
        let trials = policy::sweep::count(&submission.search).expect("a simulated search has trials");
        (1..=trials).for_each(|trial| plan_trial(sweep_id.trial(trial), env));
        env.sweeps.insert(sweep_id.clone(), submission.clone());
        env.checks.sweeps.expect(&submission);
        let at = env.between(0, lasts / 2);
        env.agenda.after(at, Happening::Wish(Wish::Sweep(SweepWish::Submit(Box::new(submission)))));
        let more =
            ResumeSweep { sweep_id: sweep_id.clone(), max_usd: Some(env.random.random_range(0.05..0.2)) };
        let wishes = [
            (SweepWish::Cancel(sweep_id.clone()), 200),
            (SweepWish::Resume(ResumeSweep { sweep_id: sweep_id.clone(), max_usd: None }), 250),
            (SweepWish::Resume(more.clone()), 250),
            (SweepWish::Resume(more), 150),
            (SweepWish::Look(sweep_id), 300),
        ];
        for (wish, in_a_thousand) in wishes {
            plan_wish(Wish::Sweep(wish), in_a_thousand, env);
        }
    }
}

fn plan_trial(job_id: JobId, env: &mut Env) {
    let (steps, step) = (env.random.random_range(2..12), env.between(300, 3_000));
    let talent = Some(env.random.random_range(0.0..1.0));
    env.work.insert(job_id.clone(), Work { steps, step, talent });
    let wishes = [
        (Wish::Cancel(job_id.clone()), 60),
        (Wish::Pause(job_id.clone()), 80),
        (Wish::Resume(job_id.clone()), 60),
        (Wish::Redrive(job_id.clone()), 60),
        (Wish::Remove(job_id), 40),
    ];
    for (wish, in_a_thousand) in wishes {
        plan_wish(wish, in_a_thousand, env);
    }
}

fn plan_wish(wish: Wish, in_a_thousand: u32, env: &mut Env) {
    let lasts = env.weather.lasts.as_millis() as u64;
    if env.random.random_range(0..1000) < in_a_thousand {
        let at = env.between(lasts / 8, lasts * 5 / 4);
        env.agenda.after(at, Happening::Wish(wish));
    }
}

/// Up to five trials, some of them raced against each other, some short of money.
fn sweep(sweep_id: &SweepId, env: &mut Env) -> SubmitSweep {
    let search = match env.random.random_range(0..3) {
        0 => json!({ "method": "grid", "params": { "lr": [0.1, 0.01], "epochs": [1, 2] } }),
        1 => json!({
            "method": "random",
            "count": env.random.random_range(1..6),
            "params": { "lr": { "log_uniform": [0.0001, 0.1] } },
        }),
        _ => json!({ "method": "list", "trials": [{ "lr": 0.1 }, {}, { "lr": 0.2, "epochs": 5 }] }),
    };
    let mut fields = json!({
        "sweep_id": sweep_id,
        "job": submission(None, env),
        "search": search,
        "concurrency": env.random.random_range(1..=3),
        "max_same_failures": env.random.random_range(1..=4),
    });
    let direction = env.pick(&["maximize", "minimize"]);
    let (first, factor) = (env.random.random_range(1..=3), env.random.random_range(2..=3));
    let max_usd = env.random.random_range(0.001..0.02);
    let mut maybe = |name: &str, value: Value| {
        if env.random.random_range(0..3) != 0 {
            fields[name] = value;
        }
    };
    maybe("max_usd", json!(max_usd));
    maybe("objective", json!({ "metric": METRIC, "direction": direction }));
    if fields.get("objective").is_some() && env.random.random() {
        fields["early_stop"] = json!({ "resource": "steps", "first": first, "factor": factor });
    }
    serde_json::from_value(fields).expect("a simulated sweep is one")
}

/// Asks for it.
pub(super) fn wish(wish: SweepWish, env: &mut Env) {
    match wish {
        SweepWish::Submit(sweep) => {
            let sweep_id = sweep.sweep_id.clone();
            if env.checks.sweeps.is_answered(&sweep_id) {
                return;
            }
            let event = Event::SubmitSweep(sweep.clone(), None);
            env.tell(Line::Client, Inbox::Submissions, event, Asker::Sweep(sweep_id));
            env.agenda.after(PATIENCE, Happening::Wish(Wish::Sweep(SweepWish::Submit(sweep))));
        }
        SweepWish::Cancel(sweep_id) => ask(env, Event::CancelSweep(sweep_id.clone()), sweep_id),
        SweepWish::Resume(resume) => ask(env, Event::ResumeSweep(resume.clone()), resume.sweep_id),
        SweepWish::Look(sweep_id) => {
            ask(env, Event::GetSweep(GetSweep { sweep_id: sweep_id.clone(), after: 0 }), sweep_id);
        }
    }
}

fn ask(env: &mut Env, event: Event, sweep_id: SweepId) {
    env.ask(event, Asker::Sweep(sweep_id), PATIENCE);
}
