//! From the core's commands to one transaction.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use broker::Outgoing;
use contract::{
    JobId, SweepId, Timestamp, WorkerId,
    events::Event,
    lease::OfferAttempt,
    names::{DEAD_EXCHANGE, WORK_EXCHANGE, work_queue},
};
use serde_json::json;
use tracing::{info, info_span, warn};

use super::{mail::Mail, meters::Meters};
use crate::{
    core::{Answer, Command, Core, JobEvent, Offer},
    store::{Changes, Entry, JobRow, SweepRow},
};

/// A larger event is kept as a note that there was one, because a page of history has to fit into one message.
const LARGEST_ENTRY: usize = 32 * 1024;

/// What a batch comes to. A job that changes several times is written once.
#[derive(Default)]
pub(super) struct Effects {
    /// In the order of their first change, which for new jobs is that of their submission.
    jobs: Vec<JobId>,
    removed: BTreeMap<JobId, JobRow>,
    sweeps: BTreeSet<SweepId>,
    workers: BTreeSet<WorkerId>,
    history: Vec<Entry>,
    outgoing: Vec<(Outgoing, Timestamp)>,
}

impl Effects {
    /// Takes the commands of one step of the core; returns the answer among them.
    pub(super) fn take(&mut self, commands: Vec<Command>, core: &Core, meters: &Meters) -> Option<Answer> {
        let mut answered = None;
        for command in commands {
            match command {
                Command::SaveJob(job_id) => {
                    self.jobs.push(job_id);
                }
                Command::RemoveJob(job) => {
                    info!(parent: None, job.id = %job.id, "removed");
                    // What happened to it earlier in this batch goes with it, but for its bill.
                    self.jobs.retain(|id| *id != job.id);
                    self.history.retain(|entry| entry.job_id != job.id);
                    self.removed.insert(job.id.clone(), JobRow::from(&*job));
                }
                Command::SaveSweep(id) => {
                    self.sweeps.insert(id);
                }
                Command::SaveWorker(id) | Command::ForgetWorker(id) => {
                    self.workers.insert(id);
                }
                Command::Offer(offer) => self.offer(offer),
                Command::Tell(event) => {
                    meters.count(&event);
                    log(&event, core);
                    self.tell(&event);
                }
                Command::Record { job_id, at, event } => self.record(job_id, at, event),
                Command::Bury(letter) => {
                    let key = format!("job.{}", letter.job.job_id);
                    self.outgoing.push((Outgoing::new(DEAD_EXCHANGE, key, &*letter), Timestamp::default()));
                }
                Command::Answer(answer) => answered = Some(answer),
            }
        }
        answered
    }

    /// The transaction, with jobs and workers as they are by now.
    pub(super) fn into_changes(self, core: &Core, mail: &mut Mail) -> Changes {
        let mut seen = HashSet::new();
        let changed = self.jobs.iter().filter(|id| seen.insert(*id)).filter_map(|id| core.job(id));
        let mut changes = Changes {
            jobs: changed.map(JobRow::from).chain(self.removed.values().cloned()).collect(),
            history: self.history,
            removed: self.removed.keys().cloned().collect(),
            sweeps: self.sweeps.iter().filter_map(|id| core.sweep(id)).map(SweepRow::from).collect(),
            ..Changes::default()
        };
        changes.letters.extend(self.outgoing.into_iter().map(|(outgoing, due)| mail.letter(outgoing, due)));
        for id in self.workers {
            match core.worker(&id) {
                Some(worker) => {
                    let body = serde_json::to_string(worker).expect("a worker has string keys only");
                    changes.workers.push((id, body));
                }
                None => changes.forgotten.push(id),
            }
        }
        changes
    }

