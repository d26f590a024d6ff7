//! From what was asked for to what holds.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    GpuClass, MemoryNeed, MemorySource, Preference, Profile, RetryOverride, Seconds, SpotUse, SubmitJob,
    Timeout, TotalLimits, Workload,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    GpuPrice, RetryPolicy, WorkloadPolicy,
    memory::{accumulation_that_fits, memory_need},
};

/// The longest one attempt may run, whoever asks.
pub const MAX_ATTEMPT: Duration = Duration::from_secs(24 * 3600);

/// What a job runs under. Fixed when the job is accepted, so that a policy which changes later surprises nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The classes it may run on, in order of preference. Never empty.
    pub candidates: Vec<Candidate>,
    /// The classes of the same list that are too small for it.
    #[serde(default)]
    pub left_out: Vec<Candidate>,
    /// The device memory it needs, where that is known.
    #[serde(default)]
    pub memory: Option<MemoryNeed>,
    /// How one of the candidates is chosen.
    #[serde(default)]
    pub prefer: Preference,
    /// Whose list of classes that is, for people: `classes of the workload`, say.
    pub source: String,
    /// Whether preemptible machines will do.
    pub spot: SpotUse,
    /// The longest one attempt may run; with `timeout = "auto"`, until its throughput is known.
    pub timeout: Seconds,
    /// The most that `timeout = "auto"` may set, where the job asks for that.
    #[serde(default)]
    pub auto_timeout: Option<Seconds>,
    /// What the job's owner should know of its terms, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What failures deserve.
    pub retry: RetryPolicy,
    /// Limits over everything until it ends.
    pub total: TotalLimits,
}

/// A class that a job may run on, at the price it was accepted for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The class.
    pub gpu: GpuClass,
    /// What it costs and how much memory it has.
    pub price: GpuPrice,
}

/// A submission that no policy covers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Nobody does this kind of work.
    #[error("workload {given} is not known; the workloads are {known}")]
    Workload {
        /// What was asked for.
        given: Workload,
        /// What there is.
        known: String,
    },
    /// The workload has no such variant.
    #[error("profile {given} is not known to workload {workload}; {known}")]
    Profile {
        /// The workload.
        workload: Workload,
        /// What was asked for.
        given: Profile,
        /// What there is.
        known: String,
    },
    /// A class without a price.
    #[error("resources.gpu: {given} is not a known GPU class; the classes are {known}")]
    Gpu {
        /// What was asked for.
        given: GpuClass,
        /// What there is.
        known: String,
    },
    /// No class is large enough for what the job asks for.
    #[error("resources.memory_mib: none of {classes} has {needed} MiB; the largest has {largest} MiB")]
    Memory {
        /// What was asked for.
        needed: u64,
        /// The classes the job could run on otherwise.
        classes: String,
        /// The most that one of them has.
        largest: u64,
    },
    /// No class is large enough for what the job is estimated at.
    #[error(
        "the job needs about {needed} MiB of device memory ({basis}), and none of {classes} has that; the largest has \
         {largest} MiB. {remedy}"
    )]
    EstimatedMemory {
        /// The estimate.
        needed: u64,
        /// What it follows from.
        basis: String,
        /// The classes the job could run on otherwise.
        classes: String,
        /// The most that one of them has.
        largest: u64,
        /// What can be done about it.
        remedy: String,
    },
}

/// The parameters that a submission's profile has for it; none where there is no such profile.
pub fn profile_params(
    submission: &SubmitJob,
    workloads: &BTreeMap<Workload, WorkloadPolicy>,
) -> Map<String, Value> {
    let profiles = workloads.get(&submission.workload).map(|policy| &policy.profiles);
    let profile = profiles.zip(submission.profile.as_ref()).and_then(|(profiles, name)| profiles.get(name));
    profile.map(|profile| profile.params.clone()).unwrap_or_default()
}

/// Resolves a submission against the policy. Its parameters are taken as they are: those of its profile were filled in.
///
/// # Errors
/// [`Unresolved`] names what is not known and lists what is.
pub fn resolve(
    submission: &SubmitJob,
    workloads: &BTreeMap<Workload, WorkloadPolicy>,
    prices: &BTreeMap<GpuClass, GpuPrice>,
) -> Result<Terms, Unresolved> {
    let policy = workloads.get(&submission.workload).ok_or_else(|| Unresolved::Workload {
        given: submission.workload.clone(),
        known: listed(workloads.keys(), "and"),
    })?;
    let profile = match &submission.profile {
        None => None,
        Some(name) => Some(policy.profiles.get(name).ok_or_else(|| Unresolved::Profile {
            workload: submission.workload.clone(),
            given: name.clone(),
            known: match policy.profiles.is_empty() {
                true => "it has none".into(),
                false => format!("its profiles are {}", listed(policy.profiles.keys(), "and")),
            },
        })?),
    };
    let (classes, source) = classes(submission, policy);
    let default = profile.and_then(|profile| profile.timeout).unwrap_or(policy.timeout);
    let (timeout, auto_timeout, warning) = timeout(submission, default, policy.max_timeout);
    let memory = memory_need(submission);
    let (candidates, left_out) = fitting(submission, candidates(classes, prices, policy)?, memory.as_ref())?;
    Ok(Terms {
        candidates,
        left_out,
        memory,
        prefer: submission.resources.prefer,
        source,
        spot: submission.resources.spot,
        timeout,
        auto_timeout,
        warnings: warning.into_iter().collect(),
        retry: overridden(policy.retry, submission.retry),
        total: submission.total,
    })
}

