//! Judges whether a run has to stop, or has to be given up: its deadline, its grace time, and whether it hangs.

use std::time::Duration;

use contract::{Failure, Seconds, StopCause, events::AttemptEnd, lease::Grant};
use tokio::time::Instant;

use crate::{outcome, stop_request::StopRequest};

/// A run is looked at this often at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look that is this late means that the whole process stood still, which is not the run's fault.
const STOOD_STILL: Duration = Duration::from_secs(5);

/// Watches one run. It reads no clock: the time is given to it.
#[derive(Debug)]
pub(crate) struct Overseer {
    granted_at: Instant,
    run_until: Instant,
    run_limit_cause: StopCause,
    grace: Duration,
    hang_limit: Duration,
    looked_at: Instant,
    awake_since: Instant,
    in_our_hands_until: Instant,
}

/// What can be seen of a run from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    /// Steps finished.
    pub(crate) step: u64,
    /// How long it may run since its grant, and what reaching that means, if the scheduler has said so anew.
    pub(crate) moved_limit: Option<(Duration, StopCause)>,
    /// When the trainer last told of itself.
    pub(crate) reported_at: Instant,
    /// Whether its thread waits for something of ours, such as a commit.
    pub(crate) in_our_hands: bool,
    /// Whether it has been asked to stop.
    pub(crate) stop: Option<StopRequest>,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Look {
    /// All is well; look again then.
    Well(Instant),
    /// The run must be asked to stop.
    Stop(StopCause),
    /// The run will not end by itself: report this end for it.
    GiveUp(AttemptEnd),
}

impl Overseer {
    /// Watches the run of `grant`, granted at `now`.
    pub(crate) fn new(grant: &Grant, now: Instant) -> Self {
        Self {
            granted_at: now,
            run_until: plus(now, grant.run_limit.to_duration()),
            run_limit_cause: grant.run_limit_cause,
            grace: grant.grace.to_duration(),
            hang_limit: grant.hang_limit.to_duration(),
            looked_at: now,
            awake_since: now,
            in_our_hands_until: now,
        }
    }

    /// Looks at the run.
    pub(crate) fn look(&mut self, now: Instant, signs: Signs) -> Look {
        if LOOK_EVERY + STOOD_STILL < now - self.looked_at {
            self.awake_since = now;
        }
        self.looked_at = now;
        if signs.in_our_hands {
            self.in_our_hands_until = now;
        }

        if let Some((limit, cause)) = signs.moved_limit {
            self.run_until = plus(self.granted_at, limit);
            self.run_limit_cause = cause;
        }

        let hung_at = self.hung_at(signs);
        if hung_at <= now {
            return Look::GiveUp(AttemptEnd::Failed(self.hung(signs)));
        }
        match signs.stop {
            None if self.run_until <= now => Look::Stop(self.run_limit_cause),
            None => Look::Well(self.run_until.min(hung_at).min(now + LOOK_EVERY)),
            Some(stop) => {
                let gone_by = plus(stop.since.max(self.awake_since), self.grace);
                if gone_by <= now {
                    let grace = Seconds::from(self.grace);
                    let detail = format!("it did not stop within its grace time of {grace}");
                    return Look::GiveUp(outcome::stopped(stop.cause, Some(&detail)));
                }
                Look::Well(gone_by.min(hung_at).min(now + LOOK_EVERY))
            }
        }
    }

    fn hung_at(&self, signs: Signs) -> Instant {
        let alive_at = signs.reported_at.max(self.awake_since).max(self.in_our_hands_until);
        plus(alive_at, self.hang_limit)
    }

    fn hung(&self, signs: Signs) -> Failure {
        let limit = Seconds::from(self.hang_limit);
        let step = signs.step + 1;
        Failure::transient(format!("step {step} hung: nothing was heard from the trainer for {limit}"))
    }
}

/// The moment `duration` after `moment`, or a year after where that cannot be told.
pub(crate) fn plus(moment: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    moment + duration.min(YEAR)
}

#[cfg(test)]
mod tests;
