//! What is asked for: a job file, and flags that override it.

use std::path::PathBuf;

use clap::ValueEnum;
use contract::{GpuClass, JobId, Preference, Profile, Seconds, SpotUse, SubmitJob, Timeout, Workload};
use serde_json::{Map, Value};

use crate::{exit::UsageError, job_file};

/// The arguments that `submit` and `estimate` share.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SubmissionArguments {
    /// A job in TOML or JSON; - reads it from stdin. The options override it.
    file: Option<PathBuf>,
    /// The kind of work: classifier, dit.
    #[arg(long, short)]
    workload: Option<Workload>,
    /// A named variant of the workload's policy, such as fast or full.
    #[arg(long)]
    profile: Option<Profile>,
    /// The images, below one of the trainer's data roots; the same as --param data=PATH.
    #[arg(long, short, value_name = "PATH")]
    data: Option<String>,
    /// A parameter of the workload, such as epochs=20. May be repeated.
    #[arg(long = "param", short, value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// GPU classes in order of preference, such as l4,t4.
    #[arg(long, short, value_delimiter = ',', value_name = "CLASS")]
    gpu: Vec<GpuClass>,
    /// Whether preemptible machines will do. --spot alone means allow.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "allow")]
    spot: Option<Spot>,
    /// Which of the classes is taken: the first that a worker offers, or the cheapest.
    #[arg(long, value_enum)]
    prefer: Option<Prefer>,
    /// GPU memory needed, in MiB; counts instead of the estimate.
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// The longest one attempt may run, such as 90s or "1h 30m"; auto sets it from the predicted finish.
    #[arg(long, value_name = "TIME")]
    timeout: Option<Timeout>,
    /// The longest that queueing, waiting and all attempts may take together.
    #[arg(long, value_name = "TIME")]
    total_time: Option<Seconds>,
    /// The most that all attempts may cost together, in US dollars.
    #[arg(long, value_name = "USD")]
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
    /// Whose job it is.
    #[arg(long)]
    owner: Option<String>,
    /// A mark to find the job by. May be repeated.
    #[arg(long = "label", short, value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// The job's own name; submitting it twice is submitting it once.
    #[arg(long, value_name = "JOB")]
    id: Option<JobId>,
}

/// The command line's names for [`SpotUse`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Spot {
    Never,
    Allow,
    Only,
}

/// The command line's names for [`Preference`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Prefer {
    Order,
    Cheapest,
}

impl SubmissionArguments {
    /// The submission, under a fresh id where none is given.
    pub(crate) fn into_submission(self) -> Result<SubmitJob, UsageError> {
        let mut submission = match (&self.file, &self.workload) {
            (Some(file), _) => job_file::read(file)?,
            (None, Some(workload)) => SubmitJob::new(workload.clone(), Map::new()),
            (None, None) => {
                let problem = "say what to do: --workload classifier --data PATH, or a job file";
                return Err(UsageError(problem.into()));
            }
        };
        self.override_limits(&mut submission);
        let resources = &mut submission.resources;
        replace(&mut submission.workload, self.workload);
        submission.profile = self.profile.or(submission.profile);
        submission.params.extend(self.data.map(|data| ("data".into(), Value::String(data))));
        submission.params.extend(self.params.into_iter().map(|(name, text)| (name, value(text))));
        if !self.gpu.is_empty() {
            resources.gpu = self.gpu;
        }
        replace(&mut resources.spot, self.spot.map(Into::into));
        replace(&mut resources.prefer, self.prefer.map(Into::into));
        resources.memory_mib = self.memory.or(resources.memory_mib);
        replace(&mut submission.priority, self.priority);
        replace(&mut submission.owner, self.owner);
        submission.labels.extend(self.labels);
        submission.job_id = self.id.or(submission.job_id).or_else(|| Some(JobId::generate()));
        Ok(submission)
    }

    fn override_limits(&self, submission: &mut SubmitJob) {
        let SubmitJob { timeout, total, retry, .. } = submission;
        *timeout = self.timeout.or(*timeout);
        total.time = self.total_time.or(total.time);
        total.usd = self.total_usd.or(total.usd);
        retry.max_retries = self.retries.or(retry.max_retries);
        retry.max_losses = self.losses.or(retry.max_losses);
    }
}

fn replace<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

impl From<Spot> for SpotUse {
    fn from(spot: Spot) -> Self {
        match spot {
            Spot::Never => Self::Never,
            Spot::Allow => Self::Allow,
            Spot::Only => Self::Only,
        }
    }
}

impl From<Prefer> for Preference {
    fn from(prefer: Prefer) -> Self {
        match prefer {
            Prefer::Order => Self::Order,
            Prefer::Cheapest => Self::Cheapest,
        }
    }
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

/// A parameter's value: JSON where it is JSON (20, 1e-3, true, "20"), else the text itself.
pub(crate) fn value(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SubmissionArguments,
    }

    fn submission(line: &[&str]) -> SubmitJob {
        let line = Line::parse_from([&["test"], line].concat());
        line.arguments.into_submission().unwrap()
    }

    #[test]
    fn flags_alone_are_a_submission() {
        let job = submission(&[
            "--workload=classifier",
            "--data=cats",
            "-pepochs=20",
            "--param=lr=1e-3",
            "-parch=resnet34",
            "-pname=\"20\"",
            "--gpu=l4,t4",
            "--spot",
            "--prefer=cheapest",
            "--timeout=1h 30m",
            "--total-time=2h",
            "--total-usd=1.5",
            "--retries=0",
            "--priority=9",
            "-lteam=a=b",
        ]);
        let params = json!({
            "data": "cats", "epochs": 20, "lr": 1e-3, "arch": "resnet34", "name": "20"
        });
        assert_eq!(Value::Object(job.params), params);
        assert_eq!(job.resources.gpu.iter().map(GpuClass::as_str).collect::<Vec<_>>(), ["l4", "t4"]);
        assert_eq!((job.resources.spot, job.resources.prefer), (SpotUse::Allow, Preference::Cheapest));
        assert_eq!(job.timeout, Seconds::new(5400.0).map(Timeout::After));
        assert_eq!((job.total.time, job.total.usd), (Seconds::new(7200.0), Some(1.5)));
        assert_eq!((job.retry.max_retries, job.priority), (Some(0), 9));
        assert_eq!(job.labels["team"], "a=b");
        assert!(job.job_id.is_some(), "a job gets an id, so that asking again is asking for the same one");
    }

    #[test]
    fn flags_override_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "workload = \"classifier\"\npriority = 2\ntimeout = 60\nparams = { data = \"cats\", epochs = 5 }\n";
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let job = submission(&[path, "--priority=8", "-pepochs=6", "--id=mine"]);
        assert_eq!((job.priority, job.timeout), (8, Seconds::new(60.0).map(Timeout::After)));
        assert_eq!(Value::Object(job.params), json!({ "data": "cats", "epochs": 6 }));
        assert_eq!(job.job_id.unwrap().as_str(), "mine");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let nothing = SubmissionArguments::default().into_submission().unwrap_err();
        assert!(nothing.to_string().contains("--workload classifier --data PATH"));
        let wrong =
            |line: &[&str]| Line::try_parse_from([&["test"], line].concat()).err().unwrap().to_string();
        assert!(wrong(&["-pepochs"]).contains("write NAME=VALUE"));
        assert!(wrong(&["--priority=10"]).contains("10 is not in 0..=9"));
        assert!(wrong(&["--timeout=soon"]).contains("\"soon\" is not a length of time"));
        assert!(wrong(&["--spot=maybe"]).contains("never, allow, only"));
    }
}
