//! One request, from its delivery to its answer.

use broker::{Delivery, Disposition, Outgoing};
use contract::{
    JobId, MAX_MESSAGE_BYTES, Message, Refusal, Refused,
    checkpoints::{
        CheckpointList, CommitCheckpoint, Committed, ListCheckpoints, ListedCheckpoint, OpenHistory,
        OpenedHistory, RemoveHistory, Removed,
    },
};
use tokio::time::Instant;
use tracing::{Instrument, Span, error, info, info_span, warn};

use crate::{
    request::{Request, refused},
    service::Service,
};

impl Service {
    /// Answers a request and settles it; after a commit, removes what retention does not keep.
    pub(crate) async fn answer(&self, delivery: Delivery) {
        match Request::decode(&delivery.body) {
            Ok(request) => {
                let span = span(&request);
                if let Some(traceparent) = &delivery.traceparent {
                    telemetry::set_parent(&span, traceparent);
                }
                self.answer_request(delivery, request).instrument(span).await;
            }
            Err(problem) => {
                let reason = format!("{:#}", anyhow::Error::from(problem));
                warn!(reason, "a request cannot be read");
                self.send(&delivery, &Refused::new(Refusal::Invalid, reason.clone())).await;
                delivery.settle(Disposition::Reject(reason)).await;
            }
        }
    }

    async fn answer_request(&self, delivery: Delivery, request: Request) {
        match request {
            Request::Open(open) => {
                let answer = self.open(&open).await;
                self.reply(delivery, answer).await;
            }
            Request::Commit(commit) => {
                let answer = self.commit(&commit).await;
                let is_committed = answer.is_ok();
                self.reply(delivery, answer).await;
                if is_committed {
                    self.prune(&commit.job_id).await;
                }
            }
            Request::List(list) => {
                let answer = self.list(&list).await;
                self.reply(delivery, answer).await;
            }
            Request::Remove(remove) => {
                let answer = self.remove(&remove).await;
                self.reply(delivery, answer).await;
            }
        }
    }

    async fn open(&self, open: &OpenHistory) -> Result<OpenedHistory, Refused> {
        let (latest, damaged) = self.history(&open.job_id).open(open.token).await.map_err(refused)?;
        self.log_damage(&open.job_id, &damaged);
        info!(step = latest.as_ref().map(|latest| latest.step), "opened");
        Ok(OpenedHistory { latest, damaged })
    }

    async fn commit(&self, commit: &CommitCheckpoint) -> Result<Committed, Refused> {
        let begun = Instant::now();
        let manifest = self.history(&commit.job_id).commit(commit).await.map_err(refused)?;
        self.meters.committed(manifest.bytes, begun.elapsed());
        info!(step = manifest.step, role = manifest.role.as_str(), key = manifest.key, "committed");
        Ok(Committed { manifest })
    }

    async fn list(&self, list: &ListCheckpoints) -> Result<CheckpointList, Refused> {
        let listed = self.history(&list.job_id).list(list.verify).await;
        let checkpoints = listed.map_err(|error| refused(error.into()))?;
        self.log_damage(&list.job_id, checkpoints.iter().filter_map(|listed| listed.damage.as_ref()));
        Ok(fitting(checkpoints))
    }

    async fn remove(&self, remove: &RemoveHistory) -> Result<Removed, Refused> {
        let removed = self.history(&remove.job_id).remove(remove.token).await.map_err(refused)?;
        info!(objects = removed.objects, bytes = removed.bytes, "removed");
        Ok(removed)
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
                    reason => warn!(reason = reason.as_str(), why = refused.message, "refused"),
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

/// The span of a request: an attempt's number is its token.
fn span(request: &Request) -> Span {
    match request {
        Request::Open(open) => info_span!("open", job.id = %open.job_id, job.attempt = open.token),
        Request::Commit(commit) => info_span!("commit", job.id = %commit.job_id, job.attempt = commit.token),
        Request::List(list) => info_span!("list", job.id = %list.job_id),
        Request::Remove(remove) => {
            info_span!("remove", job.id = %remove.job_id, job.attempt = remove.token)
        }
    }
}

/// As many of the newest checkpoints as one message holds.
fn fitting(checkpoints: Vec<ListedCheckpoint>) -> CheckpointList {
    let mut list = CheckpointList { checkpoints };
    while MAX_MESSAGE_BYTES < contract::encode(&list).len() && list.checkpoints.pop().is_some() {}
    list
}
