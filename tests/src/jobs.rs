//! Jobs of a system: submitted, looked at, waited for.

use std::time::Duration;

use broker::{Outgoing, RequestError};
use contract::{
    JobId, Refusal, Refused, Request, SubmitJob, Workload,
    control::{GetJob, JobState, JobView, ListWorkers},
    names::{JOBS_EXCHANGE, SUBMIT_KEY},
};
use tokio::time::{Instant, sleep};

use crate::{
    System,
    step::{StepParams, WORKLOAD},
    wait::{LIMIT, wait_for},
};

/// How long one question to a service may take; while it is down, it is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

impl System {
    /// Submits a job of steps under a name.
    pub async fn submit(&mut self, name: &str, params: &StepParams) -> JobId {
        self.submit_with(name, params, |_| {}).await
    }

    /// The same with changes to the submission.
    pub async fn submit_with(
        &mut self,
        name: &str,
        params: &StepParams,
        change: impl FnOnce(&mut SubmitJob),
    ) -> JobId {
        let mut submission = submission(name, params);
        change(&mut submission);
        let accepted = self.ask(&submission).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.expect(submission);
        accepted.job_id
    }

    /// Publishes a submission as an outside publisher does that waits for no answer.
    pub async fn publish(&mut self, submission: &SubmitJob) -> JobId {
        let message = Outgoing::new(JOBS_EXCHANGE, SUBMIT_KEY, submission);
        self.broker.publish(message).await.expect("the broker takes a submission");
        self.expect(submission.clone())
    }

    /// Has a job held to the promises that was submitted by other means.
    pub fn expect(&mut self, submission: SubmitJob) -> JobId {
        let id = submission.job_id.clone().expect("jobs of tests have names");
        self.jobs.insert(id.clone(), submission);
        id
    }

    /// Holds a job to nothing any more: it has been removed.
    pub fn forget(&mut self, job: &JobId) {
        self.jobs.remove(job);
    }

    /// Asks a service until it answers.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn ask<R: Request>(&self, request: &R) -> Result<R::Reply, Refused> {
        wait_for(R::KIND, async || match self.broker.request(request, PATIENCE).await {
            Ok(reply) => Some(Ok(reply)),
            Err(RequestError::Refused(refused)) if refused.reason != Refusal::Unavailable => {
                Some(Err(refused))
            }
            Err(_) => None,
        })
        .await
    }

    /// Waits until the scheduler knows so many workers.
    pub async fn workers(&self, count: usize) {
        wait_for(&format!("{count} workers"), async || {
            let list = self.ask(&ListWorkers {}).await.expect("workers can be listed");
            (list.workers.len() == count).then_some(())
        })
        .await;
    }

    /// A job as it is now, once the scheduler knows it: a submission and a question take different queues.
    pub async fn view(&self, job: &JobId) -> JobView {
        let question = GetJob { job_id: job.clone() };
        wait_for(&format!("the scheduler to know {job}"), async || self.ask(&question).await.ok()).await
    }

    /// Waits until `holds` for a job.
    pub async fn until(&self, job: &JobId, what: &str, holds: impl Fn(&JobView) -> bool) -> JobView {
        let deadline = Instant::now() + LIMIT;
        loop {
            let view = self.view(job).await;
            if holds(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "{job} is not {what}: {view:#?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a job is in a state.
    pub async fn state(&self, job: &JobId, state: JobState) -> JobView {
        let view = self.until(job, state.as_str(), |view| view.state == state || view.state.is_end()).await;
        assert_eq!(view.state, state, "{view:#?}");
        view
    }
}

/// A submission of steps under a name.
pub fn submission(name: &str, params: &StepParams) -> SubmitJob {
    let workload = Workload::new(WORKLOAD).expect("the name is a valid one");
    let job_id = JobId::new(name).unwrap_or_else(|error| panic!("{error}"));
    SubmitJob { job_id: Some(job_id), ..SubmitJob::new(workload, params.to_map()) }
}
