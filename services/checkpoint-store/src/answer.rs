//! One request, from its delivery to its answer.

use broker::{Delivery, Disposition, Outgoing};
use contract::{
    JobId, MAX_MESSAGE_BYTES, Message, Refusal, Refused,
    checkpoints::{
        CheckpointList, CommitCheckpoint, Committed, ListCheckpoints, ListedCheckpoint, OpenHistory,
        OpenedHistory,
    },
};
use tokio::time::Instant;
use tracing::{Instrument, Span, error, field, info, info_span, warn};

use crate::{
    request::{Request, refused},
    service::Service,
};

impl Service {
    /// Answers a request and settles it; after a commit, removes what retention does not keep.
    pub(crate) async fn answer(&self, delivery: Delivery) {
        let span =
            info_span!("request", kind = field::Empty, job.id = field::Empty, job.attempt = field::Empty);
        if let Some(traceparent) = &delivery.traceparent {
            telemetry::set_parent(&span, traceparent);
        }
        self.answer_in_span(delivery).instrument(span).await;
    }

    async fn answer_in_span(&self, delivery: Delivery) {
        match Request::decode(&delivery.body) {
            Ok(Request::Open(open)) => {
                note(OpenHistory::KIND, &open.job_id, Some(open.token));
                let answer = self.open(&open).await;
                self.reply(delivery, answer).await;
            }
            Ok(Request::Commit(commit)) => {
                note(CommitCheckpoint::KIND, &commit.job_id, Some(commit.token));
                let answer = self.commit(&commit).await;
                let is_committed = answer.is_ok();
                self.reply(delivery, answer).await;
                if is_committed {
                    self.prune(&commit.job_id).await;
                }
            }
            Ok(Request::List(list)) => {
                note(ListCheckpoints::KIND, &list.job_id, None);
                let answer = self.list(&list).await;
                self.reply(delivery, answer).await;
            }
            Err(problem) => {
                let reason = format!("{:#}", anyhow::Error::from(problem));
                warn!(reason, "a request cannot be read");
                self.send(&delivery, &Refused::new(Refusal::Invalid, reason.clone())).await;
                delivery.settle(Disposition::Reject(reason)).await;
            }
        }
    }

    async fn open(&self, open: &OpenHistory) -> Result<OpenedHistory, Refused> {
        let (latest, damaged) = self.history(&open.job_id).open(open.token).await.map_err(refused)?;
        self.log_damage(&open.job_id, &damaged);
        info!(step = latest.as_ref().map(|latest| latest.step), "opened a history");
        Ok(OpenedHistory { latest, damaged })
    }

    async fn commit(&self, commit: &CommitCheckpoint) -> Result<Committed, Refused> {
        let begun = Instant::now();
        let manifest = self.history(&commit.job_id).commit(commit).await.map_err(refused)?;
        self.meters.committed(manifest.bytes, begun.elapsed());
        info!(
            step = manifest.step,
            role = manifest.role.as_str(),
            key = manifest.key,
            "committed a checkpoint"
        );
        Ok(Committed { manifest })
    }

    async fn list(&self, list: &ListCheckpoints) -> Result<CheckpointList, Refused> {
        let listed = self.history(&list.job_id).list(list.verify).await;
        let checkpoints = listed.map_err(|error| refused(error.into()))?;
        self.log_damage(&list.job_id, checkpoints.iter().filter_map(|listed| listed.damage.as_ref()));
        Ok(fitting(checkpoints))
    }

    async fn prune(&self, job: &JobId) {
        if let Err(error) = self.history(job).prune(self.keep_last).await {
            let error = &error as &dyn std::error::Error;
            warn!(error, "cannot remove old checkpoints; it is tried again after the next commit");
        }
    }

    async fn reply<M: Message>(&self, delivery: Delivery, answer: Result<M, Refused>) {
        match answer {
            Ok(answer) => self.send(&delivery, &answer).await,
            Err(refused) => {
                self.meters.refused(&refused);
                match refused.reason {
                    Refusal::Unavailable => error!(why = refused.message, "cannot serve a request"),
                    reason => warn!(?reason, why = refused.message, "refused a request"),
                }
                self.send(&delivery, &refused).await;
            }
        }
        delivery.settle(Disposition::Ack).await;
    }

    /// Sends an answer, where one is awaited.
    async fn send<M: Message>(&self, delivery: &Delivery, answer: &M) {
        let Some(to) = &delivery.reply_to else { return };
        if let Err(error) = self.broker.publish(Outgoing::reply(to, answer)).await {
            warn!(error = &error as &dyn std::error::Error, "an answer was not sent; who asked asks again");
        }
    }
}

/// Adds to the span what the request is about.
fn note(kind: &str, job: &JobId, token: Option<u32>) {
    let span = Span::current();
    span.record("kind", kind);
    span.record("job.id", field::display(job));
    if let Some(token) = token {
        span.record("job.attempt", token);
    }
}

/// As many of the newest checkpoints as one message holds.
fn fitting(checkpoints: Vec<ListedCheckpoint>) -> CheckpointList {
    let mut list = CheckpointList { checkpoints };
    while MAX_MESSAGE_BYTES < contract::encode(&list).len() && list.checkpoints.pop().is_some() {}
    list
}
