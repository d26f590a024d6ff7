//! What a job is expected to come to.

use std::time::Duration;

use contract::ExpectedCase;
use serde_json::json;

use super::resolved;
use crate::{PastRun, Placement, choose, estimate};

/// What is expected of a classifier job on a T4 after these jobs, each as (minutes, attempts, whether it was alike).
fn expected(submission: serde_json::Value, past: &[(u64, u32, bool)]) -> ExpectedCase {
    let mut submission = submission;
    submission["workload"] = json!("classifier");
    let terms = resolved(submission).unwrap();
    let run = |&(minutes, attempts, is_alike): &(u64, u32, bool)| PastRun {
        attempts,
        running: Duration::from_secs(minutes * 60),
        is_alike,
    };
    let past: Vec<PastRun> = past.iter().map(run).collect();
    let expected = estimate(&terms, &choose(&terms, None, |_: &Placement| true), &past).expected.unwrap();
    ExpectedCase { usd: rounded(expected.usd), ..expected }
}

/// To a millionth of a dollar, so that the order of multiplications does not matter.
fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

fn case(attempts: u32, minutes: f64, usd: f64, runs: u32, basis: &str) -> ExpectedCase {
    ExpectedCase { attempts, seconds: minutes * 60.0, usd: rounded(usd), runs, basis: basis.into() }
}

#[test]
fn where_nothing_is_known_it_is_one_attempt_at_its_limit() {
    let unknown = "no such job has succeeded on t4 yet";
    assert_eq!(expected(json!({}), &[]), case(1, 60.0, 0.35, 0, unknown));
    let auto = json!({ "timeout": "auto" });
    assert_eq!(expected(auto, &[]), case(1, 24.0 * 60.0, 24.0 * 0.35, 0, unknown));
    let spot = json!({ "resources": { "spot": "allow" } });
    assert_eq!(expected(spot, &[]), case(1, 60.0, 0.14, 0, unknown), "at the price of the tier");
}

#[test]
fn past_jobs_say_what_the_next_one_takes() {
    let others = [(30, 1, false), (12, 4, false), (6, 1, false)];
    let median = "the median of 3 jobs with other parameters on t4";
    assert_eq!(expected(json!({}), &others), case(1, 12.0, 0.07, 3, median));

    let one_alike = [&others[..], &[(24, 2, true)]].concat();
    let alike = "one job with the same parameters on t4";
    assert_eq!(expected(json!({}), &one_alike), case(2, 24.0, 0.14, 1, alike), "what is alike counts alone");
}

#[test]
fn nothing_is_expected_beyond_the_total_limits() {
    let limited = json!({ "total": { "time": "10m", "usd": 0.05 } });
    let expected = expected(limited, &[(60, 1, true)]);
    assert_eq!((expected.seconds, expected.usd), (600.0, 0.05));
}
