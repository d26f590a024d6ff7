//! The broker between the scheduler and everyone else: it is slow at times, says things twice or in another order,
//! is cut off from some of them, and dies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use contract::{JobId, SweepId, Timestamp};

use crate::core::Event;

/// Who has a line to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Scheduler,
    Client,
    /// A worker's process.
    Process(usize),
}

/// The queues that the scheduler takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Inbox {
    Reports,
    Requests,
    Submissions,
}

impl Inbox {
    /// In the order in which the scheduler takes them.
    pub(super) const ALL: [Self; 3] = [Self::Reports, Self::Requests, Self::Submissions];

    /// Whether a message survives the broker's death.
    pub(super) fn is_durable(self) -> bool {
        self != Self::Requests
    }
}

/// Who waits for an answer, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    Nobody,
    Client(JobId),
    /// Who submits, cancels, resumes or shows a sweep.
    Sweep(SweepId),
    Hello {
        process: usize,
    },
    Goodbye {
        process: usize,
    },
    Claim {
        process: usize,
        job_id: JobId,
        attempt: u32,
        asked_at: Timestamp,
    },
    Heartbeat {
        process: usize,
        runs: Vec<(JobId, u32)>,
    },
}

impl Asker {
    pub(super) fn line(&self) -> Line {
        match self {
            Self::Nobody | Self::Client(_) | Self::Sweep(_) => Line::Client,
            Self::Hello { process }
            | Self::Goodbye { process }
            | Self::Claim { process, .. }
            | Self::Heartbeat { process, .. } => Line::Process(*process),
        }
    }
}

/// A message for the scheduler.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) event: Event,
    pub(super) asker: Asker,
    pub(super) sent_at: Timestamp,
    /// When its sender no longer waits for an answer, and the broker drops it.
    pub(super) expires_at: Option<Timestamp>,
}

/// An offer in the queue of its machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfferMessage {
    pub(super) queue: String,
    pub(super) job_id: JobId,
    pub(super) attempt: u32,
    pub(super) redelivered: bool,
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) inboxes: BTreeMap<Inbox, VecDeque<Message>>,
    pub(super) offers: BTreeMap<String, VecDeque<OfferMessage>>,
    is_down: bool,
    cut: BTreeSet<Line>,
    /// Messages that are not durable belong to one life of the broker.
    pub(super) life: u32,
}

impl Broker {
    /// Whether `line` can send and receive.
    pub(super) fn reaches(&self, line: Line) -> bool {
        !self.is_down && !self.cut.contains(&line)
    }

    pub(super) fn is_up(&self) -> bool {
        !self.is_down
    }

    pub(super) fn cut(&mut self, line: Line) {
        self.cut.insert(line);
    }

    pub(super) fn mend(&mut self, line: Line) {
        self.cut.remove(&line);
    }

    /// Ends this life: what is durable stays.
    pub(super) fn die(&mut self) {
        self.is_down = true;
        self.life += 1;
        self.inboxes.retain(|inbox, _| inbox.is_durable());
    }

    pub(super) fn come_back(&mut self) {
        self.is_down = false;
    }

    /// Messages in all queues.
    pub(super) fn depth(&self) -> usize {
        let inboxes: usize = self.inboxes.values().map(VecDeque::len).sum();
        inboxes + self.offers.values().map(VecDeque::len).sum::<usize>()
    }

    /// Takes the first messages of a queue that are still of use.
    pub(super) fn take(&mut self, inbox: Inbox, most: usize, now: Timestamp) -> Vec<Message> {
        let queue = self.inboxes.entry(inbox).or_default();
        queue.retain(|message| message.expires_at.is_none_or(|at| now < at));
        queue.drain(..most.min(queue.len())).collect()
    }

    /// Puts messages back that were taken and not acknowledged.
    pub(super) fn give_back(&mut self, inbox: Inbox, messages: Vec<Message>) {
        let queue = self.inboxes.entry(inbox).or_default();
        messages.into_iter().rev().for_each(|message| queue.push_front(message));
    }

    /// Puts an offer back that its taker did not acknowledge.
    pub(super) fn requeue(&mut self, offer: OfferMessage) {
        let queue = self.offers.entry(offer.queue.clone()).or_default();
        queue.push_front(OfferMessage { redelivered: true, ..offer });
    }
}
