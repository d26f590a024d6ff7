//! What must be true of a storm when it is over: the promises, held against what was recorded.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    JobId, Message, SubmitJob, Timestamp, Workload,
    checkpoints::Manifest,
    control::{Charge, JobState, JobView},
    events::{JobEnded, JobLeased, JobPaused, JobResumed, JobRetrying},
};
use serde_json::Value;

/// Everything there is to know about a storm.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The jobs, by name.
    pub jobs: BTreeMap<JobId, JobRecord>,
    /// How many jobs of a workload may run at once.
    pub concurrency: BTreeMap<Workload, usize>,
    /// How many of an owner may.
    pub owners_concurrency: BTreeMap<String, usize>,
    /// How long an attempt runs between two heartbeats, in hours: what one of them is worth.
    pub heartbeat_hours: f64,
}

/// One job of a storm.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// What was asked for.
    pub submission: SubmitJob,
    /// What its US dollars are per hour at most.
    pub usd_per_hour: f64,
    /// How it may end.
    pub ends: Vec<JobState>,
    /// How it stands now.
    pub view: JobView,
    /// Its history, oldest first.
    pub history: Vec<Value>,
    /// Its checkpoints, newest first.
    pub checkpoints: Vec<Manifest>,
    /// What is wrong with their bytes.
    pub damage: Vec<String>,
    /// What it left behind, and what it should have.
    pub result: Option<(String, String)>,
}

impl Record {
    /// The promises that were broken, in words.
    pub fn broken(&self) -> Vec<String> {
        let jobs = self.jobs.iter().flat_map(|(id, job)| {
            let found = [
                one_end(job),
                one_lease(job),
                ledger(job),
                caps(job, self.heartbeat_hours),
                checkpoints(job),
                result(job),
            ];
            found.into_iter().flatten().map(move |problem| format!("{id}: {problem}"))
        });
        jobs.chain(self.crowds()).collect()
    }

    /// The jobs that are dead.
    pub(super) fn dead(&self) -> BTreeSet<JobId> {
        let dead = self.jobs.iter().filter(|(_, job)| job.view.state == JobState::Dead);
        dead.map(|(id, _)| id.clone()).collect()
    }

    /// Workloads and owners of which more jobs ran at once than may.
    fn crowds(&self) -> Vec<String> {
        let workloads = self.concurrency.iter().map(|(workload, allowed)| {
            let of_it = |job: &JobRecord| job.submission.workload == *workload;
            (workload.to_string(), *allowed, self.most_at_once(of_it))
        });
        let owners = self.owners_concurrency.iter().map(|(owner, allowed)| {
            let of_it = |job: &JobRecord| job.submission.owner == *owner;
            (format!("owner {owner}"), *allowed, self.most_at_once(of_it))
        });
        let crowded = workloads.chain(owners).filter(|(_, allowed, most)| allowed < most);
        crowded
            .map(|(whose, allowed, most)| format!("{most} of {whose} ran at once, not {allowed}"))
            .collect()
    }

    /// How many of some jobs ran at once.
    fn most_at_once(&self, counts: impl Fn(&JobRecord) -> bool) -> usize {
        let attempts = self.jobs.values().filter(|job| counts(job)).flat_map(|job| &job.view.attempts);
        // An attempt that ends in the millisecond in which another begins makes room for it.
        let mut changes: Vec<(Timestamp, i64)> = attempts
            .flat_map(|attempt| {
                let ended = attempt.ended_at.map(|at| (at, -1));
                ended.into_iter().chain([(attempt.leased_at, 1)])
            })
            .collect();
        changes.sort_unstable();
        let at_once = changes.iter().scan(0, |running, (_, change)| {
            *running += change;
            Some(*running)
        });
        at_once.max().and_then(|most| usize::try_from(most).ok()).unwrap_or(0)
    }
}

/// Each job has ended once, and as it may.
fn one_end(job: &JobRecord) -> Vec<String> {
    let mut broken = Vec::new();
    let ends: Vec<&Value> = job.history.iter().filter(|event| event["kind"] == JobEnded::KIND).collect();
    if ends.len() != 1 {
        broken.push(format!("it has {} ends in its history, not one", ends.len()));
    }
    if ends.iter().any(|end| end["state"] != job.view.state.as_str()) {
        broken.push(format!("its history tells another end than {}", job.view.state));
    }
    if !job.ends.contains(&job.view.state) {
        let failure = job.view.failure.as_ref().map(|failure| format!(" ({failure})"));
        broken.push(format!("it is {}{}", job.view.state, failure.unwrap_or_default()));
    }
    broken
}

