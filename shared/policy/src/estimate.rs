//! What a job will come to, and what it can come to at worst.

use std::time::Duration;

use contract::{Estimate, ExpectedCase};

use crate::{Choice, RetryPolicy, Terms, backoff};

/// What a job that has succeeded took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRun {
    /// Its attempts.
    pub attempts: u32,
    /// How long they ran together.
    pub running: Duration,
    /// Whether its parameters were the same.
    pub is_alike: bool,
}

/// What a job comes to that starts on `choice`. What is expected follows from `past` jobs of the same kind on the same
/// class. The worst case: every attempt that its budgets allow runs its full time, on the
/// dearest machine the terms allow. Each figure is cut at the job's total limits.
pub fn estimate(terms: &Terms, choice: &Choice, past: &[PastRun]) -> Estimate {
    let RetryPolicy { max_retries, max_losses, .. } = terms.retry;
    let attempts = max_retries.saturating_add(max_losses).saturating_add(1);
    let running = f64::from(attempts) * terms.longest().as_f64();
    let waiting = waits(&terms.retry, max_retries) + waits(&terms.retry, max_losses);
    let most_time = terms.total.time.map_or(f64::INFINITY, |time| time.as_f64());
    let most_usd = terms.total.usd.unwrap_or(f64::INFINITY);
    let mut warnings = terms.warnings.clone();
    if !choice.offered {
        warnings.push(format!("{} at present; the job waits until one does", terms.unoffered(None)));
    }
    Estimate {
        gpu: choice.placement.gpu.clone(),
        tier: choice.placement.tier,
        gpu_reason: choice.reason.clone(),
        usd_per_hour: choice.usd_per_hour,
        considered: choice.considered.clone(),
        memory: terms.memory.clone(),
        warnings,
        expected: Some(expected(terms, choice, past)),
        worst_attempts: attempts,
        worst_seconds: (running + waiting).min(most_time),
        worst_usd: (running.min(most_time) / 3600.0 * terms.dearest()).min(most_usd),
    }
}

/// The median of the jobs with the same parameters, else of all; without any, one attempt at its limit. Cut at the job's
/// total limits.
fn expected(terms: &Terms, choice: &Choice, past: &[PastRun]) -> ExpectedCase {
    let alike: Vec<PastRun> = past.iter().copied().filter(|run| run.is_alike).collect();
    let (runs, which) = match alike.is_empty() {
        true => (past.to_vec(), "other"),
        false => (alike, "the same"),
    };
    let gpu = &choice.placement.gpu;
    let basis = match runs.len() {
        0 => format!("no such job has succeeded on {gpu} yet"),
        1 => format!("one job with {which} parameters on {gpu}"),
        count => format!("the median of {count} jobs with {which} parameters on {gpu}"),
    };
    let attempts = median(runs.iter().map(|run| run.attempts)).unwrap_or(1);
    let running = median(runs.iter().map(|run| run.running));
    let seconds = running.map_or(terms.longest().as_f64(), |running| running.as_secs_f64());
    let seconds = seconds.min(terms.total.time.map_or(f64::INFINITY, |time| time.as_f64()));
    let usd = (seconds / 3600.0 * choice.usd_per_hour).min(terms.total.usd.unwrap_or(f64::INFINITY));
    ExpectedCase { attempts, seconds, usd, runs: u32::try_from(runs.len()).unwrap_or(u32::MAX), basis }
}

/// The middle one; the greater of the two where there are two.
fn median<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort();
    let middle = values.len() / 2;
    values.into_iter().nth(middle)
}

/// The sum of the first `count` backoffs, in seconds: a geometric series up to the wait that is no longer growing.
fn waits(retry: &RetryPolicy, count: u32) -> f64 {
    let initial = backoff(retry, 0).as_secs_f64();
    let longest = backoff(retry, u32::MAX).as_secs_f64();
    let growth = (retry.backoff_coefficient - 1.0).ln_1p();
    let count = f64::from(count);
    if initial == longest || growth <= 0.0 {
        return count * initial;
    }
    let growing = ((longest / initial).ln() / growth).ceil().min(count);
    let series = initial * (growing * growth).exp_m1() / growth.exp_m1();
    series + (count - growing) * longest
}
