//! The messages of one turn of the loop: what they say, what follows, and what becomes of them.

use broker::{Delivery, Disposition, Outgoing, ReplyTo};
use contract::{DecodeError, JobId, Refusal, Refused, SweepId, Timestamp, lease::ClaimAnswer};
use tracing::{Span, info, info_span, warn};

use super::{
    effects::{Effects, last_attempt},
    inbox::Received,
    mail::Mail,
    meters::Meters,
    queries::Query,
    request::{self, Said},
};
use crate::{
    core::{Answer, Core, Event, Reach},
    store::Changes,
};

pub(super) struct Batch {
    unread: Vec<(Delivery, Result<Said, DecodeError>)>,
    settled: Vec<(Delivery, Disposition)>,
    replies: Vec<Outgoing>,
    queries: Vec<(ReplyTo, Query)>,
    effects: Effects,
}

impl Batch {
    /// Reads every message.
    pub(super) fn read(received: Received) -> Self {
        let Received { events, requests, submissions } = received;
        let mut unread = Vec::with_capacity(events.len() + requests.len() + submissions.len());
        for (deliveries, read) in [
            (events, request::report as fn(&Delivery) -> Result<Said, DecodeError>),
            (requests, request::request),
            (submissions, request::submission),
        ] {
            unread.extend(deliveries.into_iter().map(|delivery| {
                let said = read(&delivery);
                (delivery, said)
            }));
        }
        Self {
            unread,
            settled: Vec::new(),
            replies: Vec::new(),
            queries: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// The jobs whose past the messages may need.
    pub(super) fn job_ids(&self) -> Vec<JobId> {
        let events = self.unread.iter().filter_map(|(_, said)| match said {
            Ok(Said::Event(event)) => Some(event),
            _ => None,
        });
        events.flat_map(|event| event.job_id().into_iter().chain(event.trials())).collect()
    }

    /// The sweeps whose past the messages may need.
    pub(super) fn sweep_ids(&self) -> Vec<SweepId> {
        let events = self.unread.iter().filter_map(|(_, said)| match said {
            Ok(Said::Event(event)) => Some(event),
            _ => None,
        });
        events.filter_map(Event::sweep_id).collect()
    }

    /// Lets the core take every message, in order.
    pub(super) fn step(&mut self, core: &mut Core, now: Timestamp, meters: &Meters) {
        for (delivery, said) in std::mem::take(&mut self.unread) {
            let disposition = match said {
                Ok(Said::Event(event)) => self.step_one(core, event, &delivery, now, meters),
                Ok(Said::Query(query)) => {
                    if let Some(reply_to) = delivery.reply_to.clone() {
                        self.queries.push((reply_to, query));
                    }
                    Disposition::Ack
                }
                Ok(Said::Nothing) => Disposition::Ack,
                Err(error) => self.refuse(&delivery, error),
            };
            self.settled.push((delivery, disposition));
        }
    }

    /// Tells the core that time has passed.
    pub(super) fn tick(&mut self, core: &mut Core, reach: Reach, now: Timestamp, meters: &Meters) {
        let commands = core.step(Event::Tick(reach), now);
        self.effects.take(commands, core, meters);
    }

    fn step_one(
        &mut self,
        core: &mut Core,
        mut event: Event,
        delivery: &Delivery,
        now: Timestamp,
        meters: &Meters,
    ) -> Disposition {
        let span = span(&event, core, delivery);
        let _entered = span.enter();
        let is_submission = matches!(event, Event::Submit(_) | Event::SubmitSweep(..));
        let is_question = matches!(event, Event::Get(_) | Event::GetSweep(_) | Event::Estimate(_));
        if let Event::Submit(submission) = &mut event
            && let Some(traceparent) = telemetry::traceparent()
        {
            submission.traceparent = Some(traceparent);
        }
        if let Event::SubmitSweep(_, sent_in) = &mut event
            && let Some(traceparent) = telemetry::traceparent()
        {
            *sent_in = Some(traceparent);
        }
        let commands = core.step(event, now);
        let Some(answer) = self.effects.take(commands, core, meters) else { return Disposition::Ack };
        match (&delivery.reply_to, answer) {
            (Some(reply_to), answer) => {
                if !is_question {
                    log_refusal(&answer);
                }
                self.replies.push(reply(reply_to, &answer));
                Disposition::Ack
            }
            // Nobody else would learn that the job was not taken.
            (None, Answer::Refused(refused)) if is_submission => {
                warn!(why = refused.message, "refused, and nobody waits for the answer");
                Disposition::Reject(refused.message)
            }
            (None, _) => Disposition::Ack,
        }
    }

    /// Turns away what cannot be read.
    fn refuse(&mut self, delivery: &Delivery, error: DecodeError) -> Disposition {
        let reason = format!("{:#}", anyhow::Error::from(error));
        warn!(reason, queue = delivery.routing_key, "a message cannot be read");
        if let Some(reply_to) = &delivery.reply_to {
            self.replies.push(Outgoing::reply(reply_to, &Refused::new(Refusal::Invalid, reason.clone())));
        }
        Disposition::Reject(reason)
    }

    /// The transaction that makes it all last.
    pub(super) fn changes(&mut self, core: &Core, mail: &mut Mail) -> Changes {
        std::mem::take(&mut self.effects).into_changes(core, mail)
    }

    pub(super) fn take_replies(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.replies)
    }

    pub(super) fn take_queries(&mut self) -> Vec<(ReplyTo, Query)> {
        std::mem::take(&mut self.queries)
    }

    /// The messages, each with what becomes of it.
    pub(super) fn into_settled(self) -> Vec<(Delivery, Disposition)> {
        self.settled
    }
}

/// The span of a step that changes a job's course, as part of the sender's trace.
fn span(event: &Event, core: &Core, delivery: &Delivery) -> Span {
    let span = match event {
        Event::Submit(submission) => {
            let job_id = submission.job_id();
            let attempt = job_id.as_ref().map_or(0, |job_id| last_attempt(core, job_id));
            info_span!("submit", job.id = job_id.map(tracing::field::display), job.attempt = attempt)
        }
        Event::SubmitSweep(sweep, _) => info_span!("submit sweep", sweep.id = %sweep.sweep_id),
        Event::CancelSweep(sweep_id) => info_span!("cancel sweep", sweep.id = %sweep_id),
        Event::ResumeSweep(resume) => info_span!("resume sweep", sweep.id = %resume.sweep_id),
        Event::Drain(drain) => info_span!("drain", worker.id = %drain.worker),
        Event::Claim(claim) => {
            info_span!("claim", job.id = %claim.job_id, job.attempt = claim.attempt, worker.id = %claim.worker)
        }
        Event::Ended(ended) => info_span!("ended", job.id = %ended.job_id, job.attempt = ended.attempt),
        Event::Cancel(job_id) => {
            info_span!("cancel", job.id = %job_id, job.attempt = last_attempt(core, job_id))
        }
        Event::Pause(job_id) => {
            info_span!("pause", job.id = %job_id, job.attempt = last_attempt(core, job_id))
        }
        Event::Resume(job_id) => {
            info_span!("resume", job.id = %job_id, job.attempt = last_attempt(core, job_id))
        }
        Event::Redrive(redrive) => {
            let attempt = last_attempt(core, &redrive.job_id);
            info_span!("redrive", job.id = %redrive.job_id, job.attempt = attempt)
        }
        Event::Remove(job_id) => {
            info_span!("remove", job.id = %job_id, job.attempt = last_attempt(core, job_id))
        }
        _ => return Span::none(),
    };
    if let Some(traceparent) = &delivery.traceparent {
        telemetry::set_parent(&span, traceparent);
    }
    span
}

fn log_refusal(answer: &Answer) {
    match answer {
        Answer::Refused(refused) => info!(reason = refused.reason.as_str(), why = refused.message, "refused"),
        Answer::Claim(answer) => {
            if let ClaimAnswer::Refused { why, .. } = &**answer {
                info!(why, "refused");
            }
        }
        _ => {}
    }
}

fn reply(to: &ReplyTo, answer: &Answer) -> Outgoing {
    match answer {
        Answer::Accepted(accepted) => Outgoing::reply(to, &**accepted),
        Answer::Refused(refused) => Outgoing::reply(to, refused),
        Answer::Estimate(estimate) => {
            let estimate = (**estimate).clone();
            Outgoing::reply(to, &contract::control::EstimateReply { estimate })
        }
        Answer::Job(view) => Outgoing::reply(to, &**view),
        Answer::Welcome(welcome) => Outgoing::reply(to, welcome),
        Answer::Done => Outgoing::reply(to, &contract::lease::Done {}),
        Answer::Claim(answer) => Outgoing::reply(to, &**answer),
        Answer::Heartbeat(answer) => Outgoing::reply(to, answer),
        Answer::Workers(list) => Outgoing::reply(to, list),
        Answer::Owners(list) => Outgoing::reply(to, list),
        Answer::Worker(view) => Outgoing::reply(to, &**view),
        Answer::Sweep(view) => Outgoing::reply(to, &**view),
    }
}
