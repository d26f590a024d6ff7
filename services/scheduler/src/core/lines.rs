//! Those who wait for their turn. Jobs of one owner and priority stand in line, oldest first. Within a line, those that
//! may run on the same machines stand in one lane, so that a job nobody can run does not stand in the way of the others.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use contract::{JobId, Seconds, Timestamp, Workload};
use policy::{Placement, placements};

use super::job::Job;

/// The highest priority there is, and the highest that waiting leads to.
const HIGHEST: u8 = 9;
/// A turn that was waited for as long as it takes to rise by so many priorities comes before all that were not.
const OVERDUE: u64 = 10;
/// Jobs that are counted one by one to find a place.
const MOST_COUNTED: usize = 999;
/// Parts of a job that shares are counted in, so that weights divide them.
const PARTS: u64 = 1_000_000;

/// Every job that waits, by workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lines {
    workloads: BTreeMap<Workload, Lanes>,
    jobs: usize,
}

/// The jobs of one workload that wait.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<Vec<Placement>, Lane>,
    lines: BTreeMap<Line, Standing>,
}

/// Jobs that may run on the same machines: the part of each line that does.
pub(super) type Lane = BTreeMap<Line, Part>;

/// The jobs of a line that stand in one lane, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    turns: BTreeSet<Turn>,
    /// When it last had a turn. This is forgotten when the scheduler starts again: then it has waited since its first job
    /// does, and one turn makes up for it.
    served_at: Timestamp,
}

/// Whose line it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) owner: String,
    pub(super) priority: u8,
}

/// What is known of a line as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Standing {
    jobs: usize,
    /// When it last had a turn, in any lane; forgotten as well.
    served_at: Timestamp,
}

/// A job's place in its line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    submitted_at: Timestamp,
    arrival: u64,
    pub(super) job_id: JobId,
    /// Since when it waits.
    waits_since: Timestamp,
}

/// Which of two turns comes first: the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency<'a> {
    /// How long it was waited for, in milliseconds, if that is very long.
    overdue: u64,
    /// The line's priority, and one more for each `priority_worth` that the lane has waited for a turn, at most 9.
    priority: u8,
    /// What its owner has of this workload already, for the owner's weight.
    share: Reverse<u64>,
    /// How long the line has waited for a turn, in milliseconds, times the owner's weight.
    waited: u64,
    pub(super) turn: Reverse<&'a Turn>,
}

/// What a line's urgency depends on besides the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimant {
    pub(super) now: Timestamp,
    pub(super) priority_worth: Seconds,
    /// Jobs of the owner and workload that are offered or run.
    pub(super) busy: u32,
    /// The owner's weight.
    pub(super) weight: u32,
}

impl Lines {
    pub(super) fn insert(&mut self, job: &Job) {
        let waiting = self.workloads.entry(job.submission.workload.clone()).or_default();
        let (line, lane) = (Line::of(job), waiting.lanes.entry(places(job)).or_default());
        waiting.lines.entry(line.clone()).or_default().jobs += 1;
        lane.entry(line).or_default().turns.insert(turn(job));
        self.jobs += 1;
    }

    pub(super) fn remove(&mut self, job: &Job) {
        let Some(waiting) = self.workloads.get_mut(&job.submission.workload) else { return };
        waiting.remove(job);
        self.jobs -= 1;
        if waiting.lanes.is_empty() {
            self.workloads.remove(&job.submission.workload);
        }
    }

    /// Notes that a job's line has its turn.
    pub(super) fn serve(&mut self, job: &Job, now: Timestamp) {
        let Some(waiting) = self.workloads.get_mut(&job.submission.workload) else { return };
        let line = Line::of(job);
        if let Some(standing) = waiting.lines.get_mut(&line) {
            standing.served_at = now;
        }
        if let Some(part) = waiting.lanes.get_mut(&places(job)).and_then(|lane| lane.get_mut(&line)) {
            part.served_at = now;
        }
    }

    /// The workloads of which jobs wait.
    pub(super) fn workloads(&self) -> Vec<Workload> {
        self.workloads.keys().cloned().collect()
    }

    pub(super) fn of(&self, workload: &Workload) -> Option<&Lanes> {
        self.workloads.get(workload)
    }

    /// How many jobs wait.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    /// The same without what is forgotten when the scheduler starts again.
    #[cfg(test)]
    pub(super) fn plain(mut self) -> Self {
        for waiting in self.workloads.values_mut() {
            waiting.lines.values_mut().for_each(|standing| standing.served_at = Timestamp::default());
            let parts = waiting.lanes.values_mut().flat_map(BTreeMap::values_mut);
            parts.for_each(|part| part.served_at = Timestamp::default());
        }
        self
    }
}

