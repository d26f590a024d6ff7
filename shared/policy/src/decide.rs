//! What follows a failure.

use std::time::Duration;

use contract::{FailureClass, control::Charge};
use serde::{Deserialize, Serialize};

use crate::{Chance, Left, RetryPolicy, backoff, jittered};

/// What failures have used up of a job's budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charged {
    /// Failures charged to `max_retries`.
    pub retries: u32,
    /// Failures charged to `max_losses`.
    pub losses: u32,
    /// Preemptions, which have no limit.
    pub preemptions: u32,
}

impl Charged {
    /// Counts one more failure.
    pub fn add(&mut self, charge: Charge) {
        let count = match charge {
            Charge::Retries => &mut self.retries,
            Charge::Losses => &mut self.losses,
            Charge::Preemptions => &mut self.preemptions,
            Charge::Nothing => return,
        };
        *count = count.saturating_add(1);
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt.
    Retry {
        /// After this long; zero means at once.
        delay: Duration,
        /// The budget that pays for it.
        charge: Charge,
    },
    /// None: the job is dead.
    GiveUp {
        /// The budget that ran out, if that is why.
        exhausted: Option<FailureClass>,
    },
}

/// Decides what follows an attempt that failed with `class`. `chance` is the attempt's own.
pub fn decide(
    class: FailureClass,
    retry: &RetryPolicy,
    charged: Charged,
    left: Left,
    chance: Chance,
) -> Decision {
    let (charge, used, most) = match class {
        FailureClass::Permanent => return Decision::GiveUp { exhausted: None },
        FailureClass::Budget => return Decision::GiveUp { exhausted: Some(FailureClass::Budget) },
        FailureClass::Transient | FailureClass::Oom | FailureClass::Timeout => {
            (Charge::Retries, charged.retries, retry.max_retries)
        }
        FailureClass::Lost => (Charge::Losses, charged.losses, retry.max_losses),
        FailureClass::Preempted => (Charge::Preemptions, charged.preemptions, u32::MAX),
    };
    if most <= used {
        return Decision::GiveUp { exhausted: Some(class) };
    }
    let delay = match charge {
        Charge::Retries | Charge::Losses => jittered(retry.jitter, backoff(retry, used), chance),
        Charge::Preemptions | Charge::Nothing => Duration::ZERO,
    };
    if left.is_spent() || left.time.is_some_and(|time| time <= delay) {
        return Decision::GiveUp { exhausted: Some(FailureClass::Budget) };
    }
    Decision::Retry { delay, charge }
}
