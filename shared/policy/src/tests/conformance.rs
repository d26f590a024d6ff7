//! The policy that ships, a line of its table each.

use contract::{Workload, dit::DitParams, params::WorkloadParams};
use serde_json::{Map, Value, json};

use super::{classes, filled_in, resolved, shipped};
use crate::backoff;

fn workload(name: &str) -> Workload {
    serde_json::from_value(json!(name)).unwrap()
}

#[test]
fn the_waits_are_those_of_the_table() {
    let table: &[(&str, &[u64])] = &[
        ("classifier: 10 s × 2^n, at most 300 s", &[10, 20, 40, 80, 160, 300, 300]),
        ("dit: 30 s × 2^n, at most 600 s", &[30, 60, 120, 240, 480, 600, 600]),
    ];
    for (row, expected) in table {
        let (name, _) = row.split_once(':').unwrap();
        let retry = shipped().workloads[&workload(name)].retry;
        let waits: Vec<u64> = (0..7).map(|n| backoff(&retry, n).as_secs()).collect();
        assert_eq!(waits, *expected, "{row}");
    }
}

#[test]
fn the_budgets_and_limits_are_those_of_the_table() {
    let table = [
        ("classifier: retries", "classifier", 3),
        ("dit: retries", "dit", 2),
        ("classifier: losses", "classifier", 3),
        ("dit: losses", "dit", 3),
        ("classifier: concurrency", "classifier", 2),
        ("dit: concurrency", "dit", 1),
    ];
    for (row, name, expected) in table {
        let policy = &shipped().workloads[&workload(name)];
        let found = match row.rsplit_once(' ').unwrap().1 {
            "retries" => policy.retry.max_retries,
            "losses" => policy.retry.max_losses,
            _ => policy.concurrency,
        };
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn the_parameters_of_profiles_are_those_of_the_table() {
    let table = [
        ("dit: 20,000 steps", json!({}), 20_000),
        ("dit: fast: 20,000 steps", json!({ "profile": "fast" }), 20_000),
        ("dit: full: 200,000 steps", json!({ "profile": "full" }), 200_000),
        ("dit: full: what a job says itself", json!({ "profile": "full", "params": { "steps": 7 } }), 7),
    ];
    for (row, mut submission, expected) in table {
        submission["workload"] = json!("dit");
        let submission = filled_in(submission).with_default_params(json_map(json!({ "data": "pets" })));
        assert_eq!(DitParams::parse(&submission.params).unwrap().steps, expected, "{row}");
    }
}

fn json_map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// The table's ten inputs a worker are ten slots: ten runs that share one process and its device. One slot ships, because
/// each run trains and keeps the device and its memory to itself; that ten are honoured is the scheduler's to show.
#[test]
fn ten_inputs_a_worker_are_ten_slots() {
    for name in ["classifier", "dit"] {
        assert_eq!(shipped().workloads[&workload(name)].slots, 1, "{name}: what ships");
    }
    let text = include_str!("../../../../rekindle.toml").replace("\nslots = 1\n", "\nslots = 10\n");
    let policies = toml::from_str::<super::Shipped>(&text).unwrap().workloads;
    assert_eq!(policies[&workload("classifier")].slots, 10, "classifier: inputs per worker 10");
}

#[test]
fn the_classes_are_those_of_the_table() {
    let table = [
        ("classifier: t4, then l4", json!({}), "t4 l4 cpu"),
        ("classifier: batch_size 512 is not large", json!({ "params": { "batch_size": 512 } }), "t4 l4 cpu"),
        ("classifier: batch_size 513 is large", json!({ "params": { "batch_size": 513 } }), "a100"),
        ("classifier: fast", json!({ "profile": "fast" }), "l4"),
        ("dit: a10g, then a100", json!({}), "a10g a100"),
        ("dit: batch_size 512 is not large", json!({ "params": { "batch_size": 512 } }), "a10g a100"),
        ("dit: batch_size 513 is large", json!({ "params": { "batch_size": 513 } }), "a100"),
        ("dit: fast", json!({ "profile": "fast" }), "l4"),
    ];
    for (row, mut submission, expected) in table {
        submission["workload"] = json!(row.split_once(':').unwrap().0);
        // Only the matrix is looked at here; what the job needs of memory is another table's.
        submission["resources"] = json!({ "memory_mib": 1 });
        assert_eq!(classes(&resolved(submission).unwrap()), expected, "{row}");
    }
}
