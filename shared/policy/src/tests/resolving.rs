//! From a submission to its terms, and to what it can cost.

use contract::Tier;
use serde_json::{Value, json};

use super::{classes, resolved};
use crate::{Placement, choose, estimate};

/// Which classes and which timeout a submission comes to.
fn check(submission: Value, expected_classes: &str, expected_timeout: f64) {
    let terms = resolved(submission.clone()).unwrap();
    assert_eq!(classes(&terms), expected_classes, "{submission}");
    assert_eq!(terms.timeout.as_f64(), expected_timeout, "{submission}");
}

#[test]
fn the_most_particular_list_of_classes_wins() {
    check(json!({ "workload": "classifier" }), "t4 l4 cpu", 3600.0);
    check(json!({ "workload": "classifier", "profile": "fast" }), "l4", 3600.0);
    check(json!({ "workload": "classifier", "params": { "batch_size": 512 } }), "t4 l4 cpu", 3600.0);
    check(json!({ "workload": "classifier", "params": { "batch_size": 513 } }), "a100", 3600.0);
    check(
        json!({ "workload": "classifier", "profile": "fast", "params": { "batch_size": 1024 } }),
        "a100",
        3600.0,
    );
    check(
        json!({ "workload": "classifier", "params": { "batch_size": 1024 }, "resources": { "gpu": ["h100", "h100"] } }),
        "h100",
        3600.0,
    );
    check(json!({ "workload": "dit" }), "a10g a100", 7200.0);
}

#[test]
fn memory_leaves_out_the_classes_that_are_too_small() {
    check(json!({ "workload": "classifier", "resources": { "memory_mib": 16000 } }), "l4 cpu", 3600.0);
    let large = json!({ "data": "cats", "arch": "resnet50", "image_size": 224, "batch_size": 192 });
    check(json!({ "workload": "classifier", "params": large }), "l4", 3600.0);
    let known = json!({ "memory_mib": 12000 });
    check(json!({ "workload": "classifier", "params": large, "resources": known }), "t4 l4 cpu", 3600.0);
}

#[test]
fn trainers_that_share_a_gpu_have_their_share_of_its_memory() {
    let mut shipped = super::shipped();
    shipped.workloads.values_mut().for_each(|policy| policy.gpu_memory_share = Some(0.5));
    let submission = json!({ "workload": "classifier", "resources": { "memory_mib": 8000 } });
    let submission = serde_json::from_value(submission).unwrap();
    let terms = crate::resolve(&submission, &shipped.workloads, &shipped.gpu).unwrap();
    let memory: Vec<u64> = terms.candidates.iter().map(|candidate| candidate.price.memory_mib).collect();
    assert_eq!((classes(&terms).as_str(), memory), ("l4 cpu", vec![11_517, 16_384]));
}

#[test]
fn an_attempt_never_runs_longer_than_a_day() {
    check(json!({ "workload": "dit", "profile": "full" }), "a10g a100", 86_400.0);
    check(json!({ "workload": "dit", "profile": "full", "timeout": "90m" }), "a10g a100", 5400.0);
    check(json!({ "workload": "classifier", "timeout": "48h" }), "t4 l4 cpu", 86_400.0);
}

#[test]
fn more_than_an_attempt_gets_is_answered_with_a_clear_word() {
    let warnings = |timeout: &str| {
        let terms = resolved(json!({ "workload": "classifier", "timeout": timeout })).unwrap();
        estimate(&terms, &choose(&terms, None, |_| true), &[]).warnings
    };
    assert_eq!(
        warnings("48h"),
        [
            "timeout is 2days, and one attempt of classifier runs 1day at most: that is what it gets; its checkpoints \
          carry the work on into the next attempt"
        ]
    );
    assert_eq!(warnings("24h"), Vec::<String>::new());
    assert_eq!(warnings("auto"), Vec::<String>::new());
}

#[test]
fn an_operator_may_allow_less_than_a_day() {
    let mut shipped = super::shipped();
    shipped.workloads.get_mut(&"classifier".parse().unwrap()).unwrap().max_timeout = "2h".parse().ok();
    let terms = |timeout: &str| {
        let submission = json!({ "workload": "classifier", "timeout": timeout });
        crate::resolve(&serde_json::from_value(submission).unwrap(), &shipped.workloads, &shipped.gpu)
            .unwrap()
    };
    let long = terms("3h");
    assert_eq!((long.timeout.as_f64(), long.warnings.len()), (7200.0, 1));
    let auto = terms("auto");
    assert_eq!((auto.timeout.as_f64(), auto.longest().as_f64()), (3600.0, 7200.0));
}

#[test]
fn what_is_not_known_is_named_beside_what_is() {
    let refusals = [
        (
            json!({ "workload": "poetry" }),
            "workload poetry is not known; the workloads are classifier and dit",
        ),
        (
            json!({ "workload": "classifier", "profile": "slow" }),
            "profile slow is not known to workload classifier; its profiles are fast",
        ),
        (
            json!({ "workload": "classifier", "resources": { "gpu": ["t5"] } }),
            "resources.gpu: t5 is not a known GPU class; the classes are a100, a10g, cpu, h100, h200, l4 and t4",
        ),
        (
            json!({ "workload": "classifier", "resources": { "memory_mib": 50000 } }),
            "resources.memory_mib: none of t4, l4 and cpu has 50000 MiB; the largest has 23034 MiB",
        ),
        (
            json!({ "workload": "classifier", "params": {
                "data": "cats", "arch": "resnet50", "image_size": 224, "batch_size": 1024
            } }),
            "the job needs about 102085 MiB of device memory (resnet50, 1024 images of 224 pixels at a time, fp32), \
             and none of a100 has that; the largest has 40960 MiB. accumulation=4 would need 27810 MiB; or ask for a \
             larger class in resources.gpu, or set resources.memory_mib if you know better",
        ),
    ];
    for (submission, message) in refusals {
        assert_eq!(resolved(submission).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_estimate_is_the_worst_case() {
    let terms = resolved(json!({ "workload": "classifier" })).unwrap();
    let choice = choose(&terms, None, |placement: &Placement| placement.gpu.as_str() == "cpu");
    let worst = estimate(&terms, &choice, &[]);
    assert_eq!((worst.gpu.as_str(), worst.tier, worst.usd_per_hour), ("cpu", Tier::OnDemand, 0.05));
    assert_eq!(worst.worst_attempts, 7);
    // Seven hours, and 10 + 20 + 40 seconds of waiting for the retries and for the losses each.
    assert!((worst.worst_seconds - (7.0 * 3600.0 + 140.0)).abs() < 1e-6);
    // Its retries may land on the dearest class.
    assert!((worst.worst_usd - 7.0 * 0.60).abs() < 1e-9);
}

#[test]
fn the_estimate_is_cut_at_the_total_limits() {
    let limited = json!({ "workload": "classifier", "total": { "time": "2h", "usd": 0.5 } });
    let terms = resolved(limited).unwrap();
    let worst = estimate(&terms, &choose(&terms, None, |_| true), &[]);
    assert_eq!((worst.worst_seconds, worst.worst_usd), (7200.0, 0.5));
}
