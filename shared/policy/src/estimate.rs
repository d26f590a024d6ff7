//! What a job can come to at worst.

use contract::Estimate;

use crate::{Choice, RetryPolicy, Terms, backoff};

/// The worst case of a job that starts on `choice`: every attempt that its budgets allow runs its full time, on the
/// dearest machine the terms allow. Each figure is cut at the job's total limits.
pub fn estimate(terms: &Terms, choice: &Choice) -> Estimate {
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
        gpu_reason: choice.reason.clone(),
        usd_per_hour: choice.usd_per_hour,
        considered: choice.considered.clone(),
        memory: terms.memory.clone(),
        warnings,
        worst_attempts: attempts,
        worst_seconds: (running + waiting).min(most_time),
        worst_usd: (running.min(most_time) / 3600.0 * terms.dearest()).min(most_usd),
    }
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
