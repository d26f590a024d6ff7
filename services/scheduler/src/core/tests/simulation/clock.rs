//! Time that only passes from one happening to the next.

use std::{collections::BTreeMap, time::Duration};

use contract::Timestamp;

/// What is to happen, in order of time; what is to happen at the same moment, in the order in which it was planned.
pub(super) struct Agenda<T> {
    now: Timestamp,
    planned: u64,
    by_time: BTreeMap<(Timestamp, u64), T>,
}

impl<T> Agenda<T> {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, planned: 0, by_time: BTreeMap::new() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Plans something for a moment; what would be in the past happens at once.
    pub(super) fn at(&mut self, at: Timestamp, what: T) {
        self.planned += 1;
        self.by_time.insert((at.max(self.now), self.planned), what);
    }

    pub(super) fn after(&mut self, delay: Duration, what: T) {
        self.at(self.now.plus(delay), what);
    }

    /// Turns the clock to the next happening.
    pub(super) fn next(&mut self) -> Option<T> {
        let ((at, _), what) = self.by_time.pop_first()?;
        self.now = at;
        Some(what)
    }
}
