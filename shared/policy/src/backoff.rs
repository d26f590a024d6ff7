//! How long a job waits between two attempts.

use std::time::Duration;

use contract::{Jitter, JobId};

use crate::{MAX_ATTEMPT, RetryPolicy, random::unit};

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

/// Where in its range an attempt's jitter lies. It follows from the attempt, so that the same decision, made again, says
/// the same, and lies anywhere for another job or another attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance(f64);

impl Chance {
    /// The chance of one attempt of a job.
    pub fn of(job_id: &JobId, attempt: u32) -> Self {
        Self(unit(0, attempt, job_id.as_str()))
    }
}

/// The part of `wait` that is waited, after "Exponential Backoff And Jitter" (Marc Brooker, AWS Architecture Blog, 2015).
pub fn jittered(jitter: Jitter, wait: Duration, chance: Chance) -> Duration {
    match jitter {
        Jitter::None => wait,
        Jitter::Full => wait.mul_f64(chance.0),
        Jitter::Equal => wait / 2 + (wait / 2).mul_f64(chance.0),
    }
}
