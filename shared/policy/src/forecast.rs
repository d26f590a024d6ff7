//! When an attempt will be done, and whether that is in time.

use std::time::Duration;

use contract::{Seconds, lease::Progress};

use crate::{Left, Terms, affordable};

/// What is added to a prediction before it is relied on.
const MARGIN: f64 = 0.2;
/// The least that `timeout = "auto"` adds to a prediction: a last validation takes its time.
const LEAST_MARGIN: Duration = Duration::from_secs(60);
/// Nothing is said of an attempt's end before a tenth of its limit has passed, at most this: first steps are slow.
const WARM_UP: Duration = Duration::from_secs(60);

/// How long the steps that remain take at the present rate; `None` until both are known.
pub fn remaining(progress: &Progress) -> Option<Duration> {
    let steps = progress.steps_total?.checked_sub(progress.step)?;
    let rate = progress.steps_per_second.filter(|rate| 0.0 < *rate)?;
    Duration::try_from_secs_f64(steps as f64 / rate).ok()
}

/// The limit that `timeout = "auto"` sets for an attempt that has run for `elapsed` and needs `remaining` more: the
/// whole and 20 %, a minute at least, and at most `most`.
pub fn auto_limit(elapsed: Duration, remaining: Duration, most: Duration) -> Duration {
    let whole = elapsed.saturating_add(remaining);
    whole.saturating_add(share(whole).max(LEAST_MARGIN)).min(most)
}

/// What is short for an attempt that has run for `elapsed` and needs `remaining` more, in words: its own timeout, or what
/// is `left` of the job's time or money, of which the `margin` after the limit is paid as well. `None` when it will be done
/// in time, 20 % to spare, or it is too early to tell.
pub fn shortfall(
    terms: &Terms,
    elapsed: Duration,
    remaining: Duration,
    left: Left,
    usd_per_hour: f64,
    margin: Duration,
) -> Option<String> {
    let most = terms.longest().to_duration();
    let limits = [
        Some((most.saturating_sub(elapsed), format!("its timeout of {}", terms.longest()))),
        left.time
            .zip(terms.total.time)
            .map(|(left, total)| (left, format!("the job's total time of {total}"))),
        left.usd.zip(terms.total.usd).map(|(left, total)| {
            (affordable(left, usd_per_hour).saturating_sub(margin), format!("the job's total of {total} USD"))
        }),
    ];
    let (room, limit) = limits.into_iter().flatten().min_by_key(|(room, _)| *room)?;
    let is_early = elapsed < WARM_UP.min(elapsed.saturating_add(room) / 10);
    if is_early || remaining.saturating_add(share(remaining)) <= room {
        return None;
    }
    let rounded = |time: Duration| Seconds::from(Duration::from_secs(time.as_secs()));
    Some(format!(
        "the attempt will take about {} more, and with 20 % to spare that is not within the {} that are left of {limit}",
        rounded(remaining),
        rounded(room)
    ))
}

fn share(time: Duration) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * MARGIN).unwrap_or(Duration::MAX)
}
