//! Which jobs a command is about: those that are named, or all that fit.

use std::io::{self, IsTerminal};

use clap::builder::PossibleValuesParser;
use contract::{
    FailureClass, JobId, Seconds, SweepId, Timestamp, Workload,
    control::{JobState, JobSummary, ListJobs},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{client::Client, exit::UsageError, output::tell};

/// Jobs that are told by name before somebody is asked whether it is they that are meant.
const NAMED: usize = 20;

/// The arguments that choose jobs.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Selection {
    /// The jobs' ids, or the beginnings or ends of some that are unique.
    jobs: Vec<JobId>,
    /// Instead of ids: jobs that are dead by failures of these classes, such as oom,timeout.
    #[arg(long, value_delimiter = ',', value_name = "CLASS", value_parser = classes(), conflicts_with = "jobs")]
    failed: Vec<String>,
    /// Instead of ids: jobs in these states.
    #[arg(long, short, value_delimiter = ',', value_parser = states(), conflicts_with = "jobs")]
    state: Vec<String>,
    /// Instead of ids: jobs of this kind of work.
    #[arg(long, short, conflicts_with = "jobs")]
    workload: Option<Workload>,
    /// Instead of ids: this owner's jobs.
    #[arg(long, conflicts_with = "jobs")]
    owner: Option<String>,
    /// Instead of ids: the trials of this sweep.
    #[arg(long, conflicts_with = "jobs")]
    sweep: Option<SweepId>,
    /// Instead of ids: jobs that were submitted in the last so much time, such as 2h.
    #[arg(long, value_name = "TIME", conflicts_with = "jobs")]
    since: Option<Seconds>,
    /// Say what would be done with which jobs, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask whether all the jobs that fit are meant.
    #[arg(long, short)]
    yes: bool,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(JobState::ALL.map(JobState::as_str))
}

fn classes() -> PossibleValuesParser {
    PossibleValuesParser::new(FailureClass::ALL.map(FailureClass::as_str))
}

/// A job that a command is about.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) job_id: JobId,
    /// What is known of it, where the scheduler has listed it.
    pub(crate) summary: Option<JobSummary>,
}

impl Selection {
    /// The jobs, oldest first where they are not named, once a person has agreed. A command can do what it does with
    /// jobs in the states of `possible`.
    ///
    /// # Errors
    /// When nothing, or something impossible, is chosen; and when nobody agrees.
    pub(crate) async fn jobs(
        &self,
        client: &Client,
        possible: &[JobState],
        verb: &str,
    ) -> anyhow::Result<Vec<Selected>> {
        if !self.jobs.is_empty() {
            return Ok(self.jobs.iter().map(|job| Selected { job_id: job.clone(), summary: None }).collect());
        }
        let request = self.request(possible, verb)?;
        let found = self.list(client, request).await?;
        if found.is_empty() {
            tell("no job fits");
        } else if !self.dry_run && !self.yes {
            agree(&found, verb)?;
        }
        Ok(found.into_iter().map(|job| Selected { job_id: job.job_id.clone(), summary: Some(job) }).collect())
    }

    /// Whether something is chosen that a command can do something with.
    ///
    /// # Errors
    /// Says what is missing, or impossible.
    pub(crate) fn check(&self, possible: &[JobState], verb: &str) -> Result<(), UsageError> {
        if self.jobs.is_empty() { self.request(possible, verb).map(drop) } else { Ok(()) }
    }

    /// Whether the jobs are chosen by what they are rather than by name.
    pub(crate) fn is_by_filter(&self) -> bool {
        self.jobs.is_empty()
    }

    fn request(&self, possible: &[JobState], verb: &str) -> Result<ListJobs, UsageError> {
        let Self { failed, state, workload, owner, sweep, since, .. } = self;
        let is_chosen = !failed.is_empty()
            || !state.is_empty()
            || workload.is_some()
            || owner.is_some()
            || sweep.is_some()
            || since.is_some();
        if !is_chosen {
            let options = "--state, --failed, --workload, --owner, --sweep or --since";
            return Err(UsageError(format!("say which jobs to {verb}: their ids, or {options}")));
        }
        if !failed.is_empty() && !possible.contains(&JobState::Dead) {
            let problem = format!("--failed chooses jobs that are dead, and those cannot be told to {verb}");
            return Err(UsageError(problem));
        }
        let mut states: Vec<JobState> = read(state);
        if let Some(wrong) = states.iter().find(|state| !possible.contains(state)) {
            return Err(UsageError(format!("a job that is {wrong} cannot be told to {verb}")));
        }
        if states.is_empty() {
            states = possible.to_vec();
        }
        Ok(ListJobs {
            states,
            failures: read(failed),
            owner: owner.clone(),
            workload: workload.clone(),
            sweep: sweep.clone(),
            before: None,
            limit: ListJobs::MAX_LIMIT,
        })
    }

    /// Every job that fits, oldest first.
    async fn list(&self, client: &Client, mut request: ListJobs) -> anyhow::Result<Vec<JobSummary>> {
        let earliest =
            self.since.map(|age| Timestamp::now().0.saturating_sub(age.to_duration().as_millis() as u64));
        let is_recent = |job: &JobSummary| earliest.is_none_or(|earliest| earliest <= job.submitted_at.0);
        let mut found = Vec::new();
        loop {
            let page = client.ask(&request).await?;
            request.before = page.jobs.last().map(|job| job.job_id.clone());
            let is_last = !page.more || !page.jobs.last().is_some_and(is_recent);
            found.extend(page.jobs.into_iter().filter(is_recent));
            if is_last {
                found.reverse();
                return Ok(found);
            }
        }
    }
}

/// Reads words that the command line has checked.
fn read<T: DeserializeOwned>(words: &[String]) -> Vec<T> {
    words.iter().filter_map(|word| serde_json::from_value(Value::from(word.as_str())).ok()).collect()
}

/// Asks the person at the terminal. Where there is none, --yes has to be said.
fn agree(jobs: &[JobSummary], verb: &str) -> anyhow::Result<()> {
    let names: Vec<&str> = jobs.iter().take(NAMED).map(|job| job.job_id.as_str()).collect();
    let more = jobs.len().saturating_sub(NAMED);
    let more = if 0 < more { format!(" and {more} more") } else { String::new() };
    let (names, count) = (names.join(" "), jobs.len());
    if !io::stdin().is_terminal() {
        return Err(UsageError(format!("say --yes to {verb} {count} jobs: {names}{more}")).into());
    }
    tell(&format!("{names}{more}\n{verb} these {count} jobs? [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(UsageError("nothing was done".into()).into()),
    }
}
