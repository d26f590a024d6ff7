//! The checker, shown a storm that went well and then the same with one thing wrong.

use contract::{control::JobView, decode, lease::Progress};
use serde_json::json;

use super::*;

const JOB: &str = "flowers-7";

fn attempt(number: u32, leased_at: u64, ended_at: u64) -> Value {
    json!({
        "attempt": number, "worker": "host-0", "gpu": "cpu", "tier": "on-demand",
        "leased_at": leased_at, "ended_at": ended_at, "progress": Progress::default(), "usd": 0.5
    })
}

fn manifest(token: u32, step: u64) -> Manifest {
    let value = json!({
        "job_id": JOB, "token": token, "step": step, "role": "periodic", "key": "k", "bytes": 1, "blake3": "00",
        "committed_at": 0
    });
    serde_json::from_value(value).unwrap()
}

/// One job that was lost once and succeeded then.
fn good() -> Record {
    let view: JobView =
        decode(include_bytes!("../../../../shared/contract/golden/job.view.v1.json")).unwrap();
    let mut view = serde_json::to_value(view).unwrap();
    let first = attempt(1, 1_000, 5_000);
    let second = attempt(2, 6_000, 9_000);
    view["state"] = json!("succeeded");
    view["failure"] = Value::Null;
    view["attempts"] = json!([first, second]);
    view["attempts"][0]["charged_to"] = json!("losses");
    view["ledger"] = json!({
        "queued": 0.0, "backing_off": 1.0, "running": 7.0, "usd": 1.0,
        "retries": 0, "losses": 1, "preemptions": 0, "steps_repeated": 0
    });
    let view: JobView = serde_json::from_value(view).unwrap();
    let mut submission = view.submission.clone();
    submission.total.usd = Some(1.0);
    let history =
        [("job.queued", 0), ("job.leased", 1), ("job.retrying", 1), ("job.leased", 2), ("job.ended", 0)];
    let history = history.map(|(kind, attempt)| match kind {
        "job.ended" => json!({ "kind": kind, "state": "succeeded" }),
        _ => json!({ "kind": kind, "attempt": attempt }),
    });
    let (workload, owner) = (submission.workload.clone(), submission.owner.clone());
    let job = JobRecord {
        submission,
        usd_per_hour: 3600.0,
        ends: vec![JobState::Succeeded],
        view,
        history: history.into(),
        checkpoints: vec![manifest(2, 30), manifest(2, 20), manifest(1, 10)],
        damage: Vec::new(),
        result: Some(("abc".into(), "abc".into())),
    };
    Record {
        jobs: BTreeMap::from([(JobId::new(JOB).unwrap(), job)]),
        concurrency: BTreeMap::from([(workload, 1)]),
        owners_concurrency: BTreeMap::from([(owner, 1)]),
        heartbeat_hours: 0.5 / 3600.0,
    }
}

/// What the checker says when one thing about the job is wrong.
#[track_caller]
fn check(change: impl FnOnce(&mut JobRecord), expected: &[&str]) {
    let mut record = good();
    change(record.jobs.values_mut().next().unwrap());
    let expected: Vec<String> = expected.iter().map(|problem| format!("{JOB}: {problem}")).collect();
    assert_eq!(record.broken(), expected);
}

fn leased(attempt: u32) -> Value {
    json!({ "kind": "job.leased", "attempt": attempt })
}

#[test]
fn a_storm_that_went_well_is_not_objected_to() {
    check(|_| {}, &[]);
}

#[test]
fn a_job_without_an_end_or_with_two() {
    check(|job| drop(job.history.pop()), &["it has 0 ends in its history, not one"]);
    check(
        |job| job.history.push(json!({ "kind": "job.ended", "state": "succeeded" })),
        &["it has 2 ends in its history, not one"],
    );
    check(|job| job.history[4]["state"] = json!("dead"), &["its history tells another end than succeeded"]);
    check(|job| job.ends = vec![JobState::Dead], &["it is succeeded"]);
}

#[test]
fn two_leases_at_once() {
    check(|job| drop(job.history.remove(2)), &["attempt 2 was leased while 1 held the lease"]);
    check(|job| job.history[3] = leased(3), &["attempt 3 was leased after 1"]);
    check(|job| job.history.push(leased(3)), &["attempt 3 was leased after the end"]);
    check(
        |job| job.history[2] = json!({ "kind": "job.retrying", "attempt": 7 }),
        &["attempt Some(7) failed, and Some(1) held the lease"],
    );
}

#[test]
fn a_pause_gives_the_lease_back() {
    let told = |kind: &str| json!({ "kind": kind, "attempt": 1 });
    check(|job| drop(job.history.splice(2..3, [told("job.paused"), told("job.resumed")])), &[]);
    check(|job| job.history[2] = told("job.resumed"), &[]);
    check(
        |job| drop(job.history.splice(2..2, [told("job.paused")])),
        &["attempt Some(1) failed, and None held the lease"],
    );
}

#[test]
fn attempts_that_overlap_are_one_too_many_and_pass_the_limits() {
    let mut record = good();
    let job = record.jobs.values_mut().next().unwrap();
    job.view.attempts[1].leased_at = Timestamp(4_000);
    job.view.ledger.running = contract::Seconds::new(9.0).unwrap();
    assert_eq!(
        record.broken(),
        [
            "flowers-7: attempt 2 began before 1 was over",
            "2 of classifier ran at once, not 1",
            "2 of owner vision-team ran at once, not 1"
        ]
    );
}

#[test]
fn a_ledger_that_is_not_the_sum_of_its_attempts() {
    check(|job| job.view.attempts[0].usd = 0.25, &["its attempts cost 0.75 USD and its ledger says 1"]);
    check(
        |job| job.view.ledger.running = contract::Seconds::new(8.0).unwrap(),
        &["its attempts ran 7 s and its ledger says 8s"],
    );
    check(|job| job.view.ledger.losses = 2, &["1 attempts were charged to Losses, and the ledger counts 2"]);
}

#[test]
fn a_cap_that_is_passed_by_more_than_a_heartbeat() {
    check(|job| job.submission.total.usd = Some(0.6), &[]);
    check(
        |job| job.submission.total.usd = Some(0.4),
        &["it cost 1 USD; its cap and one heartbeat's worth come to 0.9"],
    );
}

#[test]
fn a_checkpoint_that_should_not_be() {
    check(
        |job| job.checkpoints = vec![manifest(1, 40), manifest(2, 30)],
        &["attempt 1 committed step 40 after attempt 2"],
    );
    check(
        |job| job.checkpoints.insert(0, manifest(3, 40)),
        &["a checkpoint is by attempt 3, which never was"],
    );
    check(|job| job.damage = vec!["step 30 is cut short".into()], &["step 30 is cut short"]);
}

#[test]
fn a_result_that_remembers_the_storm() {
    check(
        |job| job.result = Some(("abd".into(), "abc".into())),
        &[r#"it left "abd", and an undisturbed run leaves "abc""#],
    );
}
