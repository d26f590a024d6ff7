//! A scheduler and a checkpoint-store that know some jobs by heart.

use std::sync::{Arc, Mutex};

use broker::{Broker, BrokerOptions, Consumer, Disposition, Outgoing, ReplyTo};
use contract::{
    JobId, Message, Refusal, Refused, SubmitJob, Timestamp,
    checkpoints::{CheckpointList, ListCheckpoints, RemoveHistory, Removed},
    control::{
        CancelJob, Cost, CostGroup, CostLine, DrainWorker, EstimateJob, EstimateReply, GetCost, GetHistory,
        GetJob, History, HistoryEntry, JobList, JobState, JobSummary, JobView, ListJobs, ListWorkers,
        PauseJob, RedriveJob, RemoveJob, ResumeJob, WorkerList, WorkerView,
    },
    events::Event,
    names::{CHECKPOINT_REQUESTS, SCHEDULER_JOBS, SCHEDULER_REQUESTS},
    sweep::SweepView,
};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{command::World, sweeps};

/// Answers until it is dropped.
pub(crate) struct Scheduler {
    broker: Broker,
    known: Arc<Mutex<Known>>,
    /// The kinds of what it is asked, as it is asked.
    pub(crate) asked: mpsc::UnboundedReceiver<String>,
    _answering: JoinSet<()>,
}

/// What it knows by heart.
struct Known {
    jobs: Vec<JobView>,
    sweep: SweepView,
}

/// One of the contract's examples.
pub(crate) fn golden<M: Message>() -> M {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contract/golden");
    let text = std::fs::read(format!("{folder}/{}.v{}.json", M::KIND, M::VERSION)).unwrap();
    contract::decode(&text).unwrap()
}

/// The contract's example of a job, under another id and in another state.
pub(crate) fn job(id: &str, state: JobState) -> JobView {
    let job_id = JobId::new(id).unwrap();
    let example: JobView = golden();
    let failure = example.failure.clone().filter(|_| state == JobState::Dead);
    JobView {
        job_id,
        state,
        failure,
        stopping: None,
        waiting_for: None,
        waiting: None,
        next_attempt_at: None,
        ..example
    }
}

impl Scheduler {
    pub(crate) async fn start(world: &World, jobs: Vec<JobView>) -> Self {
        let options = BrokerOptions {
            url: world.vhost.amqp_url().into(),
            heartbeat: std::time::Duration::from_secs(10),
            name: "test".into(),
        };
        let broker = Broker::connect(options, &CancellationToken::new()).await.unwrap();
        let known = Arc::new(Mutex::new(Known { jobs, sweep: golden() }));
        let (ask, asked) = mpsc::unbounded_channel();
        let mut answering = JoinSet::new();
        for queue in [SCHEDULER_REQUESTS, SCHEDULER_JOBS, CHECKPOINT_REQUESTS] {
            let consumer = broker.consume(queue, 10).await.unwrap();
            answering.spawn(answer(broker.clone(), consumer, known.clone(), ask.clone()));
        }
        Self { broker, known, asked, _answering: answering }
    }

    /// Waits until it is asked something of this kind.
    pub(crate) async fn is_asked<M: Message>(&mut self) {
        while self.asked.recv().await.expect("nobody asks any more") != M::KIND {}
    }

    pub(crate) async fn tell(&self, event: &impl Event) {
        self.broker.publish(Outgoing::event(event)).await.unwrap();
    }

    /// Changes the one sweep that it knows.
    pub(crate) fn change_sweep(&self, change: impl FnOnce(&mut SweepView)) {
        change(&mut self.known.lock().unwrap().sweep);
    }

    pub(crate) fn set_state(&self, id: &JobId, state: JobState) {
        let jobs = &mut self.known.lock().unwrap().jobs;
        jobs.iter_mut().find(|job| job.job_id == *id).unwrap().state = state;
    }
}

async fn answer(
    broker: Broker,
    mut consumer: Consumer,
    known: Arc<Mutex<Known>>,
    ask: mpsc::UnboundedSender<String>,
) {
    while let Some(delivery) = consumer.next().await {
        let to = delivery.reply_to.clone().expect("the command waits for an answer");
        let value: Value = serde_json::from_slice(&delivery.body).unwrap();
        let kind = value["kind"].as_str().unwrap().to_owned();
        let reply = reply(&to, &kind, value, &mut known.lock().unwrap());
        broker.publish(reply).await.unwrap();
        delivery.settle(Disposition::Ack).await;
        // The test may have heard enough.
        let _ = ask.send(kind);
    }
}

