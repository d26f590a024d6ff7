//! `rekindle sweep`: many jobs that differ in some of their parameters.

mod plot;
mod submit;

use std::path::PathBuf;

use clap::Subcommand;
use contract::{
    StopCause, SweepId, SweepView,
    sweep::{CancelSweep, Direction, GetSweep, ListSweeps, ResumeSweep, SweepList, SweepSummary, TrialView},
};
use serde_json::{Map, Value};

use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    text::{Clock, dollars, fields, figure, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Arguments {
    /// Ask for a sweep.
    Submit {
        /// The sweep in TOML or JSON.
        file: PathBuf,
        /// The sweep's own name; submitting it twice is submitting it once.
        #[arg(long, value_name = "SWEEP")]
        id: Option<SweepId>,
        /// Wait until it has ended; ends with 4 unless every trial was launched.
        #[arg(long)]
        wait: bool,
    },
    /// List sweeps, newest first.
    Ls {
        /// Only this owner's.
        #[arg(long)]
        owner: Option<String>,
        /// Only sweeps submitted before this one.
        #[arg(long, value_name = "SWEEP")]
        before: Option<SweepId>,
    },
    /// Show a sweep and its trials, the best first.
    Show {
        /// The sweep's id.
        sweep: SweepId,
    },
    /// Cancel a sweep and all its trials.
    Cancel {
        /// The sweep's id.
        sweep: SweepId,
    },
    /// Let a sweep go on that was cancelled or has stopped.
    Resume {
        /// The sweep's id.
        sweep: SweepId,
        /// A new limit for the money of all trials, the past included, in US dollars.
        #[arg(long, value_name = "USD")]
        max_usd: Option<f64>,
    },
    /// Draw every trial's figure over its steps, the best one highlighted.
    Plot {
        /// The sweep's id.
        sweep: SweepId,
        /// The picture, a PNG.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    match arguments {
        Arguments::Submit { file, id, wait } => return submit::run(&file, id, wait, context).await,
        Arguments::Ls { owner, before } => {
            let list = context.connect().await?.ask(&ListSweeps { owner, before }).await?;
            context.output.answer(&list, || listed(&list, &context.clock()))?;
        }
        Arguments::Show { sweep } => {
            let view = whole(&context.connect().await?, &sweep).await?;
            context.output.answer(&view, || describe(&view, &context.clock()))?;
        }
        Arguments::Cancel { sweep } => {
            let view = context.connect().await?.ask(&CancelSweep { sweep_id: sweep }).await?;
            context.output.answer(&view.summary, || in_a_line(&view.summary))?;
        }
        Arguments::Resume { sweep, max_usd } => {
            let view = context.connect().await?.ask(&ResumeSweep { sweep_id: sweep, max_usd }).await?;
            context.output.answer(&view.summary, || in_a_line(&view.summary))?;
        }
        Arguments::Plot { sweep, output } => return plot::run(&sweep, &output, context).await,
    }
    Ok(Exit::Success)
}

/// A sweep with all its trials.
async fn whole(client: &Client, sweep_id: &SweepId) -> anyhow::Result<SweepView> {
    let mut view = client.ask(&GetSweep { sweep_id: sweep_id.clone(), after: 0 }).await?;
    while view.more {
        let after = view.trials.last().map_or(0, |trial| trial.number);
        let page = client.ask(&GetSweep { sweep_id: sweep_id.clone(), after }).await?;
        view.more = page.more && !page.trials.is_empty();
        view.trials.extend(page.trials);
        view.summary = page.summary;
    }
    Ok(view)
}

/// `sweep lr is running: 3 of 40 trials launched, 2 under way`
fn in_a_line(sweep: &SweepSummary) -> String {
    let SweepSummary { sweep_id, state, launched, trials, live, .. } = sweep;
    let why = sweep.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("sweep {sweep_id} is {state}{why}: {launched} of {trials} trials launched, {live} under way")
}

fn listed(list: &SweepList, clock: &Clock) -> String {
    if list.sweeps.is_empty() {
        return "no sweeps\n".into();
    }
    let header = ["SWEEP", "STATE", "WORKLOAD", "TRIALS", "LIVE", "BEST", "COST", "SUBMITTED", "OWNER"];
    let mut text = table(
        &header,
        list.sweeps.iter().map(|sweep| {
            vec![
                sweep.sweep_id.to_string(),
                sweep.state.to_string(),
                sweep.workload.to_string(),
                format!("{}/{}", sweep.launched, sweep.trials),
                sweep.live.to_string(),
                sweep.best.as_ref().map(|best| figure(best.value)).unwrap_or_default(),
                dollars(sweep.usd),
                clock.distance(sweep.submitted_at),
                sweep.owner.clone(),
            ]
        }),
    );
    if let (true, Some(last)) = (list.more, list.sweeps.last()) {
        text = format!("{text}there are more: --before {}\n", last.sweep_id);
    }
    text
}

/// The sweep, and a table of its trials: those with the best figures first, then the others by number.
fn describe(view: &SweepView, clock: &Clock) -> String {
    let sweep = &view.summary;
    let why = sweep.why.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
    let mut rows = vec![
        ("sweep", sweep.sweep_id.to_string()),
        ("state", format!("{}{why}", sweep.state)),
        ("workload", format!("{}, owner {}", sweep.workload, sweep.owner)),
        ("trials", counts(sweep)),
    ];
    if let (Some(best), Some(objective)) = (&sweep.best, &view.submission.objective) {
        let value = figure(best.value);
        rows.push((
            "best",
            format!("{}: {} {value} with {}", best.job_id, objective.metric, words(&best.params)),
        ));
    }
    let limit = view.submission.max_usd.map(|usd| format!(" of {}", dollars(usd))).unwrap_or_default();
    rows.push(("spent", format!("{}{limit}", dollars(sweep.usd))));
    rows.push(("submitted", clock.moment_and_distance(sweep.submitted_at)));
    let metric = view.submission.objective.as_ref().map_or("FIGURE", |objective| &objective.metric);
    let header = ["TRIAL", "STATE", &format!("BEST {metric}"), "LAST", "STEP", "RUNGS", "COST", "PARAMS"];
    let trials = ranked(view);
    format!("{}\n{}", fields(&rows), table(&header, trials.into_iter().map(row)))
}

fn counts(sweep: &SweepSummary) -> String {
    let SweepSummary { trials, launched, live, succeeded, stopped_early, dead, .. } = sweep;
    format!(
        "{launched} of {trials} launched: {live} under way, {succeeded} succeeded, {stopped_early} stopped early, {dead} dead"
    )
}

fn ranked(view: &SweepView) -> Vec<&TrialView> {
    let direction =
        view.submission.objective.as_ref().map_or(Direction::Minimize, |objective| objective.direction);
    let mut trials: Vec<&TrialView> = view.trials.iter().collect();
    trials.sort_by(|a, b| match (a.best, b.best) {
        (Some(a), Some(b)) if direction == Direction::Maximize => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    trials
}

fn row(trial: &TrialView) -> Vec<String> {
    let state = match (trial.state, trial.cause) {
        (None, _) => "to come".into(),
        (Some(_), Some(StopCause::EarlyStopped)) => "stopped early".into(),
        (Some(state), _) => state.to_string(),
    };
    vec![
        trial.job_id.to_string(),
        state,
        trial.best.map(figure).unwrap_or_default(),
        trial.last.map(figure).unwrap_or_default(),
        trial.step.to_string(),
        trial.rungs.to_string(),
        dollars(trial.usd),
        words(&trial.params),
    ]
}

/// `arch=resnet18 lr=0.05`
fn words(params: &Map<String, Value>) -> String {
    let words = params.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use contract::{Timestamp, control::JobState};
    use expect_test::expect;

    use super::*;

    fn clock(at: Timestamp) -> Clock {
        Clock { now: Timestamp(at.0 + 200_000), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn a_sweep_is_told_with_its_best_trials_first() {
        let text = include_str!("../../../../shared/contract/golden/sweep.view.v1.json");
        let mut view: SweepView = contract::decode(text.as_bytes()).unwrap();
        let trial = |number, best, state| TrialView {
            number,
            job_id: view.summary.sweep_id.trial(number),
            best,
            state,
            cause: None,
            ..view.trials[0].clone()
        };
        let (better, to_come) = (trial(2, Some(0.9375), Some(JobState::Running)), trial(3, None, None));
        view.trials.extend([to_come, better]);
        expect![[r#"
            sweep      flowers-lr
            state      stopped, 3 trials died the same way: oom
            workload   classifier, owner vision-team
            trials     9 of 40 launched: 0 under way, 2 succeeded, 4 stopped early, 3 dead
            best       flowers-lr-2: val_accuracy 0.9375 with arch=resnet34 lr=0.00123457
            spent      $1.25 of $25.00
            submitted  00:00:00 (3m 20s ago)

            TRIAL         STATE          BEST val_accuracy  LAST    STEP  RUNGS  COST   PARAMS
            flowers-lr-2  running        0.9375             0.4375  300   2      $0.12  arch=resnet18 lr=0.05
            flowers-lr-1  stopped early  0.5                0.4375  300   2      $0.12  arch=resnet18 lr=0.05
            flowers-lr-3  to come                           0.4375  300   2      $0.12  arch=resnet18 lr=0.05
        "#]]
        .assert_eq(&describe(&view, &clock(view.summary.submitted_at)));
    }

    #[test]
    fn sweeps_are_a_table() {
        let text = include_str!("../../../../shared/contract/golden/sweep.list_reply.v1.json");
        let list: SweepList = contract::decode(text.as_bytes()).unwrap();
        expect![[r#"
            SWEEP       STATE    WORKLOAD    TRIALS  LIVE  BEST    COST   SUBMITTED   OWNER
            flowers-lr  stopped  classifier  9/40    0     0.9375  $1.25  3m 20s ago  vision-team
            there are more: --before flowers-lr
        "#]]
        .assert_eq(&listed(&list, &clock(list.sweeps[0].submitted_at)));
        assert_eq!(
            listed(&SweepList { sweeps: Vec::new(), more: false }, &clock(Timestamp(0))),
            "no sweeps\n"
        );
    }
}
