//! Where attempts run.

use serde_json::{Value, json};

use super::{classifier, resolved};
use crate::{Circumstances, Placement, Terms, choose, considered, placements};

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

/// Every class with what came of it, for a submission and the workers there are; the first is where it is sent.
fn explained(resources: Value, batch_size: u32, offered: &[&str]) -> Vec<String> {
    let params = json!({ "data": "cats", "arch": "resnet50", "image_size": 224, "batch_size": batch_size });
    let submission = json!({ "workload": "classifier", "params": params, "resources": resources });
    let choice = choose(&resolved(submission).unwrap(), None, |placement| {
        offered.contains(&placement.to_string().as_str())
    });
    let line = |class: &contract::ConsideredClass| {
        format!("{} {}: {}: {}", class.gpu, class.tier, class.verdict.as_str(), class.reason)
    };
    choice.considered.iter().map(line).collect()
}

#[test]
fn every_class_says_what_came_of_it() {
    assert_eq!(
        explained(json!({}), 192, &["l4", "cpu"]),
        [
            "l4 on-demand: taken: the first that a worker offers",
            "t4 on-demand: too small: has 15360 MiB; the job needs 20322 MiB",
            "cpu on-demand: too small: has 16384 MiB; the job needs 20322 MiB",
        ]
    );
    assert_eq!(
        explained(json!({}), 64, &["l4", "cpu"]),
        [
            "t4 on-demand: no worker: no worker offers it",
            "l4 on-demand: taken: the first that a worker offers",
            "cpu on-demand: later: comes after l4",
        ]
    );
    assert_eq!(
        explained(json!({ "gpu": ["h100"], "spot": "allow" }), 64, &[]),
        ["h100 spot: no worker: no worker offers it", "h100 on-demand: no worker: no worker offers it"]
    );
}

#[test]
fn the_cheapest_that_fits_where_the_job_prefers_it() {
    let gpu = ["h100", "cpu", "a100", "t4", "l4"];
    let all = ["h100", "cpu", "a100", "t4", "l4", "h100 (spot)", "l4 (spot)"];
    assert_eq!(
        explained(json!({ "gpu": gpu, "prefer": "cheapest" }), 192, &all),
        [
            "l4 on-demand: taken: the cheapest that a worker offers",
            "a100 on-demand: dearer: costs 3 USD an hour, l4 0.6",
            "h100 on-demand: dearer: costs 5 USD an hour, l4 0.6",
            "cpu on-demand: too small: has 16384 MiB; the job needs 20322 MiB",
            "t4 on-demand: too small: has 15360 MiB; the job needs 20322 MiB",
        ]
    );
    let spot = json!({ "gpu": ["l4", "h100"], "prefer": "cheapest", "spot": "allow" });
    let order: Vec<String> = explained(spot, 64, &["l4", "h100 (spot)"]);
    assert_eq!(
        order,
        [
            "l4 spot: no worker: no worker offers it",
            "l4 on-demand: taken: the cheapest that a worker offers",
            "h100 spot: dearer: costs 2 USD an hour, l4 0.6",
            "h100 on-demand: no worker: no worker offers it",
        ]
    );
    let terms = resolved(json!({ "workload": "classifier", "resources": { "prefer": "cheapest" } })).unwrap();
    check(
        &terms,
        None,
        &["l4", "cpu"],
        "l4 at 0.6: l4 is the cheapest of t4, l4 and cpu that a worker offers (classes of workload classifier)",
    );
}

#[test]
fn what_was_not_claimed_or_was_outgrown_is_told_apart() {
    let terms = classifier();
    let taken = Placement { gpu: "l4".parse().unwrap(), tier: Default::default() };
    let unclaimed = [Placement { gpu: "cpu".parse().unwrap(), tier: Default::default() }];
    let circumstances =
        Circumstances { outgrown_mib: Some(15_360), taken: Some(&taken), unclaimed: &unclaimed };
    let verdicts: Vec<String> = considered(&terms, circumstances, |_| true)
        .iter()
        .map(|class| format!("{}: {}: {}", class.gpu, class.verdict.as_str(), class.reason))
        .collect();
    assert_eq!(
        verdicts,
        [
            "l4: taken: the first that a worker offers",
            "cpu: unclaimed: its workers did not claim the attempt in time",
            "t4: later: the job ran out of memory on as much",
        ]
    );
}
