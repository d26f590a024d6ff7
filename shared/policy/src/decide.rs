//! What follows a failure.

use std::time::Duration;

use contract::{FailureClass, control::Charge};
use serde::{Deserialize, Serialize};

use crate::{Left, MAX_ATTEMPT, RetryPolicy};

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

/// Decides what follows an attempt that failed with `class`.
pub fn decide(class: FailureClass, retry: &RetryPolicy, charged: Charged, left: Left) -> Decision {
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
        Charge::Retries | Charge::Losses => backoff(retry, used),
        Charge::Preemptions => Duration::ZERO,
    };
    if left.is_spent() || left.time.is_some_and(|time| time <= delay) {
        return Decision::GiveUp { exhausted: Some(FailureClass::Budget) };
    }
    Decision::Retry { delay, charge }
}

/// The wait after the failure number `n`, counted from 0: `initial_delay × backoff_coefficient^n`, at most `max_delay`.
pub fn backoff(retry: &RetryPolicy, n: u32) -> Duration {
    let initial = retry.initial_delay.as_f64();
    if initial <= 0.0 {
        return Duration::ZERO;
    }
    let longest = retry.max_delay.as_f64().min(MAX_ATTEMPT.as_secs_f64());
    let growth = retry.backoff_coefficient.powi(i32::try_from(n).unwrap_or(i32::MAX));
    Duration::from_secs_f64((initial * growth).min(longest))
}
