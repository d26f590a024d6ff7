//! Sweeps.

use std::collections::BTreeSet;

use contract::{
    Failure,
    sweep::{Direction, EarlyStop, Resource, Search},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sweep::{InvalidSearch, Race, count, likeness, race, rungs_reached, trial_params};

fn search(value: Value) -> Search {
    serde_json::from_value(value).unwrap()
}

fn trials(search: &Search) -> Vec<Value> {
    (1..=count(search).unwrap()).map(|number| Value::Object(trial_params(search, number))).collect()
}

#[test]
fn a_grid_is_every_combination() {
    let grid = search(json!({ "method": "grid", "params": { "arch": ["a", "b"], "lr": [0.1, 0.2, 0.3] } }));
    let expected: Vec<Value> = ["a", "b"]
        .iter()
        .flat_map(|arch| [0.1, 0.2, 0.3].map(|lr| json!({ "arch": arch, "lr": lr })))
        .collect();
    assert_eq!(trials(&grid), expected);
    assert!(trial_params(&grid, 0).is_empty() && trial_params(&grid, 7).is_empty());
}

#[test]
fn a_list_is_taken_as_it_stands() {
    let list = search(json!({ "method": "list", "trials": [{ "lr": 0.1 }, { "lr": 0.2, "epochs": 5 }] }));
    assert_eq!(trials(&list), [json!({ "lr": 0.1 }), json!({ "lr": 0.2, "epochs": 5 })]);
}

fn drawn(seed: u64, params: Value) -> Vec<Value> {
    trials(&search(json!({ "method": "random", "count": 200, "seed": seed, "params": params })))
}

#[test]
fn draws_keep_to_their_bounds_and_reach_all_of_them() {
    let drawn = drawn(
        7,
        json!({
            "a": { "uniform": [-1.0, 3.0] }, "b": { "log_uniform": [1e-4, 1e-1] },
            "c": { "int": [2, 4] }, "d": { "choice": ["x", "y"] },
        }),
    );
    let number = |name: &str| drawn.iter().map(|trial| trial[name].as_f64().unwrap()).collect::<Vec<_>>();
    assert!(number("a").iter().all(|a| (-1.0..=3.0).contains(a)));
    let mean = number("a").iter().sum::<f64>() / 200.0;
    assert!((mean - 1.0).abs() < 0.3, "{mean}");
    assert!(number("b").iter().all(|b| (1e-4..=1e-1).contains(b)));
    let decade = number("b").iter().filter(|b| **b < 1e-3).count();
    assert!((45..90).contains(&decade), "a third of the draws lies in each decade: {decade}");
    let ints: BTreeSet<i64> = drawn.iter().map(|trial| trial["c"].as_i64().unwrap()).collect();
    assert_eq!(Vec::from_iter(ints), [2, 3, 4]);
    let choices: BTreeSet<&str> = drawn.iter().map(|trial| trial["d"].as_str().unwrap()).collect();
    assert_eq!(Vec::from_iter(choices), ["x", "y"]);
}

/// What was drawn once is drawn again by every later release: a sweep that goes on after an upgrade is the same one.
#[test]
fn draws_follow_from_seed_number_and_name_alone() {
    let one = drawn(7, json!({ "lr": { "log_uniform": [1e-4, 1e-1] } }));
    let two = drawn(7, json!({ "a": { "int": [0, 9] }, "lr": { "log_uniform": [1e-4, 1e-1] } }));
    assert!(one.iter().zip(&two).all(|(one, two)| one["lr"] == two["lr"]));
    assert_ne!(one, drawn(8, json!({ "lr": { "log_uniform": [1e-4, 1e-1] } })));
    assert_eq!(one[0], json!({ "lr": 0.0327063 }));
}

#[test]
fn a_search_that_makes_no_sense_is_refused_by_name() {
    let refusal = |value: Value| count(&search(value)).unwrap_err().to_string();
    let random = |params: Value| refusal(json!({ "method": "random", "count": 3, "params": params }));
    let empty = InvalidSearch::Empty.to_string();
    assert_eq!(refusal(json!({ "method": "grid", "params": {} })), empty);
    assert_eq!(refusal(json!({ "method": "grid", "params": { "lr": [] } })), empty);
    assert_eq!(refusal(json!({ "method": "list", "trials": [] })), empty);
    assert_eq!(
        refusal(json!({ "method": "random", "count": 1001, "params": { "a": { "int": [1, 2] } } })),
        "search comes to 1001 trials; a sweep has at most 1000"
    );
    assert_eq!(
        random(json!({ "lr": { "log_uniform": [0.0, 1.0] } })),
        "search.params.lr is logarithmic and begins at 0 or below"
    );
    assert_eq!(
        random(json!({ "lr": { "uniform": [2.0, 1.0] } })),
        "search.params.lr goes from a larger number to a smaller one; write [low, high]"
    );
    assert_eq!(random(json!({ "a": { "choice": [] } })), "search.params.a has nothing to choose from");
}

#[test]
fn rungs_stand_at_powers_of_the_factor() {
    let early_stop = EarlyStop { resource: Resource::Epochs, first: 2, factor: 3 };
    let reached = [1, 2, 5, 6, 17, 18, u64::MAX].map(|used| rungs_reached(&early_stop, used));
    assert_eq!(reached, [0, 1, 1, 2, 2, 3, 40]);
}

#[test]
fn one_of_each_factor_goes_on() {
    let max = |before: &[f64], value| race(before, value, 3, Direction::Maximize);
    assert_eq!(max(&[], 0.1), Race::GoOn);
    assert_eq!(max(&[0.5], 0.1), Race::GoOn, "two are too few to tell");
    assert_eq!(max(&[0.5, 0.4], 0.1), Race::Stop);
    assert_eq!(max(&[0.5, 0.4], 0.6), Race::GoOn);
    assert_eq!(max(&[0.5, 0.4], 0.5), Race::GoOn, "a tie is no defeat");
    assert_eq!(max(&[0.5, 0.4, 0.3, 0.2, 0.1], 0.45), Race::GoOn, "the second of six");
    assert_eq!(max(&[0.5, 0.4, 0.3, 0.2, 0.1], 0.35), Race::Stop, "the third of six");
    assert_eq!(race(&[0.5, 0.4], 0.1, 3, Direction::Minimize), Race::GoOn);
    assert_eq!(race(&[0.5, 0.4], 0.6, 3, Direction::Minimize), Race::Stop);
}

proptest! {
    /// Whatever the order, the best of all that reach a rung goes on, and what goes on loses to few.
    #[test]
    fn the_best_always_goes_on(values in proptest::collection::vec(0.0..1.0f64, 1..60), factor in 2u32..6) {
        let mut best = f64::NEG_INFINITY;
        for (n, value) in values.iter().enumerate() {
            let decision = race(&values[..n], *value, factor, Direction::Maximize);
            if best < *value {
                best = *value;
                prop_assert_eq!(decision, Race::GoOn);
            }
            let ahead = values[..n].iter().filter(|other| value < other).count();
            if factor as usize <= n + 1 && (n + 1) / factor as usize <= ahead {
                prop_assert_eq!(decision, Race::Stop);
            }
        }
    }

    #[test]
    fn no_bounds_break_the_draw(low in any::<i64>(), high in any::<i64>(), a in any::<f64>(), b in any::<f64>()) {
        let random = |distribution: Value| json!({ "method": "random", "count": 5, "params": { "p": distribution } });
        let mut all = vec![random(json!({ "int": [low, high] }))];
        if a.is_finite() && b.is_finite() {
            all.extend([random(json!({ "uniform": [a, b] })), random(json!({ "log_uniform": [a, b] }))]);
        }
        for value in all {
            let search = search(value);
            if let Ok(count) = count(&search) {
                for number in 1..=count {
                    prop_assert!(trial_params(&search, number)["p"].is_number());
                }
            }
        }
    }
}

#[test]
fn failures_are_alike_without_names_and_numbers() {
    let alike = |message: &str, job: &str| likeness(&Failure::permanent(message), &job.parse().unwrap());
    let first = alike("jobs/lr-1: loss is NaN at step 1200, lr 0.5", "lr-1");
    assert_eq!(first, "permanent: jobs/JOB: loss is NaN at step #, lr #");
    assert_eq!(alike("jobs/lr-12: loss is NaN at step 7, lr 10", "lr-12"), first);
    assert_ne!(alike("no images", "lr-1"), first);
    assert!(alike(&"é".repeat(1000), "lr-1").chars().count() <= 200);
}
