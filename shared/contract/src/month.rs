//! Months, in which money is counted.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Days from 0000-03-01, where years that begin in March are easy to count from, to 1970-01-01.
const DAYS_BEFORE_EPOCH: u64 = 719_468;
/// Days in 400, 100 and 4 years; the last of such a span is a leap day, or lacks it.
const ERA: u64 = 146_097;
const CENTURY: u64 = 36_524;
const OLYMPIAD: u64 = 1_461;

/// A month of the calendar in UTC, written as `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u64,
    /// From 1.
    month: u64,
}

impl Month {
    /// The month in which a moment lies.
    pub fn of(moment: Timestamp) -> Self {
        let days = moment.0 / DAY_MS + DAYS_BEFORE_EPOCH;
        let (era, day) = (days / ERA, days % ERA);
        let year = (day - day / (OLYMPIAD - 1) + day / CENTURY - day / (ERA - 1)) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        // March is 0; from there five months have 153 days, over and over.
        let from_march = (5 * day_of_year + 2) / 153;
        let (month, years_on) = match from_march {
            0..10 => (from_march + 3, 0),
            _ => (from_march - 9, 1),
        };
        Self { year: era * 400 + year + years_on, month }
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        let (year, from_march) = match self.month {
            3.. => (self.year, self.month - 3),
            month => (self.year.saturating_sub(1), month + 9),
        };
        let (era, year) = (year / 400, year % 400);
        let days = era * ERA + 365 * year + year / 4 - year / 100 + (153 * from_march + 2) / 5;
        Timestamp(days.saturating_sub(DAYS_BEFORE_EPOCH).saturating_mul(DAY_MS))
    }

    /// The month that follows.
    #[must_use]
    pub fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// Splits the time from one moment to another at the midnights between months: each month with its share.
    pub fn split(from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Self, Duration)> {
        let mut at = from;
        std::iter::from_fn(move || {
            if to <= at {
                return None;
            }
            let month = Self::of(at);
            let until = month.next().start().min(to);
            let share = until.since(at);
            at = until;
            Some((month, share))
        })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
            if year.len() != 4 || month.len() != 2 || !is_plain(year) || !is_plain(month) {
                return None;
            }
            let (year, month) = (year.parse().ok()?, month.parse().ok()?);
            (1970 <= year && (1..=12).contains(&month)).then_some(Self { year, month })
        };
        parse().ok_or_else(|| format!("{text:?} is not a month; write 2026-11"))
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Month {
    fn schema_name() -> Cow<'static, str> {
        "Month".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A month of the calendar in UTC, such as \"2026-11\".",
            "type": "string",
            "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        let since = humantime::parse_rfc3339(text).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(since.as_millis() as u64)
    }

    #[test]
    fn a_moment_lies_in_the_month_that_its_date_begins_with() {
        for day in 0..200_000 {
            let noon = Timestamp(day * DAY_MS + DAY_MS / 2);
            let date = humantime::format_rfc3339(std::time::UNIX_EPOCH + Duration::from_millis(noon.0));
            let month = Month::of(noon);
            assert_eq!(month.to_string(), date.to_string()[..7]);
            assert_eq!(month.start(), moment(&format!("{month}-01T00:00:00Z")));
            assert_eq!(month.to_string().parse(), Ok(month));
            assert!(month.start() <= noon && noon < month.next().start());
        }
    }

    #[test]
    fn time_is_split_at_midnight_of_the_first() {
        let split = |from: &str, to: &str| {
            let shares = Month::split(moment(from), moment(to));
            let words: Vec<String> =
                shares.map(|(month, share)| format!("{month}: {}", crate::Seconds::from(share))).collect();
            words.join(", ")
        };
        assert_eq!(split("2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"), "2026-11: 1h");
        assert_eq!(split("2026-11-30T23:00:00Z", "2026-12-01T02:00:00Z"), "2026-11: 1h, 2026-12: 2h");
        let leap = "2027-12: 1s, 2028-01: 1month 13h 26m 24s, 2028-02: 29days, 2028-03: 1s";
        assert_eq!(split("2027-12-31T23:59:59Z", "2028-03-01T00:00:01Z"), leap);
        assert_eq!(split("2026-11-05T00:00:00Z", "2026-11-05T00:00:00Z"), "");
        assert_eq!(split("2026-11-05T00:00:00Z", "2026-11-04T00:00:00Z"), "");
    }

    #[test]
    fn what_is_no_month_is_refused_with_an_example() {
        for text in ["", "2026", "2026-1", "2026-00", "2026-13", "26-11", "2026-11-01", "+026-11", "0000-01"]
        {
            let error = text.parse::<Month>().unwrap_err();
            assert_eq!(error, format!("{text:?} is not a month; write 2026-11"));
        }
    }

    #[test]
    fn the_last_moment_there_is_has_a_month() {
        let month = Month::of(Timestamp(u64::MAX));
        assert_eq!(Month::split(Timestamp(u64::MAX - 1), Timestamp(u64::MAX)).count(), 1, "{month}");
    }
}