impl Terms {
    /// The longest that one attempt can come to.
    pub fn longest(&self) -> Seconds {
        self.auto_timeout.unwrap_or(self.timeout)
    }
}

/// How long an attempt may run, how long `"auto"` may make it, and a word where the job asks for more than it gets.
fn timeout(
    submission: &SubmitJob,
    default: Seconds,
    most: Option<Seconds>,
) -> (Seconds, Option<Seconds>, Option<String>) {
    let most = most.unwrap_or(MAX_ATTEMPT.into()).to_duration().min(MAX_ATTEMPT);
    let capped = |time: Seconds| Seconds::from(time.to_duration().min(most));
    match submission.timeout {
        None => (capped(default), None, None),
        Some(Timeout::Auto) => (capped(default), Some(most.into()), None),
        Some(Timeout::After(time)) => {
            let warning = (most < time.to_duration()).then(|| {
                format!(
                    "timeout is {time}, and one attempt of {} runs {} at most: that is what it gets; its checkpoints \
                     carry the work on into the next attempt",
                    submission.workload,
                    Seconds::from(most)
                )
            });
            (capped(time), None, warning)
        }
    }
}

/// The job's own list wins, then a large batch, then the profile, then the workload.
fn classes<'a>(submission: &'a SubmitJob, policy: &'a WorkloadPolicy) -> (&'a [GpuClass], String) {
    if !submission.resources.gpu.is_empty() {
        return (&submission.resources.gpu, "classes the job asks for".into());
    }
    let batch_size = submission.params.get("batch_size").and_then(|size| size.as_u64());
    if let (Some(large), Some(batch_size)) = (&policy.large_batch, batch_size)
        && large.above < batch_size
    {
        return (&large.gpu, format!("classes for a batch_size above {}", large.above));
    }
    if let Some(name) = &submission.profile
        && let Some(gpu) = policy.profiles.get(name).and_then(|profile| profile.gpu.as_ref())
    {
        return (gpu, format!("classes of profile {name}"));
    }
    (&policy.gpu, format!("classes of workload {}", submission.workload))
}

fn candidates(
    classes: &[GpuClass],
    prices: &BTreeMap<GpuClass, GpuPrice>,
    policy: &WorkloadPolicy,
) -> Result<Vec<Candidate>, Unresolved> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for gpu in classes {
        let price = prices
            .get(gpu)
            .ok_or_else(|| Unresolved::Gpu { given: gpu.clone(), known: listed(prices.keys(), "and") })?;
        if candidates.iter().all(|other| other.gpu != *gpu) {
            let memory_mib = policy.usable_mib(gpu, price.memory_mib);
            candidates.push(Candidate { gpu: gpu.clone(), price: GpuPrice { memory_mib, ..*price } });
        }
    }
    Ok(candidates)
}

/// The candidates with the memory that is needed, of which there is at least one, and those without.
fn fitting(
    submission: &SubmitJob,
    candidates: Vec<Candidate>,
    memory: Option<&MemoryNeed>,
) -> Result<(Vec<Candidate>, Vec<Candidate>), Unresolved> {
    let Some(MemoryNeed { mib: needed, source, basis }) = memory else { return Ok((candidates, Vec::new())) };
    let needed = *needed;
    let (fitting, left_out): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| needed <= candidate.price.memory_mib);
    if !fitting.is_empty() {
        return Ok((fitting, left_out));
    }
    let classes = listed(left_out.iter().map(|candidate| &candidate.gpu), "and");
    let largest = left_out.iter().map(|candidate| candidate.price.memory_mib).max().unwrap_or(0);
    Err(match source {
        MemorySource::Asked => Unresolved::Memory { needed, classes, largest },
        MemorySource::Estimated => {
            let smaller = match accumulation_that_fits(submission, largest) {
                Some((parts, mib)) => {
                    format!("accumulation={parts} would need {mib} MiB; or ask for a larger class")
                }
                None => "Ask for a larger class".into(),
            };
            let remedy =
                format!("{smaller} in resources.gpu, or set resources.memory_mib if you know better");
            Unresolved::EstimatedMemory { needed, basis: basis.clone(), classes, largest, remedy }
        }
    })
}

fn overridden(policy: RetryPolicy, departures: RetryOverride) -> RetryPolicy {
    RetryPolicy {
        max_retries: departures.max_retries.unwrap_or(policy.max_retries),
        max_losses: departures.max_losses.unwrap_or(policy.max_losses),
        initial_delay: departures.initial_delay.unwrap_or(policy.initial_delay),
        backoff_coefficient: departures.backoff_coefficient.unwrap_or(policy.backoff_coefficient),
        max_delay: departures.max_delay.unwrap_or(policy.max_delay),
        jitter: departures.jitter.unwrap_or(policy.jitter),
    }
}

/// `t4, l4 or cpu`.
pub(crate) fn listed<T: ToString>(names: impl IntoIterator<Item = T>, conjunction: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match (names.pop(), names.is_empty()) {
        (None, _) => "none".into(),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} {conjunction} {last}", names.join(", ")),
    }
}
