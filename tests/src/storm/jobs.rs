//! The jobs of a storm: of every kind, at random.

use contract::{FailureClass, Jitter, JobId, Seconds, SubmitJob, Workload, control::JobState};
use rand::{RngExt, rngs::StdRng};
use serde_json::Map;

use crate::{
    jobs::submission,
    step::{How, NOP, StepParams},
};

/// Whose they are; the first may run few at once.
const OWNERS: [&str; 3] = [LIMITED_OWNER, "bob", "cleo"];
/// The owner that has a limit.
pub(super) const LIMITED_OWNER: &str = "ada";

/// A job, and how it may end if nobody cancels it.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) submission: SubmitJob,
    pub(super) ends: Vec<JobState>,
    /// Its kind, for the summary.
    pub(super) kind: &'static str,
}

/// The job of a number.
pub(super) fn plan(number: usize, random: &mut StdRng) -> Planned {
    let steps = random.random_range(20..200);
    let params =
        StepParams { seed: number as u64, ..StepParams::steps(steps) }.of_ms(random.random_range(1..40));
    let params = match random.random_range(0..3) {
        0 => params.commit_every(random.random_range(5..20)),
        _ => params.checkpoint_every(random.random_range(1..12)),
    };
    let fault = random.random_range(1..steps);
    let (kind, params, ends) = match random.random_range(0..10) {
        0 => return nop(number),
        1 => (
            "fails once",
            params.fail(fault, 1, How::Fail(FailureClass::Transient)),
            vec![JobState::Succeeded],
        ),
        2 => ("panics once", params.fail(fault, 1, How::Panic), vec![JobState::Succeeded]),
        3 => ("takes its process along", params.fail(fault, 1, How::Abort), vec![JobState::Succeeded]),
        4 => (
            "is hopeless",
            params.fail(fault, u32::MAX, How::Fail(FailureClass::Permanent)),
            vec![JobState::Dead],
        ),
        5 => ("has little money", params, vec![JobState::Succeeded, JobState::Dead]),
        6 => ("has little time", params, vec![JobState::Succeeded, JobState::Dead]),
        _ => ("trains", params, vec![JobState::Succeeded]),
    };
    let mut submission = submission(&format!("job-{number}"), &params);
    submission.owner = OWNERS[random.random_range(0..OWNERS.len())].into();
    submission.priority = random.random_range(0..10);
    submission.retry.jitter = [None, Some(Jitter::Full), Some(Jitter::Equal)][random.random_range(0..3)];
    match kind {
        // The shortest attempt costs 1.6e-4: a second of work, and the time in which it may have to stop.
        "has little money" => submission.total.usd = Some(random.random_range(1.6e-4..4e-4)),
        "has little time" => submission.total.time = Seconds::new(random.random_range(1.0..30.0)),
        _ => {}
    }
    Planned { submission, ends, kind }
}

fn nop(number: usize) -> Planned {
    let workload = Workload::new(NOP).expect("the name is a valid one");
    let job_id = JobId::new(format!("job-{number}")).expect("the name is a valid one");
    let submission = SubmitJob { job_id: Some(job_id), ..SubmitJob::new(workload, Map::new()) };
    Planned { submission, ends: vec![JobState::Succeeded], kind: "does nothing" }
}
