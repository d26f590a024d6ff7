//! Asking for everything that is known of a storm.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    JobId, Workload,
    checkpoints::ListCheckpoints,
    control::{GetHistory, JobState},
};
use serde_json::Value;

use super::{
    JobRecord, Record,
    jobs::{LIMITED_OWNER, Planned},
};
use crate::{
    System,
    step::{StepParams, WORKLOAD},
};

/// What an hour of the storm's one class costs, and how often its trainers are heard: as the settings of tests have it.
const USD_PER_HOUR: f64 = 0.05;
const HEARTBEAT_SECONDS: f64 = 0.5;
/// How many jobs of steps, and of the owner that has a limit, may run at once in a storm.
const CONCURRENCY: usize = 8;
const OWNERS_CONCURRENCY: usize = 3;

impl Record {
    /// Asks the scheduler, the checkpoint-store and the disk.
    pub(super) async fn take(
        system: &System,
        planned: &BTreeMap<JobId, Planned>,
        cancelled: &BTreeSet<JobId>,
    ) -> Self {
        let mut jobs = BTreeMap::new();
        for (id, job) in planned {
            jobs.insert(id.clone(), record(system, id, job, cancelled.contains(id)).await);
        }
        let step = Workload::new(WORKLOAD).expect("the name is a valid one");
        Self {
            jobs,
            concurrency: BTreeMap::from([(step, CONCURRENCY)]),
            owners_concurrency: BTreeMap::from([(LIMITED_OWNER.into(), OWNERS_CONCURRENCY)]),
            heartbeat_hours: HEARTBEAT_SECONDS / 3600.0,
        }
    }
}

async fn record(system: &System, id: &JobId, planned: &Planned, cancelled: bool) -> JobRecord {
    let view = system.view(id).await;
    let mut ends = planned.ends.clone();
    if cancelled {
        ends.push(JobState::Cancelled);
    }
    let list = system.ask(&ListCheckpoints { job_id: id.clone(), verify: true }).await;
    let list = list.expect("checkpoints can be listed").checkpoints;
    let is_step = planned.submission.workload.as_str() == WORKLOAD;
    let result = (view.state == JobState::Succeeded && is_step).then(|| {
        let params: StepParams = serde_json::from_value(planned.submission.params.clone().into())
            .expect("the parameters of a storm's job are valid");
        (system.weights(id), params.undisturbed().to_string())
    });
    JobRecord {
        submission: planned.submission.clone(),
        usd_per_hour: USD_PER_HOUR,
        ends,
        history: history(system, id).await,
        damage: list.iter().filter_map(|listed| listed.damage.clone()).collect(),
        checkpoints: list.into_iter().map(|listed| listed.manifest).collect(),
        result,
        view,
    }
}

/// Everything in a job's history, oldest first.
async fn history(system: &System, job: &JobId) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = system.ask(&GetHistory { job_id: job.clone(), after }).await;
        let page = page.expect("a job has a history");
        for entry in page.entries {
            after = entry.seq;
            events.push(entry.event);
        }
        if !page.more {
            return events;
        }
    }
}
