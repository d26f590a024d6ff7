//! Why a job waits, for how long, and behind whom.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use contract::{
    JobId, Timestamp,
    control::{JobView, Start, StartKind, WaitReason, Waiting},
};

use super::{
    Core,
    desk::Desk,
    foresight::predicted_finish,
    index::{Queue, queue},
    job::{Job, Phase},
    limits::Limit,
    lines::Place,
    view,
};

/// Turns that are played through to foretell one; a start behind more of them is not foretold.
const MOST_TURNS: u32 = 10_000;

/// The attempts that have to make room.
enum Before<'a> {
    Workload,
    Owner,
    Queue(&'a Queue),
}

impl Core {
    /// A job for people, with what it waits for.
    pub(super) fn shown(&self, job: &Job) -> JobView {
        let waiting = waiting(job, &self.desk, &self.jobs);
        // Until when it backs off is told beside it.
        let told = waiting.as_ref().filter(|waiting| waiting.reason != WaitReason::Backoff);
        JobView {
            waiting_for: told.map(|waiting| waiting.detail.clone()),
            waiting,
            ..view::job(job, &self.desk)
        }
    }
}

/// Why a job waits, if it does. This looks at the attempts that run and at the first 1000 of the job's line, not at all jobs.
pub(super) fn waiting(job: &Job, desk: &Desk, jobs: &HashMap<JobId, Job>) -> Option<Waiting> {
    let waiting =
        |reason, detail: String, starts| Waiting { reason, detail, position: None, ahead: None, starts };
    match &job.phase {
        Phase::Queued if desk.index.parked.contains(&job.id) => {
            Some(waiting(WaitReason::Money, desk.waits_for(job), None))
        }
        Phase::Queued => Some(queued(job, desk, jobs)),
        Phase::Offered { .. } => {
            let queue = queue(job);
            let starts = (!desk.is_idle(&queue))
                .then(|| Finishes::of(job, &Before::Queue(&queue), desk, jobs)?.first())
                .flatten();
            let starts = starts.map(|at| Start { at, kind: StartKind::NotBefore });
            Some(waiting(WaitReason::Claim, format!("a worker that offers {}", job.placement), starts))
        }
        Phase::BackingOff { due, .. } => {
            let failure = job.attempts.last().and_then(|attempt| attempt.failure.as_ref());
            let detail = match failure {
                Some(failure) => format!("its next attempt, after {}", failure.class),
                None => "its next attempt".into(),
            };
            let starts = Some(Start { at: *due, kind: StartKind::NotBefore });
            Some(waiting(WaitReason::Backoff, detail, starts))
        }
        Phase::Paused { .. } => Some(waiting(WaitReason::Paused, "somebody to resume it".into(), None)),
        Phase::Running(_) | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => None,
    }
}

fn queued(job: &Job, desk: &Desk, jobs: &HashMap<JobId, Job>) -> Waiting {
    let choice = desk.choose(job);
    let place = desk.place_in_line(job);
    let queue = Queue { workload: job.submission.workload.clone(), placement: choice.placement.clone() };
    let (reason, detail, before) = match desk.limit(job) {
        _ if !choice.offered => (WaitReason::NoWorker, job.terms.unoffered(job.outgrown_mib), None),
        Some(limit @ Limit::Workload { .. }) => {
            (WaitReason::WorkloadLimit, limit.to_string(), Some(Before::Workload))
        }
        Some(limit @ Limit::Owner { .. }) => (WaitReason::OwnerLimit, limit.to_string(), Some(Before::Owner)),
        None => {
            let detail = format!("workers that offer {} have enough to do", choice.placement);
            (WaitReason::Slots, detail, Some(Before::Queue(&queue)))
        }
    };
    let turns = match before {
        Some(Before::Queue(queue)) => desk.index.offers(queue),
        _ => 0,
    };
    let turns = turns.saturating_add(place.map_or(0, |place| place.ahead));
    let finishes = before.and_then(|before| Finishes::of(job, &before, desk, jobs));
    let at = finishes.and_then(|finishes| finishes.after(turns));
    Waiting {
        reason,
        detail,
        position: place.map(|place| place.position),
        ahead: place.map(|place| place.ahead),
        starts: at.map(|at| Start { at, kind: StartKind::About }),
    }
}

impl Desk {
    /// A waiting job's place among those that workers could take; none where it does not stand in line.
    fn place_in_line(&self, job: &Job) -> Option<Place> {
        let workload = &job.submission.workload;
        self.index.lines.of(workload)?.place(
            job,
            |places| {
                places.iter().any(|place| 0 < self.workers.slots(&super::desk::queue_of(workload, place)))
            },
            |line| self.claimant(workload, line),
        )
    }
}

/// When the attempts will be over that have to make room, and how long one takes.
struct Finishes {
    at: BinaryHeap<Reverse<Timestamp>>,
    mean: Duration,
}

impl Finishes {
    /// `None` unless it is known of every one of them.
    fn of(job: &Job, before: &Before<'_>, desk: &Desk, jobs: &HashMap<JobId, Job>) -> Option<Self> {
        let makes_room = |other: &&Job| match before {
            Before::Workload => other.submission.workload == job.submission.workload,
            Before::Owner => other.submission.owner == job.submission.owner,
            Before::Queue(place) => queue(other) == **place,
        };
        let held = desk.workers.all().flat_map(|worker| desk.index.held_by(&worker.hello.worker));
        let running = held.filter_map(|id| jobs.get(id)).filter(makes_room);
        let (mut at, mut whole) = (BinaryHeap::new(), Duration::ZERO);
        for other in running {
            let Phase::Running(lease) = &other.phase else { continue };
            let finish = predicted_finish(other)?.min(lease.limit_at()).max(desk.now);
            whole = whole.saturating_add(finish.since(lease.granted_at));
            at.push(Reverse(finish));
        }
        let mean = whole.checked_div(u32::try_from(at.len()).ok()?)?;
        Some(Self { at, mean })
    }

    /// When the first of them makes room.
    fn first(&self) -> Option<Timestamp> {
        self.at.peek().map(|first| first.0)
    }

    /// When there is room after so many others have begun, each of which takes as long as those that run.
    fn after(mut self, turns: u32) -> Option<Timestamp> {
        if MOST_TURNS < turns {
            return None;
        }
        for _ in 0..turns {
            let Reverse(at) = self.at.pop()?;
            self.at.push(Reverse(at.plus(self.mean)));
        }
        self.first()
    }
}
