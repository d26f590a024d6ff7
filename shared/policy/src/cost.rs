//! Time and money.

use std::time::Duration;

use contract::StopCause;

/// What remains of a job's total limits; `None` where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Left {
    /// Time.
    pub time: Option<Duration>,
    /// US dollars.
    pub usd: Option<f64>,
}

impl Left {
    /// Whether something has run out.
    pub fn is_spent(self) -> bool {
        self.time.is_some_and(|time| time.is_zero()) || self.usd.is_some_and(|usd| usd <= 0.0)
    }
}

/// How long an attempt may run, and what it means when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimit {
    /// How long.
    pub time: Duration,
    /// [`StopCause::Timeout`] or [`StopCause::Budget`].
    pub cause: StopCause,
}

/// The longest an attempt may run: its own timeout, or less when the job's time or money is over before. Money has to
/// pay for the `margin` as well, which is what an attempt may cost beyond its limit.
pub fn run_limit(timeout: Duration, left: Left, usd_per_hour: f64, margin: Duration) -> RunLimit {
    let money = left.usd.map(|usd| affordable(usd, usd_per_hour).saturating_sub(margin));
    let budget = [left.time, money].into_iter().flatten().min();
    match budget {
        Some(time) if time < timeout => RunLimit { time, cause: StopCause::Budget },
        _ => RunLimit { time: timeout, cause: StopCause::Timeout },
    }
}

/// The least that an attempt costs which is worth its start, in US dollars: it runs for `least_run`, or its timeout or the
/// job's time where that is shorter, and for the `margin`.
pub fn least_usd(
    least_run: Duration,
    timeout: Duration,
    left: Left,
    usd_per_hour: f64,
    margin: Duration,
) -> f64 {
    let run = least_run.min(timeout).min(left.time.unwrap_or(Duration::MAX));
    usd(run.saturating_add(margin), usd_per_hour)
}

/// What `time` on a machine costs, in US dollars.
pub fn usd(time: Duration, usd_per_hour: f64) -> f64 {
    time.as_secs_f64() / 3600.0 * usd_per_hour
}

/// How long a machine can be had for an amount of money.
pub fn affordable(usd: f64, usd_per_hour: f64) -> Duration {
    if usd_per_hour <= 0.0 {
        return Duration::MAX;
    }
    Duration::try_from_secs_f64(usd.max(0.0) / usd_per_hour * 3600.0).unwrap_or(Duration::MAX)
}
