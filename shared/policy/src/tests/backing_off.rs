//! How much of a wait is left to chance.

use std::time::Duration;

use contract::{FailureClass, Jitter, JobId};
use proptest::prelude::*;
use serde_json::json;

use super::{classifier, resolved};
use crate::{Chance, Charged, Decision, Left, RetryPolicy, decide, jittered};

const WAIT: Duration = Duration::from_secs(100);

fn chance(name: &str, attempt: u32) -> Chance {
    Chance::of(&JobId::new(name).unwrap(), attempt)
}

/// The waits of a thousand jobs, or of a thousand attempts of one job, in seconds.
fn waits(jitter: Jitter, of: impl Fn(u32) -> Chance) -> Vec<f64> {
    (1..=1000).map(|number| jittered(jitter, WAIT, of(number)).as_secs_f64()).collect()
}

fn check(waits: &[f64], lowest: f64, highest: f64) {
    assert!(waits.iter().all(|wait| (lowest..=highest).contains(wait)), "between {lowest} and {highest}");
    let (width, count) = (highest - lowest, waits.len() as f64);
    let mean = waits.iter().sum::<f64>() / count;
    // Five standard errors of an even distribution.
    let tolerance = 5.0 * width / 12f64.sqrt() / count.sqrt();
    assert!((mean - (lowest + highest) / 2.0).abs() < tolerance, "the mean is {mean}");
    for tenth in 0..10 {
        let from = lowest + width * f64::from(tenth) / 10.0;
        let inside = waits.iter().filter(|wait| (from..from + width / 10.0).contains(*wait)).count();
        assert!((50..=150).contains(&inside), "{inside} of 1000 lie in tenth {tenth}");
    }
}

#[test]
fn waits_spread_evenly_over_their_range() {
    let jobs = |number: u32| chance(&format!("trial-{number}"), 1);
    let attempts = |number: u32| chance("cats", number);
    check(&waits(Jitter::Full, jobs), 0.0, 100.0);
    check(&waits(Jitter::Full, attempts), 0.0, 100.0);
    check(&waits(Jitter::Equal, jobs), 50.0, 100.0);
    check(&waits(Jitter::Equal, attempts), 50.0, 100.0);
    assert!(waits(Jitter::None, jobs).iter().all(|wait| *wait == 100.0));
}

#[test]
fn a_job_may_ask_for_jitter_and_the_shipped_policy_has_none() {
    assert_eq!(classifier().retry.jitter, Jitter::None);
    let asked = resolved(json!({ "workload": "classifier", "retry": { "jitter": "full" } })).unwrap();
    assert_eq!(asked.retry, RetryPolicy { jitter: Jitter::Full, ..classifier().retry });
}

#[test]
fn policies_that_were_saved_before_there_was_jitter_have_none() {
    let mut saved = serde_json::to_value(classifier().retry).unwrap();
    saved.as_object_mut().unwrap().remove("jitter");
    assert_eq!(serde_json::from_value::<RetryPolicy>(saved).unwrap(), classifier().retry);
}

proptest! {
    #[test]
    fn a_decision_that_is_made_again_says_the_same(name in "[a-z0-9-]{1,64}", attempt in any::<u32>()) {
        let retry = RetryPolicy { jitter: Jitter::Equal, ..classifier().retry };
        let made = || {
            let chance = chance(&name, attempt);
            decide(FailureClass::Transient, &retry, Charged::default(), Left::default(), chance)
        };
        let Decision::Retry { delay, .. } = made() else { panic!("a first failure is tried again") };
        prop_assert!((5.0..=10.0).contains(&delay.as_secs_f64()), "{delay:?}");
        prop_assert_eq!(made(), made());
    }

    #[test]
    fn no_jitter_makes_a_wait_longer(millis in 0..100_000_000_u64, attempt in any::<u32>()) {
        let wait = Duration::from_millis(millis);
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal] {
            let waited = jittered(jitter, wait, chance("cats", attempt));
            prop_assert!(waited <= wait);
            prop_assert!(jitter == Jitter::Full || wait / 2 <= waited);
        }
    }
}