    fn offer(&mut self, offer: Offer) {
        let Offer { job_id, attempt, workload, placement, due, traceparent } = offer;
        let queue = work_queue(&workload, &placement.gpu, placement.tier);
        let span = info_span!(parent: None, "offer", job.id = %job_id, job.attempt = attempt, queue);
        if let Some(traceparent) = &traceparent {
            telemetry::set_parent(&span, traceparent);
        }
        info!(parent: None, job.id = %job_id, job.attempt = attempt, queue, "offered");
        // Whatever becomes of the attempt hangs on its offer, which is told even when the trainer is killed.
        let traceparent = span.in_scope(telemetry::traceparent).or(traceparent);
        let message_id = Some(format!("{job_id}.{attempt}"));
        let offer = Outgoing::new(WORK_EXCHANGE, queue, &OfferAttempt { job_id, attempt });
        self.outgoing.push((Outgoing { message_id, traceparent, ..offer }, due));
    }

    fn tell(&mut self, event: &JobEvent) {
        match event {
            JobEvent::Queued(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Leased(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Retrying(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Warned(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Paused(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Resumed(event) => self.publish(&event.job_id, event.at, event),
            JobEvent::Ended(event) => self.publish(&event.job_id, event.at, &**event),
        }
    }

    fn publish<E: Event>(&mut self, job_id: &JobId, at: Timestamp, event: &E) {
        let outgoing = Outgoing::event(event);
        self.record(job_id.clone(), at, outgoing.body.clone());
        self.outgoing.push((outgoing, Timestamp::default()));
    }

    fn record(&mut self, job_id: JobId, at: Timestamp, event: Vec<u8>) {
        let bytes = event.len();
        let event = match String::from_utf8(event) {
            Ok(event) if bytes <= LARGEST_ENTRY => event,
            whole => {
                let kind = contract::kind_of(whole.unwrap_or_default().as_bytes()).unwrap_or_default();
                json!({ "kind": kind, "version": 1, "job_id": job_id, "omitted_bytes": bytes }).to_string()
            }
        };
        self.history.push(Entry { job_id, at, event });
    }
}

/// The number of a job's last attempt; 0 before the first.
pub(super) fn last_attempt(core: &Core, job_id: &JobId) -> u32 {
    core.job(job_id).map_or(0, |job| job.granted)
}

/// One line an event, complete by itself: the message that is being handled may be about another job.
fn log(event: &JobEvent, core: &Core) {
    match event {
        JobEvent::Queued(event) => {
            let attempt = last_attempt(core, &event.job_id);
            info!(
                parent: None, job.id = %event.job_id, job.attempt = attempt, workload = %event.workload,
                owner = event.owner, "accepted"
            );
        }
        JobEvent::Leased(event) => {
            info!(
                parent: None, job.id = %event.job_id, job.attempt = event.attempt, worker.id = %event.worker, gpu = %event.gpu,
                tier = %event.tier, "granted"
            );
        }
        JobEvent::Retrying(event) => {
            warn!(
                parent: None, job.id = %event.job_id, job.attempt = event.attempt, failure = %event.failure,
                delay = %event.delay, "the attempt failed; another one follows"
            );
        }
        JobEvent::Warned(event) => {
            warn!(
                parent: None, job.id = %event.job_id, job.attempt = event.attempt, warning = event.warning,
                "the job's owner is warned"
            );
        }
        JobEvent::Paused(event) => {
            info!(parent: None, job.id = %event.job_id, job.attempt = event.attempt, "paused");
        }
        JobEvent::Resumed(event) => {
            info!(parent: None, job.id = %event.job_id, job.attempt = event.attempt, "resumed");
        }
        JobEvent::Ended(event) => {
            let state = event.state.as_str();
            // A hundredth of a cent is as much as a reader wants to know.
            let usd = (event.usd * 1e4).round() / 1e4;
            match &event.failure {
                Some(failure) => {
                    warn!(
                        parent: None, job.id = %event.job_id, job.attempt = event.attempts, state, usd,
                        %failure, "ended"
                    );
                }
                None => {
                    info!(
                        parent: None, job.id = %event.job_id, job.attempt = event.attempts, state, usd,
                        "ended"
                    );
                }
            }
        }
    }
}
