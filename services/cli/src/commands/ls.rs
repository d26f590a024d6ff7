//! `rekindle ls`: jobs, newest first.

use clap::builder::PossibleValuesParser;
use contract::{
    JobId, SweepId, Workload,
    control::{JobList, JobState, JobSummary, ListJobs},
};

use crate::{
    context::Context,
    exit::Exit,
    text::{Clock, dollars, figure, steps, table, waiting},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only jobs in these states.
    #[arg(long, short, value_delimiter = ',', value_parser = states())]
    state: Vec<String>,
    /// Only this owner's.
    #[arg(long)]
    owner: Option<String>,
    /// Only this kind of work.
    #[arg(long, short)]
    workload: Option<Workload>,
    /// Only the trials of this sweep.
    #[arg(long)]
    sweep: Option<SweepId>,
    /// At most so many.
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Only jobs submitted before this one.
    #[arg(long, value_name = "JOB")]
    before: Option<JobId>,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(JobState::ALL.map(JobState::as_str))
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let chosen = |state: &JobState| arguments.state.iter().any(|name| name == state.as_str());
    let request = ListJobs {
        states: JobState::ALL.into_iter().filter(chosen).collect(),
        failures: Vec::new(),
        owner: arguments.owner.clone(),
        workload: arguments.workload.clone(),
        sweep: arguments.sweep.clone(),
        before: arguments.before.clone(),
        limit: arguments.limit,
    };
    let list = context.connect().await?.ask(&request).await?;
    context.output.answer(&list, || describe(&list, &context.clock()))?;
    Ok(Exit::Success)
}

fn describe(list: &JobList, clock: &Clock) -> String {
    if list.jobs.is_empty() {
        return "no jobs\n".into();
    }
    let mut header =
        vec!["JOB", "STATE", "WORKLOAD", "GPU", "ATTEMPTS", "STEP", "LOSS", "COST", "SUBMITTED", "OWNER"];
    let some_wait = list.jobs.iter().any(|job| job.waiting.is_some());
    header.extend(some_wait.then_some("WAITS FOR"));
    let mut text = table(&header, list.jobs.iter().map(|job| row(job, some_wait, clock)));
    if let (true, Some(last)) = (list.more, list.jobs.last()) {
        text = format!("{text}there are more: --before {}\n", last.job_id);
    }
    text
}

fn row(job: &JobSummary, some_wait: bool, clock: &Clock) -> Vec<String> {
    let failure = job.failure.map(|class| format!(" ({class})"));
    let mut row = vec![
        job.job_id.to_string(),
        format!("{}{}", job.state, failure.unwrap_or_default()),
        job.workload.to_string(),
        job.gpu.to_string(),
        job.attempts.to_string(),
        steps(&job.progress),
        job.progress.loss.map(figure).unwrap_or_default(),
        dollars(job.usd),
        clock.distance(job.submitted_at),
        job.owner.clone(),
    ];
    let waits_for = job.waiting.as_ref().map(|waiting| waiting::brief(waiting, clock)).unwrap_or_default();
    row.extend(some_wait.then_some(waits_for));
    row
}

#[cfg(test)]
mod tests {
    use contract::{
        Timestamp,
        control::{WaitReason, Waiting},
    };
    use expect_test::expect;

    use super::*;

    fn list() -> JobList {
        let text = include_str!("../../../../shared/contract/golden/job.list_reply.v1.json");
        contract::decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn jobs_are_a_table() {
        let list = JobList { more: true, ..list() };
        let submitted = list.jobs[0].submitted_at;
        let clock = Clock { now: Timestamp(submitted.0 + 200_000), zone: jiff::tz::TimeZone::UTC };
        expect![[r#"
            JOB        STATE       WORKLOAD    GPU  ATTEMPTS  STEP              LOSS    COST   SUBMITTED   OWNER        WAITS FOR
            flowers-7  dead (oom)  classifier  l4   2         1200/4000 (30 %)  0.4375  $0.25  3m 20s ago  vision-team  backoff, not before 1m 20s ago
            there are more: --before flowers-7
        "#]].assert_eq(&describe(&list, &clock));
    }

    #[test]
    fn a_column_says_what_those_that_wait_wait_for() {
        let mut list = list();
        let waits = JobSummary {
            state: JobState::Queued,
            failure: None,
            waiting: Some(Waiting {
                reason: WaitReason::WorkloadLimit,
                detail: "classifier runs at most 2 jobs at once".into(),
                position: Some(1),
                ahead: Some(0),
                starts: None,
            }),
            ..list.jobs[0].clone()
        };
        list.jobs.push(waits);
        let clock = Clock { now: list.jobs[0].submitted_at, zone: jiff::tz::TimeZone::UTC };
        expect![[r#"
            JOB        STATE       WORKLOAD    GPU  ATTEMPTS  STEP              LOSS    COST   SUBMITTED  OWNER        WAITS FOR
            flowers-7  dead (oom)  classifier  l4   2         1200/4000 (30 %)  0.4375  $0.25  0s ago     vision-team  backoff, not before in 2m
            flowers-7  queued      classifier  l4   2         1200/4000 (30 %)  0.4375  $0.25  0s ago     vision-team  workload limit
            there are more: --before flowers-7
        "#]].assert_eq(&describe(&list, &clock));
    }

    #[test]
    fn no_jobs_are_said_to_be_none() {
        let list = JobList { jobs: Vec::new(), more: false };
        let clock = Clock { now: Timestamp(0), zone: jiff::tz::TimeZone::UTC };
        assert_eq!(describe(&list, &clock), "no jobs\n");
    }
}