/// One attempt after the other holds the lease, with ascending numbers, and none once the job has ended.
fn one_lease(job: &JobRecord) -> Vec<String> {
    let mut broken = Vec::new();
    let (mut held, mut last, mut ended): (Option<u64>, u64, bool) = (None, 0, false);
    // An attempt that stops to pause its job, which is resumed before it has, ends without a word.
    let mut may_be_over = false;
    for event in &job.history {
        let (kind, attempt) = (event["kind"].as_str().unwrap_or_default(), event["attempt"].as_u64());
        if kind == JobLeased::KIND {
            let attempt = attempt.unwrap_or(0);
            if let (Some(holder), false) = (held, may_be_over) {
                broken.push(format!("attempt {attempt} was leased while {holder} held the lease"));
            }
            if attempt != last + 1 {
                broken.push(format!("attempt {attempt} was leased after {last}"));
            }
            if ended {
                broken.push(format!("attempt {attempt} was leased after the end"));
            }
            (held, last, may_be_over) = (Some(attempt), attempt, false);
        } else if kind == JobRetrying::KIND {
            if held != attempt {
                broken.push(format!("attempt {attempt:?} failed, and {held:?} held the lease"));
            }
            held = None;
        } else if kind == JobPaused::KIND {
            held = None;
        } else if kind == JobResumed::KIND {
            may_be_over = true;
        } else if kind == JobEnded::KIND {
            (held, ended) = (None, true);
        }
    }
    for pair in job.view.attempts.windows(2) {
        if let [earlier, later] = pair
            && earlier.ended_at.is_none_or(|ended| later.leased_at < ended)
        {
            broken.push(format!("attempt {} began before {} was over", later.attempt, earlier.attempt));
        }
    }
    broken
}

/// The ledger is the sum of the attempts, where all of them are still shown.
fn ledger(job: &JobRecord) -> Vec<String> {
    let (ledger, attempts) = (&job.view.ledger, &job.view.attempts);
    if attempts.first().is_some_and(|first| first.attempt != 1) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    let usd: f64 = attempts.iter().map(|attempt| attempt.usd).sum();
    if 1e-9 < (usd - ledger.usd).abs() {
        broken.push(format!("its attempts cost {usd} USD and its ledger says {}", ledger.usd));
    }
    let running: f64 = attempts
        .iter()
        .filter_map(|attempt| Some(attempt.ended_at?.since(attempt.leased_at).as_secs_f64()))
        .sum();
    if 1e-3 < (running - ledger.running.as_f64()).abs() {
        broken.push(format!("its attempts ran {running} s and its ledger says {}", ledger.running));
    }
    for (charge, counted) in [
        (Charge::Retries, ledger.retries),
        (Charge::Losses, ledger.losses),
        (Charge::Preemptions, ledger.preemptions),
    ] {
        let charged = attempts.iter().filter(|attempt| attempt.charged_to == Some(charge)).count();
        if charged != counted as usize {
            broken.push(format!(
                "{charged} attempts were charged to {charge:?}, and the ledger counts {counted}"
            ));
        }
    }
    broken
}

/// The job's cap of money is passed by one heartbeat's worth at most.
fn caps(job: &JobRecord, heartbeat_hours: f64) -> Vec<String> {
    let Some(cap) = job.submission.total.usd else { return Vec::new() };
    let (spent, most) = (job.view.ledger.usd, cap + heartbeat_hours * job.usd_per_hour);
    if spent <= most {
        return Vec::new();
    }
    vec![format!("it cost {spent} USD; its cap and one heartbeat's worth come to {most}")]
}

/// Checkpoints are whole, and none was committed by an older attempt after one of a newer.
fn checkpoints(job: &JobRecord) -> Vec<String> {
    let newest_first = job.checkpoints.windows(2);
    let late = newest_first.filter(|pair| pair[0].token < pair[1].token).map(|pair| {
        let [late, before] = [&pair[0], &pair[1]];
        format!("attempt {} committed step {} after attempt {}", late.token, late.step, before.token)
    });
    let granted = job.view.attempts.last().map_or(0, |attempt| attempt.attempt);
    let unknown = job.checkpoints.iter().filter(|manifest| granted < manifest.token);
    let unknown =
        unknown.map(|manifest| format!("a checkpoint is by attempt {}, which never was", manifest.token));
    late.chain(unknown).chain(job.damage.iter().cloned()).collect()
}

/// What was interrupted and resumed is what an undisturbed run would have left.
fn result(job: &JobRecord) -> Vec<String> {
    match &job.result {
        Some((found, wanted)) if found != wanted => {
            vec![format!("it left {found:?}, and an undisturbed run leaves {wanted:?}")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
