//! `rekindle retry`: jobs that ended without success go through again, as they were or otherwise.

use contract::{
    GpuClass, JobId, RetryOverride, Seconds, Timeout, TotalLimits,
    control::{JobEdits, JobState, JobView, RedriveJob},
};
use serde_json::{Map, Value, json};

use super::{
    each::{Deed, Outcome, ask, each},
    selection::{Selected, Selection},
};
use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    submission::{Prefer, Spot, pair, value},
    text::{dollars, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// A parameter that is another one from now on, such as params.lr=0.01; null takes it away. May be repeated.
    #[arg(long = "set", value_name = "params.NAME=VALUE", value_parser = parameter)]
    params: Vec<(String, String)>,
    /// Other GPU classes, in order of preference.
    #[arg(long, short, value_delimiter = ',', value_name = "CLASS")]
    gpu: Option<Vec<GpuClass>>,
    /// Whether preemptible machines will do. --spot alone means allow.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "allow")]
    spot: Option<Spot>,
    /// Which of the classes is taken: the first that a worker offers, or the cheapest.
    #[arg(long, value_enum)]
    prefer: Option<Prefer>,
    /// GPU memory needed, in MiB.
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// The longest one attempt may run from now on.
    #[arg(long, value_name = "TIME")]
    timeout: Option<Timeout>,
    /// A new limit on the time of everything, the past included.
    #[arg(long, value_name = "TIME", visible_alias = "max-time")]
    total_time: Option<Seconds>,
    /// A new limit on the money of everything, the past included, in US dollars.
    #[arg(long, value_name = "USD", visible_alias = "max-usd")]
    total_usd: Option<f64>,
    /// How many times an attempt that failed is tried again.
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// How many losses of a worker are forgiven.
    #[arg(long, value_name = "N")]
    losses: Option<u32>,
    /// 0 (last) to 9 (first).
    #[arg(long, value_name = "0-9", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// Begin again at step 0 instead of going on from the last checkpoint.
    #[arg(long)]
    fresh: bool,
}

const DEED: Deed =
    Deed { verb: "retry", done: "sent through again", possible: &[JobState::Dead, JobState::Cancelled] };

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let selection = &arguments.selection;
    let request = |job_id| arguments.request(job_id);
    if selection.dry_run {
        return preview(selection, context, request).await;
    }
    each(&DEED, selection, context, request, describe).await
}

/// Asks the scheduler what would come of each job, and shows it as a table.
async fn preview(
    selection: &Selection,
    context: &Context,
    request: impl Fn(JobId) -> RedriveJob,
) -> anyhow::Result<Exit> {
    selection.check(DEED.possible, DEED.verb)?;
    let client = context.connect().await?;
    let jobs = selection.jobs(&client, DEED.possible, DEED.verb).await?;
    let mut outcome = Outcome::of(jobs.len());
    let mut previews = Vec::new();
    for job in &jobs {
        let previewed = preview_one(job, &client, &request).await;
        outcome.take(&job.job_id, previewed.map(|preview| previews.push(preview)))?;
    }
    let values: Vec<Value> = previews.iter().map(Preview::value).collect();
    let header = ["JOB", "NOW", "RUNS ON", "FROM STEP", "SPENT", "OF", "EDITED"];
    context.output.answer(&values, || table(&header, previews.iter().map(Preview::row)))?;
    Ok(outcome.exit)
}

/// A job before and after.
struct Preview {
    before: JobView,
    after: JobView,
    fresh: bool,
}

async fn preview_one(
    job: &Selected,
    client: &Client,
    request: impl Fn(JobId) -> RedriveJob,
) -> anyhow::Result<Preview> {
    let before = client.job(&job.job_id).await?;
    let named = Selected { job_id: before.job_id.clone(), summary: None };
    let after = ask(&named, client, &request).await?;
    Ok(Preview { fresh: request(named.job_id).fresh, before, after })
}

impl Preview {
    fn first_step(&self) -> u64 {
        let last = self.before.attempts.last().map(|attempt| attempt.progress.checkpoint_step);
        if self.fresh { 0 } else { last.flatten().unwrap_or(0) }
    }

    fn row(&self) -> Vec<String> {
        let Self { before, after, .. } = self;
        let failure = before.failure.as_ref().map(|failure| format!(" ({})", failure.class));
        vec![
            before.job_id.to_string(),
            format!("{}{}", before.state, failure.unwrap_or_default()),
            format!("{} {}", after.gpu, after.tier),
            self.first_step().to_string(),
            dollars(before.ledger.usd),
            after.submission.total.usd.map(dollars).unwrap_or_default(),
            after.edits.to_string(),
        ]
    }

    fn value(&self) -> Value {
        json!({ "job_id": self.before.job_id, "from_step": self.first_step(), "job": self.after })
    }
}

impl Arguments {
    fn request(&self, job_id: JobId) -> RedriveJob {
        let params: Map<String, Value> =
            self.params.iter().map(|(name, text)| (name.clone(), value(text.clone()))).collect();
        let edits = JobEdits {
            params,
            gpu: self.gpu.clone(),
            spot: self.spot.map(Into::into),
            prefer: self.prefer.map(Into::into),
            memory_mib: self.memory,
            timeout: self.timeout,
            retry: RetryOverride {
                max_retries: self.retries,
                max_losses: self.losses,
                ..RetryOverride::default()
            },
            priority: self.priority,
        };
        let total = TotalLimits { time: self.total_time, usd: self.total_usd };
        RedriveJob { job_id, total, edits, fresh: self.fresh, dry_run: self.selection.dry_run }
    }
}

/// `params.NAME=VALUE`, or shorter `NAME=VALUE`.
fn parameter(text: &str) -> Result<(String, String), String> {
    pair(text.strip_prefix("params.").unwrap_or(text))
}

fn describe(job: &JobView) -> String {
    format!("job {} is {} again", job.job_id, job.state)
}
