//! What follows a failure, and how long an attempt may run.

use std::time::Duration;

use contract::{FailureClass, Jitter, JobId, StopCause};
use proptest::prelude::*;

use super::classifier;
use crate::{
    Chance, Charged, Choice, Decision, Left, Placement, RetryPolicy, affordable, backoff, decide, estimate,
    least_usd, run_limit, usd,
};

const CLASSES: [FailureClass; 7] = [
    FailureClass::Permanent,
    FailureClass::Transient,
    FailureClass::Oom,
    FailureClass::Timeout,
    FailureClass::Preempted,
    FailureClass::Lost,
    FailureClass::Budget,
];

fn charged(retries: u32, losses: u32, preemptions: u32) -> Charged {
    Charged { retries, losses, preemptions }
}

/// Some attempt's.
fn chance() -> Chance {
    Chance::of(&JobId::new("job").unwrap(), 1)
}

/// One line of the table: a failure, what was charged before, and what follows.
fn check(class: FailureClass, before: Charged, expected: &str) {
    let found = match decide(class, &classifier().retry, before, Left::default(), chance()) {
        Decision::Retry { delay, charge } => format!("{charge:?} after {} s", delay.as_secs_f64()),
        Decision::GiveUp { exhausted: Some(budget) } => format!("dead: no {budget} left"),
        Decision::GiveUp { exhausted: None } => "dead".into(),
    };
    assert_eq!(found, expected, "{class} after {before:?}");
}

#[test]
fn each_class_has_its_consequence() {
    let fresh = Charged::default();
    check(FailureClass::Permanent, fresh, "dead");
    check(FailureClass::Budget, fresh, "dead: no budget left");
    check(FailureClass::Transient, fresh, "Retries after 10 s");
    check(FailureClass::Oom, charged(1, 0, 0), "Retries after 20 s");
    check(FailureClass::Timeout, charged(2, 3, 9), "Retries after 40 s");
    check(FailureClass::Transient, charged(3, 0, 0), "dead: no transient left");
    check(FailureClass::Lost, charged(3, 0, 0), "Losses after 10 s");
    check(FailureClass::Lost, charged(0, 2, 0), "Losses after 40 s");
    check(FailureClass::Lost, charged(0, 3, 0), "dead: no lost left");
    check(FailureClass::Preempted, charged(3, 3, 99), "Preemptions after 0 s");
}

#[test]
fn no_retry_is_promised_that_the_total_does_not_allow() {
    let retry = classifier().retry;
    let after = |left| decide(FailureClass::Transient, &retry, Charged::default(), left, chance());
    let dead = Decision::GiveUp { exhausted: Some(FailureClass::Budget) };
    assert_eq!(after(Left { time: Some(Duration::from_secs(10)), usd: None }), dead);
    assert_eq!(after(Left { time: None, usd: Some(0.0) }), dead);
    let just_enough = Left { time: Some(Duration::from_secs(11)), usd: Some(0.01) };
    assert!(matches!(after(just_enough), Decision::Retry { .. }));
}

#[test]
fn an_attempt_may_run_until_the_first_limit() {
    let hour = Duration::from_secs(3600);
    let check = |left, expected_seconds: u64, cause| {
        let limit = run_limit(hour, left, 0.60, Duration::from_secs(32));
        assert_eq!((limit.time.as_secs(), limit.cause), (expected_seconds, cause), "{left:?}");
    };
    check(Left::default(), 3600, StopCause::Timeout);
    check(Left { time: Some(hour * 2), usd: Some(10.0) }, 3600, StopCause::Timeout);
    check(Left { time: Some(hour / 4), usd: Some(10.0) }, 900, StopCause::Budget);
    check(Left { time: Some(hour / 2), usd: Some(0.06) }, 360 - 32, StopCause::Budget);
    check(Left { time: None, usd: Some(0.001) }, 0, StopCause::Budget);
    check(Left { time: None, usd: Some(-1.0) }, 0, StopCause::Budget);
}

