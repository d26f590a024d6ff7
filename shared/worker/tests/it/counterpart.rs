//! The scheduler's and the checkpoint-store's side of the protocol, as a test wants it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use broker::{Broker, Consumer, Delivery, Disposition, Outgoing, settle_all};
use checkpoints::{History, HistoryError, ObjectStore};
use contract::{
    Message, Refusal, Refused, Seconds, StopCause,
    checkpoints::{CommitCheckpoint, Committed, OpenHistory, OpenedHistory},
    lease::{Claim, ClaimAnswer, Done, Goodbye, Grant, Heartbeat, HeartbeatAnswer, Hello, Verdict, Welcome},
};
use futures::future::join_all;

/// What the other side answers, and what it has heard.
#[derive(Default)]
pub(crate) struct Script {
    /// What is granted to whoever claims; the job and the attempt are filled in. Without it, claims are refused.
    pub(crate) grant: Option<Grant>,
    /// Whether claims and commits get no answer at all.
    pub(crate) silent: bool,
    /// What every run is told in answer to a heartbeat.
    pub(crate) stop: Option<StopCause>,
    /// Whether the next heartbeat is answered as one from a stranger.
    pub(crate) forget_once: bool,
    /// Whether the worker is told that it drains.
    pub(crate) draining: bool,
    /// Whether hellos are refused.
    pub(crate) dismiss: bool,
    /// How many commits are refused because the store is unavailable.
    pub(crate) unavailable: u32,

    pub(crate) hellos: Vec<Hello>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) heartbeats: Vec<Heartbeat>,
    pub(crate) goodbyes: Vec<Goodbye>,
}

/// Plays both services.
#[derive(Clone)]
pub(crate) struct Counterpart {
    broker: Broker,
    store: ObjectStore,
    script: Arc<Mutex<Script>>,
}

impl Counterpart {
    pub(crate) fn new(broker: Broker, store: ObjectStore, script: Script) -> Self {
        Self { broker, store, script: Arc::new(Mutex::new(script)) }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// Answers whatever comes through `requests`.
    pub(crate) async fn answer(self, mut requests: Consumer) {
        loop {
            let batch = requests.next_batch(64).await;
            if batch.is_empty() {
                return;
            }
            let replies = join_all(batch.iter().map(|delivery| self.reply(delivery))).await;
            self.broker.publish_all(replies.into_iter().flatten().collect()).await;
            let settled = batch.into_iter().map(|delivery| (delivery, Disposition::Ack));
            settle_all(settled.collect::<Vec<_>>()).await;
        }
    }

    async fn reply(&self, delivery: &Delivery) -> Option<Outgoing> {
        let to = delivery.reply_to.as_ref()?;
        let kind = contract::kind_of(&delivery.body).ok()?;
        Some(match kind.as_str() {
            Hello::KIND => match self.welcome(delivery.decode().ok()?) {
                Ok(welcome) => Outgoing::reply(to, &welcome),
                Err(refused) => Outgoing::reply(to, &refused),
            },
            Claim::KIND => Outgoing::reply(to, &self.judge(delivery.decode().ok()?)?),
            Heartbeat::KIND => Outgoing::reply(to, &self.renew(delivery.decode().ok()?)),
            Goodbye::KIND => {
                self.script().goodbyes.push(delivery.decode().ok()?);
                Outgoing::reply(to, &Done {})
            }
            OpenHistory::KIND => match self.open(&delivery.decode().ok()?).await {
                Ok(opened) => Outgoing::reply(to, &opened),
                Err(refused) => Outgoing::reply(to, &refused),
            },
            CommitCheckpoint::KIND => match self.commit(&delivery.decode().ok()?).await? {
                Ok(committed) => Outgoing::reply(to, &committed),
                Err(refused) => Outgoing::reply(to, &refused),
            },
            other => panic!("a worker asked {other}"),
        })
    }

    fn welcome(&self, hello: Hello) -> Result<Welcome, Refused> {
        let mut script = self.script();
        script.hellos.push(hello);
        if script.dismiss {
            return Err(Refused::new(Refusal::Conflict, "another process has this name"));
        }
        let seconds = |seconds| Seconds::new(seconds).unwrap();
        Ok(Welcome { heartbeat: seconds(0.05), lease: seconds(2.0), draining: script.draining })
    }

    fn judge(&self, claim: Claim) -> Option<ClaimAnswer> {
        let mut script = self.script();
        let (job_id, attempt) = (claim.job_id.clone(), claim.attempt);
        script.claims.push(claim);
        if script.silent {
            return None;
        }
        Some(match &script.grant {
            Some(grant) => ClaimAnswer::Granted(Grant { job_id, attempt, ..grant.clone() }),
            None => ClaimAnswer::Refused { why: "the test says so".into(), draining: script.draining },
        })
    }

    fn renew(&self, heartbeat: Heartbeat) -> HeartbeatAnswer {
        let mut script = self.script();
        let known = !std::mem::take(&mut script.forget_once);
        let verdict = script.stop.map_or(Verdict::Continue, |cause| Verdict::Stop { cause });
        let runs = vec![verdict; if known { heartbeat.runs.len() } else { 0 }];
        script.heartbeats.push(heartbeat);
        HeartbeatAnswer { known, runs, limits: vec![], draining: script.draining }
    }

    async fn open(&self, open: &OpenHistory) -> Result<OpenedHistory, Refused> {
        let history = History::of(self.store.clone(), open.job_id.clone());
        let (latest, damaged) = history.open(open.token).await.map_err(refusal)?;
        Ok(OpenedHistory { latest, damaged })
    }

    async fn commit(&self, commit: &CommitCheckpoint) -> Option<Result<Committed, Refused>> {
        {
            let mut script = self.script();
            if script.silent {
                return None;
            }
            if 0 < script.unavailable {
                script.unavailable -= 1;
                return Some(Err(Refused::new(Refusal::Unavailable, "the store is away")));
            }
        }
        let history = History::of(self.store.clone(), commit.job_id.clone());
        let committed = history.commit(commit).await;
        Some(committed.map(|manifest| Committed { manifest }).map_err(refusal))
    }
}

fn refusal(error: HistoryError) -> Refused {
    let reason = match &error {
        HistoryError::Fenced { .. } => Refusal::Fenced,
        HistoryError::Late { .. } => Refusal::Conflict,
        HistoryError::Store(_) => Refusal::Unavailable,
        _ => Refusal::Invalid,
    };
    Refused::new(reason, error.to_string())
}

/// A grant whose limits no test reaches by accident.
pub(crate) fn generous_grant() -> Grant {
    let seconds = |seconds| Seconds::new(seconds).unwrap();
    Grant {
        job_id: contract::JobId::new("filled-in-later").unwrap(),
        attempt: 0,
        workload: contract::Workload::new("classifier").unwrap(),
        profile: None,
        params: serde_json::Map::new(),
        labels: BTreeMap::new(),
        fresh_after: 0,
        run_limit: seconds(600.0),
        run_limit_cause: StopCause::Timeout,
        grace: seconds(20.0),
        checkpoint_interval: seconds(600.0),
        hang_limit: seconds(300.0),
        usd_per_hour: 1.0,
        micro_batches: None,
    }
}
