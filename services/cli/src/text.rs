//! How things are written for people.

pub(crate) mod choice;
pub(crate) mod happening;
pub(crate) mod job;
mod table;
pub(crate) mod waiting;

use std::time::Duration;

use contract::{Seconds, Timestamp, lease::Progress};
use jiff::tz::TimeZone;

pub(crate) use table::{fields, table};

/// The moment and the place that times are told from.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// `10:20:11` for today, `2026-11-24 10:20:11` for any other day.
    pub(crate) fn moment(&self, at: Timestamp) -> String {
        let (Some(then), Some(now)) = (self.zoned(at), self.zoned(self.now)) else {
            return "at no time".into();
        };
        let format = if then.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        then.strftime(format).to_string()
    }

    /// `3m 20s ago`, or `in 8s`.
    pub(crate) fn distance(&self, at: Timestamp) -> String {
        if self.now < at {
            format!("in {}", length(at.since(self.now)))
        } else {
            format!("{} ago", length(self.now.since(at)))
        }
    }

    /// Both: `10:20:11 (3m 20s ago)`.
    pub(crate) fn moment_and_distance(&self, at: Timestamp) -> String {
        format!("{} ({})", self.moment(at), self.distance(at))
    }

    fn zoned(&self, at: Timestamp) -> Option<jiff::ZonedDateTime> {
        let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
        Some(at.to_zoned_datetime(self.zone.clone()))
    }
}

/// A length of time in its two largest units: `2h 5m`, `3m 20s`, `12s`, `2.4s`, `40ms`.
pub(crate) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let two = |large: u64, large_name, small: u64, small_name| match small {
        0 => format!("{large}{large_name}"),
        _ => format!("{large}{large_name} {small}{small_name}"),
    };
    match seconds {
        0 if length.as_millis() == 0 => "0s".into(),
        0 => format!("{}ms", length.as_millis()),
        1..10 => format!("{:.1}s", length.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// The same for a length of time from a message.
pub(crate) fn seconds(time: Seconds) -> String {
    length(time.to_duration())
}

/// An amount of money: `$1.25`; less than a cent is not nothing: `$0.0014`.
pub(crate) fn dollars(usd: f64) -> String {
    if 0.0 < usd && usd < 0.01 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

/// A number of bytes: `140 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut rest = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if rest < 999.5 {
            let digits = usize::from(unit != "B" && rest < 9.95);
            return format!("{rest:.digits$} {unit}");
        }
        rest /= 1000.0;
    }
    format!("{rest:.1} TB")
}

/// A figure of training, with as many digits as tell something: `0.438`, `1.25e-5`.
pub(crate) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e6).contains(&magnitude) {
        let digits = if magnitude < 100.0 { 4 } else { 1 };
        let text = format!("{value:.digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.2e}")
    }
}

/// How far a run is: `120/400 (30 %)`.
pub(crate) fn steps(progress: &Progress) -> String {
    match progress.steps_total {
        Some(total) if 0 < total => {
            format!("{}/{total} ({} %)", progress.step, progress.step.min(total) * 100 / total)
        }
        _ => progress.step.to_string(),
    }
}

/// How long the rest takes at the present rate.
pub(crate) fn remaining(progress: &Progress) -> Option<Duration> {
    let rest = progress.steps_total?.checked_sub(progress.step)?;
    let rate = progress.steps_per_second.filter(|rate| 0.0 < *rate)?;
    Duration::try_from_secs_f64(rest as f64 / rate).ok()
}

#[cfg(test)]
mod tests;