#[test]
fn an_attempt_that_is_worth_its_start_costs_its_least_run_and_what_comes_after() {
    let seconds = Duration::from_secs;
    let least = |timeout, left| least_usd(seconds(30), timeout, left, 3600.0, seconds(32));
    assert_eq!(least(seconds(3600), Left::default()), 62.0);
    assert_eq!(least(seconds(5), Left::default()), 37.0);
    assert_eq!(least(seconds(3600), Left { time: Some(seconds(20)), usd: None }), 52.0);
}

#[test]
fn what_costs_nothing_lasts_for_ever() {
    assert_eq!(affordable(0.0, 0.0), Duration::MAX);
    assert_eq!(affordable(1e300, 0.01), Duration::MAX);
}

fn any_retry() -> impl Strategy<Value = RetryPolicy> {
    (0u32..200, 0.0..1e4, 1.0..10.0, 0.0..1e6, 0u32..200).prop_map(
        |(max_retries, initial, backoff_coefficient, longest, max_losses)| RetryPolicy {
            max_retries,
            initial_delay: Duration::from_secs_f64(initial).into(),
            backoff_coefficient,
            max_delay: Duration::from_secs_f64(longest).into(),
            jitter: Jitter::None,
            max_losses,
        },
    )
}

proptest! {
    #[test]
    fn waits_grow_up_to_their_limit(retry in any_retry(), n in any::<u32>()) {
        let wait = backoff(&retry, n);
        prop_assert!(wait <= retry.max_delay.to_duration());
        prop_assert!(wait <= crate::MAX_ATTEMPT);
        prop_assert!(wait <= backoff(&retry, n.saturating_add(1)));
    }

    #[test]
    fn failures_end_within_their_budgets(
        retry in any_retry(),
        failures in prop::collection::vec(prop::sample::select(CLASSES.to_vec()), 500),
    ) {
        let mut charged = Charged::default();
        for class in failures {
            match decide(class, &retry, charged, Left::default(), chance()) {
                Decision::Retry { charge, .. } => charged.add(charge),
                Decision::GiveUp { .. } => break,
            }
            prop_assert!(charged.retries <= retry.max_retries);
            prop_assert!(charged.losses <= retry.max_losses);
        }
    }

    #[test]
    fn the_estimate_adds_up_every_wait(retry in any_retry()) {
        let mut terms = classifier();
        terms.retry = retry;
        let placement = Placement { gpu: terms.candidates[0].gpu.clone(), tier: Default::default() };
        let choice = Choice { placement, usd_per_hour: 0.35, offered: true, reason: String::new(), considered: vec![] };
        let waits = |count| (0..count).map(|n| backoff(&retry, n).as_secs_f64()).sum::<f64>();
        let expected = f64::from(1 + retry.max_retries + retry.max_losses) * 3600.0
            + waits(retry.max_retries)
            + waits(retry.max_losses);
        let found = estimate(&terms, &choice, &[]).worst_seconds;
        prop_assert!((found - expected).abs() <= 1e-6 * expected, "{found} is not {expected}");
    }

    #[test]
    fn a_run_and_what_it_may_cost_after_its_limit_stay_within_the_money(
        left in 0.0..100.0, price in 0.01..100.0, timeout in 1u64..86_400, margin in 0u64..4_000,
    ) {
        let (timeout, margin) = (Duration::from_secs(timeout), Duration::from_secs(margin));
        let money = Left { time: None, usd: Some(left) };
        let limit = run_limit(timeout, money, price, margin);
        if !limit.time.is_zero() {
            prop_assert!(usd(limit.time + margin, price) <= left + 1e-6);
        }
        prop_assert!(limit.time <= timeout);
    }

    #[test]
    fn money_buys_the_time_that_costs_it(amount in 0.0..1e5, price in 0.01..100.0) {
        prop_assert!((usd(affordable(amount, price), price) - amount).abs() < 1e-6);
    }
}
