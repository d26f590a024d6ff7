//! Whether an attempt will be done in time, and how long `timeout = "auto"` lets it run.

use std::time::Duration;

use contract::lease::Progress;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::resolved;
use crate::{Left, MAX_ATTEMPT, auto_limit, remaining, shortfall};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_rest_follows_from_steps_and_rate_and_is_not_guessed_without() {
    let rest = |step, steps_total, steps_per_second| {
        remaining(&Progress { step, steps_total, steps_per_second, ..Progress::default() })
    };
    assert_eq!(rest(100, Some(400), Some(2.0)), Some(seconds(150)));
    assert_eq!(rest(400, Some(400), Some(2.0)), Some(Duration::ZERO));
    assert_eq!(rest(100, None, Some(2.0)), None);
    assert_eq!(rest(100, Some(400), None), None);
    assert_eq!(rest(100, Some(400), Some(0.0)), None);
    assert_eq!(rest(500, Some(400), Some(2.0)), None);
    assert_eq!(rest(0, Some(u64::MAX), Some(1e-300)), None);
}

/// What is said of an attempt that has run so long and needs so much more.
fn short(limits: Value, elapsed: u64, remaining: u64, left: Left) -> String {
    let mut submission = json!({ "workload": "classifier" });
    submission.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let terms = resolved(submission).unwrap();
    shortfall(&terms, seconds(elapsed), seconds(remaining), left, 0.5, seconds(32)).unwrap_or_default()
}

#[test]
fn a_fifth_more_than_predicted_must_fit_into_what_is_left() {
    let unlimited = Left::default();
    assert_eq!(short(json!({}), 600, 2500, unlimited), "");
    assert_eq!(
        short(json!({}), 600, 2501, unlimited),
        "the attempt will take about 41m 41s more, and with 20 % to spare that is not within the 50m that are left of \
         its timeout of 1h"
    );
    let time = Left { time: Some(seconds(1200)), usd: None };
    assert_eq!(short(json!({ "total": { "time": "2h" } }), 600, 1000, time), "");
    assert!(
        short(json!({ "total": { "time": "2h" } }), 600, 1001, time).ends_with("the job's total time of 2h")
    );
    // 392 s at 0.5 USD an hour, of which 32 s are paid after the limit.
    let usd = Left { time: None, usd: Some(0.5 * 392.0 / 3600.0) };
    assert_eq!(short(json!({ "total": { "usd": 1.5 } }), 600, 300, usd), "");
    assert!(
        short(json!({ "total": { "usd": 1.5 } }), 600, 301, usd)
            .ends_with("the 6m that are left of the job's total of 1.5 USD")
    );
}

#[test]
fn the_first_steps_say_nothing() {
    assert_eq!(short(json!({}), 59, 100_000, Left::default()), "");
    assert_ne!(short(json!({}), 60, 100_000, Left::default()), "");
    assert_eq!(short(json!({ "timeout": "20s" }), 1, 1000, Left::default()), "");
    assert_ne!(short(json!({ "timeout": "20s" }), 2, 1000, Left::default()), "");
}

#[test]
fn auto_is_short_only_of_the_most_that_a_workload_allows() {
    assert_eq!(short(json!({ "timeout": "auto" }), 600, 10_000, Left::default()), "");
    assert!(
        short(json!({ "timeout": "auto" }), 600, 80_000, Left::default()).ends_with("its timeout of 1day")
    );
}

#[test]
fn auto_adds_a_fifth_of_the_whole_and_a_minute_at_least() {
    assert_eq!(auto_limit(seconds(600), seconds(3000), MAX_ATTEMPT), seconds(4320));
    assert_eq!(auto_limit(seconds(5), seconds(10), MAX_ATTEMPT), seconds(75));
    assert_eq!(auto_limit(seconds(600), seconds(100_000), MAX_ATTEMPT), MAX_ATTEMPT);
}

proptest! {
    #[test]
    fn auto_never_ends_an_attempt_that_keeps_its_prediction(
        elapsed in 0u64..80_000, remaining in 0u64..80_000, most in 1u64..86_400,
    ) {
        let limit = auto_limit(seconds(elapsed), seconds(remaining), seconds(most));
        prop_assert!(limit <= seconds(most));
        prop_assert!(seconds(elapsed + remaining) <= limit || limit == seconds(most));
    }
}
