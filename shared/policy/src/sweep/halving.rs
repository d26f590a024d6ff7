//! Asynchronous successive halving (Li et al., arXiv 1810.05934) in its stopping form: a trial that reaches a rung is
//! compared with those that have been there, and goes on or stops at once; nobody waits for anybody.

use contract::sweep::{Direction, EarlyStop};

/// Whether a trial goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race {
    /// It is among the best, or too few have come so far to tell.
    GoOn,
    /// Others do better.
    Stop,
}

/// Whether `value` is better than `other`.
pub fn is_better(direction: Direction, value: f64, other: f64) -> bool {
    match direction {
        Direction::Maximize => other < value,
        Direction::Minimize => value < other,
    }
}

/// How many rungs a trial has reached that has used up so much: they stand at `first`, `first × factor`, and so on.
pub fn rungs_reached(early_stop: &EarlyStop, used: u64) -> u32 {
    let mut rung = early_stop.first.max(1);
    let mut reached = 0;
    while rung <= used {
        reached += 1;
        match rung.checked_mul(u64::from(early_stop.factor.max(2))) {
            Some(next) => rung = next,
            None => break,
        }
    }
    reached
}

/// Decides on a trial that has reached a rung with `value`, after others had reached it with `before`. One of `factor`
/// goes on, ties with it; the first `factor - 1` go on in any case.
pub fn race(before: &[f64], value: f64, factor: u32, direction: Direction) -> Race {
    let factor = factor.max(2) as usize;
    let most = (before.len() + 1) / factor;
    let ahead = before.iter().filter(|other| is_better(direction, **other, value)).count();
    if most == 0 || ahead < most { Race::GoOn } else { Race::Stop }
}
