//! What must hold after every test: the promises.

use std::collections::BTreeSet;

use broker::{Delivery, Disposition};
use contract::{
    JobId, Message,
    checkpoints::{ListCheckpoints, Manifest},
    control::{GetHistory, JobState, ListJobs},
    events::{AttemptEnded, DeadLetter, JobEnded},
    names::DEAD_LETTERS,
};
use local_broker::QueueState;
use tokio::time::timeout;

use crate::{
    System,
    step::{ARTIFACT, StepParams, WORKLOAD},
    wait::{LIMIT, wait_for},
};

/// A message that was dead-lettered because nobody could use it.
#[derive(Debug, Clone)]
pub struct RefusedMessage {
    /// Where it had been.
    pub queue: String,
    /// Why it is not there any more.
    pub reason: String,
}

impl System {
    /// Ends the system and holds it to the promises: every job that was accepted, and no other, has reached exactly
    /// one end; a job that succeeded has the weights of an undisturbed run; no queue holds a forgotten message; every
    /// program ends when it is asked to.
    pub async fn end(mut self) {
        self.every_job_has_one_end().await;
        self.shut_down().await;
        self.queues_empty().await;
        self.broker.close().await;
    }

    async fn every_job_has_one_end(&self) {
        let list = self.ask(&ListJobs { limit: ListJobs::MAX_LIMIT, ..ListJobs::default() }).await;
        let known: Vec<JobId> =
            list.expect("jobs can be listed").jobs.into_iter().map(|job| job.job_id).collect();
        for id in &known {
            assert!(self.jobs.contains_key(id), "nobody submitted {id}");
        }
        for (id, submission) in &self.jobs {
            assert!(known.contains(id), "{id} was accepted and is not there any more");
            let view = self.until(id, "at its end", |view| view.state.is_end()).await;
            let ends = self.ends_in_history(id).await;
            let redriven = ends.len() - 1;
            assert!(
                ends[..redriven].iter().all(|state| *state != JobState::Succeeded),
                "{id} went on after it had succeeded: {ends:?}"
            );
            assert_eq!(ends.last(), Some(&view.state), "{id}");
            if view.state == JobState::Succeeded && submission.workload.as_str() == WORKLOAD {
                let params: StepParams = serde_json::from_value(submission.params.clone().into())
                    .expect("the parameters of a test's job are valid");
                assert_eq!(self.weights(id), params.undisturbed().to_string(), "the weights of {id}");
            }
        }
    }

    /// Every end that a job's history tells of; more than one only where it was redriven.
    async fn ends_in_history(&self, job: &JobId) -> Vec<JobState> {
        let (mut ends, mut after) = (Vec::new(), 0);
        loop {
            let page =
                self.ask(&GetHistory { job_id: job.clone(), after }).await.expect("a job has a history");
            for entry in &page.entries {
                after = entry.seq;
                if entry.event["kind"] == JobEnded::KIND {
                    let state = serde_json::from_value(entry.event["state"].clone());
                    ends.push(state.expect("an end names its state"));
                }
            }
            if !page.more {
                return ends;
            }
        }
    }

    /// The weights that a job left behind.
    pub(crate) fn weights(&self, job: &JobId) -> String {
        let file = self.path().join(format!("checkpoints/jobs/{job}/artifacts/{ARTIFACT}"));
        std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
    }

    /// Waits until no queue holds a message.
    pub async fn queues_empty(&self) {
        self.queues_empty_but(&[]).await;
    }

    /// Waits until no queue holds a message except for some.
    pub(crate) async fn queues_empty_but(&self, some: &[&str]) {
        wait_for("every queue to be empty", async || {
            let queues = self.home().queues().await;
            let is_full = |queue: &&QueueState| 0 < queue.messages && !some.contains(&queue.name.as_str());
            queues.iter().find(is_full).is_none().then_some(())
        })
        .await;
    }

    /// Puts text straight into a queue, as a client that knows nothing of the contract might.
    pub async fn put(&self, queue: &str, text: &str) {
        let management = self.home().management();
        management.publish(self.home().vhost(), "", queue, text).await.expect("the broker takes any text");
    }

    /// Takes the dead letters of so many jobs out of their queue.
    pub async fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        self.take_dead(count, |letter| letter.decode().expect("a job's dead letter is well-formed")).await
    }

    /// Takes dead letters out of their queue until each of some jobs has had one, and says for which none has come. A letter
    /// may come twice.
    pub(crate) async fn without_dead_letter(&self, mut jobs: BTreeSet<JobId>) -> BTreeSet<JobId> {
        let mut consumer = self.broker.consume(DEAD_LETTERS, 100).await.expect("dead letters can be read");
        while !jobs.is_empty() {
            let Ok(next) = timeout(LIMIT, consumer.next()).await else { break };
            let letter = next.expect("the test's line is open");
            if let Ok(DeadLetter { job, .. }) = letter.decode() {
                jobs.remove(&job.job_id);
            }
            letter.settle(Disposition::Ack).await;
        }
        consumer.cancel().await;
        jobs
    }

    /// Takes so many messages that nobody could use out of the dead letters.
    pub async fn refused_messages(&self, count: usize) -> Vec<RefusedMessage> {
        self.take_dead(count, |letter| RefusedMessage {
            queue: letter.from_queue.clone().unwrap_or_default(),
            reason: letter.reason.clone().unwrap_or_default(),
        })
        .await
    }

    async fn take_dead<T>(&self, count: usize, read: impl Fn(&Delivery) -> T) -> Vec<T> {
        let mut consumer = self.broker.consume(DEAD_LETTERS, 100).await.expect("dead letters can be read");
        let mut letters = Vec::new();
        while letters.len() < count {
            let next = timeout(LIMIT, consumer.next()).await;
            let next = next.unwrap_or_else(|_| panic!("{} of {count} dead letters came", letters.len()));
            let letter = next.expect("the test's line is open");
            letters.push(read(&letter));
            letter.settle(Disposition::Ack).await;
        }
        consumer.cancel().await;
        letters
    }

    /// A job's checkpoints.
    pub async fn checkpoints(&self, job: &JobId) -> Vec<Manifest> {
        let list = self.ask(&ListCheckpoints { job_id: job.clone(), verify: false }).await;
        let list = list.expect("checkpoints can be listed");
        list.checkpoints.into_iter().map(|listed| listed.manifest).collect()
    }

    /// What is wrong with a job's checkpoints, every byte read.
    pub async fn damage(&self, job: &JobId) -> Vec<String> {
        let list = self.ask(&ListCheckpoints { job_id: job.clone(), verify: true }).await;
        let list = list.expect("checkpoints can be listed");
        list.checkpoints.into_iter().filter_map(|listed| listed.damage).collect()
    }

    /// Waits until the trainer of an attempt has told its end.
    pub async fn attempt_ended(&self, job: &JobId, attempt: u32) -> AttemptEnded {
        self.events.first(|ended: &AttemptEnded| ended.job_id == *job && ended.attempt == attempt).await
    }
}