fn reply(to: &ReplyTo, kind: &str, value: Value, known: &mut Known) -> Outgoing {
    let Known { jobs, sweep } = known;
    let id: Option<JobId> = serde_json::from_value(value["job_id"].clone()).ok();
    let known = jobs.iter_mut().find(|job| Some(&job.job_id) == id.as_ref());
    let change = |state| match known {
        Some(job) => {
            job.state = state;
            Outgoing::reply(to, job)
        }
        None => Outgoing::reply(to, &Refused::new(Refusal::NotFound, "there is no such job")),
    };
    match kind {
        GetJob::KIND => match jobs.iter().find(|job| Some(&job.job_id) == id.as_ref()) {
            Some(job) => Outgoing::reply(to, job),
            None => Outgoing::reply(to, &Refused::new(Refusal::NotFound, "there is no such job")),
        },
        CancelJob::KIND => change(JobState::Cancelled),
        PauseJob::KIND => change(JobState::Paused),
        ResumeJob::KIND => change(JobState::Running),
        RedriveJob::KIND => match serde_json::from_value(value).unwrap() {
            RedriveJob { edits, .. } if edits.params.contains_key("bad") => {
                Outgoing::reply(to, &Refused::new(Refusal::Invalid, "params: unknown field `bad`"))
            }
            RedriveJob { dry_run: true, edits, job_id, .. } => {
                let before = jobs.iter().find(|job| job.job_id == job_id).cloned();
                let before = before.expect("the command knows the job");
                Outgoing::reply(to, &JobView { state: JobState::Queued, edits, ..before })
            }
            _ => change(JobState::Queued),
        },
        SubmitJob::KIND => submit(to, serde_json::from_value(value).unwrap(), jobs),
        ListJobs::KIND => {
            let ListJobs { states, failures, .. } = serde_json::from_value(value).unwrap();
            let fits = |job: &JobSummary| {
                (states.is_empty() || states.contains(&job.state))
                    && (failures.is_empty() || job.failure.is_some_and(|class| failures.contains(&class)))
            };
            let jobs = jobs.iter().map(summary).filter(fits).collect();
            Outgoing::reply(to, &JobList { jobs, more: false })
        }
        GetHistory::KIND => Outgoing::reply(to, &history(value["after"].as_u64().unwrap())),
        EstimateJob::KIND => Outgoing::reply(to, &golden::<EstimateReply>()),
        GetCost::KIND => {
            let asked: GetCost = serde_json::from_value(value).unwrap();
            let example: Cost = golden();
            // The month says that the question arrived as it was asked.
            let name = asked.until.map_or_else(|| "vision-team".into(), |month| month.to_string());
            let group = (asked.by != CostGroup::Class).then_some(name);
            let lines = example.lines.into_iter().map(|line| CostLine { group: group.clone(), ..line });
            Outgoing::reply(to, &Cost { lines: lines.collect(), ..example })
        }
        DrainWorker::KIND => Outgoing::reply(to, &golden::<WorkerView>()),
        ListWorkers::KIND => Outgoing::reply(to, &workers()),
        ListCheckpoints::KIND => Outgoing::reply(to, &golden::<CheckpointList>()),
        RemoveHistory::KIND => Outgoing::reply(to, &golden::<Removed>()),
        RemoveJob::KIND => {
            jobs.retain(|job| Some(&job.job_id) != id.as_ref());
            Outgoing::reply(to, &contract::lease::Done {})
        }
        kind if kind.starts_with("sweep.") => sweeps::reply(to, kind, &value, sweep),
        other => panic!("the command asked {other}"),
    }
}

fn submit(to: &ReplyTo, submission: SubmitJob, jobs: &mut Vec<JobView>) -> Outgoing {
    if submission.params.contains_key("bad") {
        return Outgoing::reply(to, &Refused::new(Refusal::Invalid, "params: unknown field `bad`"));
    }
    let job_id = submission.job_id.clone().expect("the command names its jobs");
    let view = JobView { submission, result: None, failure: None, ..job(job_id.as_str(), JobState::Queued) };
    jobs.push(view);
    Outgoing::reply(to, &contract::JobAccepted { job_id, duplicate: false, ..golden() })
}

fn summary(view: &JobView) -> JobSummary {
    let list: JobList = golden();
    let example = list.jobs.into_iter().next().unwrap();
    let failure = view.failure.as_ref().map(|failure| failure.class);
    JobSummary { job_id: view.job_id.clone(), state: view.state, failure, ..example }
}

/// The contract's example, and the trainers that `up` starts in these tests.
fn workers() -> WorkerList {
    let mut list: WorkerList = golden();
    for name in ["host", "host-dit"] {
        let worker = name.parse().unwrap();
        list.workers.push(WorkerView { worker, heard_at: Timestamp::now(), ..list.workers[0].clone() });
    }
    list
}

/// Three entries, in two pages.
fn history(after: u64) -> History {
    let page: History = golden();
    let event = page.entries[0].event.clone();
    let entry = |seq| HistoryEntry { seq, at: page.entries[0].at, event: event.clone() };
    match after {
        0 => History { entries: vec![entry(1), entry(2)], more: true },
        2 => History { entries: vec![entry(3)], more: false },
        _ => History { entries: Vec::new(), more: false },
    }
}