impl Lanes {
    fn remove(&mut self, job: &Job) {
        let (line, places) = (Line::of(job), places(job));
        if let Some(lane) = self.lanes.get_mut(&places) {
            if let Some(part) = lane.get_mut(&line) {
                part.turns.remove(&turn(job));
                if part.turns.is_empty() {
                    lane.remove(&line);
                }
            }
            if lane.is_empty() {
                self.lanes.remove(&places);
            }
        }
        if let Some(standing) = self.lines.get_mut(&line) {
            standing.jobs -= 1;
            if standing.jobs == 0 {
                self.lines.remove(&line);
            }
        }
    }

    /// Every lane, with the machines that its jobs may run on.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (&[Placement], &Lane)> {
        self.lanes.iter().map(|(places, lane)| (places.as_slice(), lane))
    }

    /// How urgent the first job of a line's part is.
    pub(super) fn urgency<'a>(&self, line: &Line, part: &'a Part, claimant: Claimant) -> Option<Urgency<'a>> {
        let first = part.turns.first()?;
        let since =
            |served_at: Timestamp| claimant.now.since(first.waits_since.max(served_at)).as_millis() as u64;
        let waited = since(part.served_at);
        let worth = claimant.priority_worth.to_duration().as_millis().max(1) as u64;
        let risen = u8::try_from(waited / worth).unwrap_or(HIGHEST);
        let line_served_at = self.lines.get(line).map_or(part.served_at, |standing| standing.served_at);
        Some(Urgency {
            overdue: if OVERDUE * worth <= waited { waited } else { 0 },
            priority: line.priority.saturating_add(risen).min(HIGHEST),
            share: Reverse(u64::from(claimant.busy) * PARTS / u64::from(claimant.weight)),
            waited: since(line_served_at).saturating_mul(claimant.weight.into()),
            turn: Reverse(first),
        })
    }
}

/// Where a job stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In its own part of its line, from 1.
    pub(super) position: u32,
    /// How many have their turn before it.
    pub(super) ahead: u32,
}

impl Lanes {
    /// Where a job stands: with those before it in its line, all of lanes that are more urgent, and as many of equal ones as
    /// have turns until then. Lanes that nobody `serves` are left out.
    pub(super) fn place(
        &self,
        job: &Job,
        serves: impl Fn(&[Placement]) -> bool,
        claimant: impl Fn(&Line) -> Claimant,
    ) -> Option<Place> {
        let (own_line, own_places, own_turn) = (Line::of(job), places(job), turn(job));
        let own_part = self.lanes.get(&own_places).and_then(|lane| lane.get(&own_line));
        let own_claimant = claimant(&own_line);
        let urgency = own_part.and_then(|part| self.urgency(&own_line, part, own_claimant));
        let (part, own) = (own_part?, urgency?);
        if !part.turns.contains(&own_turn) {
            return None;
        }
        let position = part.place_of(&own_turn) + 1;
        let mut ahead = position - 1;
        let lanes = self.lanes.iter().filter(|(places, _)| serves(places));
        let parts =
            lanes.flat_map(|(places, lane)| lane.iter().map(move |(line, part)| (places, line, part)));
        for (_, line, part) in parts.filter(|(places, line, _)| (*places, *line) != (&own_places, &own_line))
        {
            let other = claimant(line);
            let Some(urgency) = self.urgency(line, part, other) else { continue };
            let jobs = u32::try_from(part.turns.len()).unwrap_or(u32::MAX);
            let rank = |urgency: &Urgency<'_>| (urgency.overdue, urgency.priority);
            ahead = ahead.saturating_add(match rank(&urgency).cmp(&rank(&own)) {
                Ordering::Less => 0,
                Ordering::Greater => jobs,
                Ordering::Equal if *line == own_line => part.place_of(&own_turn),
                Ordering::Equal => {
                    let its_first = u32::from(own < urgency);
                    let rounds = (position - 1).saturating_mul(other.weight) / own_claimant.weight;
                    jobs.min(rounds.saturating_add(its_first))
                }
            });
        }
        Some(Place { position, ahead })
    }
}

impl Part {
    /// How many of its jobs come before a turn, 999 at most.
    fn place_of(&self, turn: &Turn) -> u32 {
        let before = self.turns.range(..turn).take(MOST_COUNTED).count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }
}

impl Line {
    pub(super) fn of(job: &Job) -> Self {
        Self { owner: job.submission.owner.clone(), priority: job.submission.priority }
    }
}

fn places(job: &Job) -> Vec<Placement> {
    placements(&job.terms, job.outgrown_mib)
}

fn turn(job: &Job) -> Turn {
    Turn {
        submitted_at: job.submitted_at,
        arrival: job.arrival,
        job_id: job.id.clone(),
        waits_since: job.since,
    }
}
