//! Where attempts run.

use serde_json::json;

use super::{classifier, resolved};
use crate::{Placement, Terms, choose, placements};

/// What is chosen while workers offer `offered`, and why.
fn check(terms: &Terms, outgrown_mib: Option<u64>, offered: &[&str], expected: &str) {
    let choice = choose(terms, outgrown_mib, |placement| offered.contains(&placement.to_string().as_str()));
    assert_eq!(format!("{} at {}: {}", choice.placement, choice.usd_per_hour, choice.reason), expected);
}

#[test]
fn the_first_class_that_a_worker_offers() {
    let terms = classifier();
    check(&terms, None, &["t4", "cpu"], "t4 at 0.35: t4 is the first of the classes of workload classifier");
    check(
        &terms,
        None,
        &["cpu", "a100"],
        "cpu at 0.05: cpu is the first of t4, l4 and cpu that a worker offers (classes of workload classifier)",
    );
    check(
        &terms,
        None,
        &["a100", "t4 (spot)"],
        "t4 at 0.35: no worker offers t4, l4 or cpu; t4 is the first of the classes of workload classifier",
    );
    let fast = resolved(json!({ "workload": "classifier", "profile": "fast" })).unwrap();
    check(&fast, None, &["l4"], "l4 at 0.6: l4 is the only one of the classes of profile fast");
}

#[test]
fn preemptible_machines_only_where_the_job_allows_them() {
    let order = |spot: &str| {
        let submission =
            json!({ "workload": "classifier", "resources": { "gpu": ["t4", "l4"], "spot": spot } });
        let order = placements(&resolved(submission).unwrap(), None);
        order.iter().map(Placement::to_string).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(order("never"), "t4, l4");
    assert_eq!(order("allow"), "t4 (spot), t4, l4 (spot), l4");
    assert_eq!(order("only"), "t4 (spot), l4 (spot)");
}

#[test]
fn a_larger_class_first_after_running_out_of_memory() {
    let terms = classifier();
    let order = |outgrown| {
        placements(&terms, Some(outgrown)).iter().map(Placement::to_string).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(order(15_360), "l4, cpu, t4");
    assert_eq!(order(16_384), "l4, t4, cpu");
    assert_eq!(order(23_034), "t4, l4, cpu");
}
