//! What jobs that have succeeded took, which is what the next one like them is expected to take.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use contract::{GpuClass, Profile, SubmitJob, Workload};
use policy::PastRun;

use super::job::{Job, Phase};

/// Jobs that are remembered of each kind; the last ones.
const KEPT: usize = 32;

/// Jobs that have succeeded.
#[derive(Debug, Default)]
pub(super) struct Past {
    jobs: HashMap<Kind, VecDeque<Taken>>,
}

/// Jobs that are held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    workload: Workload,
    profile: Option<Profile>,
    gpu: GpuClass,
}

/// What one job took.
#[derive(Debug, Clone, Copy)]
struct Taken {
    likeness: u64,
    attempts: u32,
    running_ms: u64,
}

impl Past {
    /// Remembers a job that has succeeded, unless it ran on several classes: that says nothing of one.
    pub(super) fn note(&mut self, job: &Job) {
        let Some(gpu) = job.bill.only_class().filter(|_| matches!(job.phase, Phase::Succeeded { .. })) else {
            return;
        };
        let jobs = self.jobs.entry(kind(&job.submission, gpu)).or_default();
        if jobs.len() == KEPT {
            jobs.pop_front();
        }
        jobs.push_back(Taken {
            likeness: likeness(&job.submission),
            attempts: job.granted,
            running_ms: job.ledger.running_ms,
        });
    }

    /// The jobs of the same kind as one that would run on a class.
    pub(super) fn of_kind(&self, submission: &SubmitJob, gpu: &GpuClass) -> Vec<PastRun> {
        let likeness = likeness(submission);
        let jobs = self.jobs.get(&kind(submission, gpu)).into_iter().flatten();
        jobs.map(|taken| PastRun {
            attempts: taken.attempts,
            running: Duration::from_millis(taken.running_ms),
            is_alike: taken.likeness == likeness,
        })
        .collect()
    }
}

fn kind(submission: &SubmitJob, gpu: &GpuClass) -> Kind {
    let SubmitJob { workload, profile, .. } = submission;
    Kind { workload: workload.clone(), profile: profile.clone(), gpu: gpu.clone() }
}

/// Equal for the same parameters; another seed makes no other work.
fn likeness(submission: &SubmitJob) -> u64 {
    let params = submission.params.iter().filter(|(name, _)| *name != "seed");
    let params: BTreeMap<&String, String> = params.map(|(name, value)| (name, value.to_string())).collect();
    let mut hasher = DefaultHasher::new();
    params.hash(&mut hasher);
    hasher.finish()
}
