//! Bills: what a job paid, by month, class and tier.

use super::{Scene, rules};
use crate::core::{Bill, BillLine, Job};

/// `2001-09 t4 spot 20.0 s 0.000778 of 0.001944 USD`
fn lines(bill: &Bill) -> Vec<String> {
    let line = |line: &BillLine| {
        let BillLine { month, gpu, tier, ms, usd, usd_on_demand } = line;
        let seconds = *ms as f64 / 1000.0;
        format!("{month} {gpu} {tier} {seconds:.1} s {usd:.6} of {usd_on_demand:.6} USD")
    };
    bill.lines().iter().map(line).collect()
}

fn job<'a>(scene: &'a Scene, id: &str) -> &'a Job {
    scene.core.job(&id.parse().unwrap()).unwrap()
}

#[test]
fn an_attempt_is_billed_to_the_month_the_class_and_the_tier_it_ran_in() {
    let mut scene = Scene::new(rules());
    scene.play(&[
        "hello w1 t4 spot",
        "hello w2 l4",
        "submit a resources.spot=allow resources.gpu=[\"t4\",\"l4\"]",
        "claim w1 a.1",
        "live 50s w1=a.1@9",
        "bye w1",
        "ended w1 a.1@10 preempted",
        "claim w2 a.2",
        "live 10s w2=a.2@19",
        "ended w2 a.2@20 ok",
    ]);
    let expected = [
        "2001-09 t4 spot 20.0 s 0.000778 of 0.001944 USD",
        "2001-10 t4 spot 30.0 s 0.001167 of 0.002917 USD",
        "2001-10 l4 on-demand 10.0 s 0.001667 of 0.001667 USD",
    ];
    let job = job(&scene, "a");
    assert_eq!(lines(&job.bill), expected);
    let saved = job.ledger_view(scene.now).saved_usd;
    assert!(
        (saved - 50.0 / 3600.0 * (0.35 - 0.14)).abs() < 1e-12,
        "the ledger says what spot saved: {saved}"
    );
}

#[test]
fn an_attempt_that_runs_has_saved_something_already() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4 spot", "submit a resources.spot=only", "claim w1 a.1", "wait 5s"]);
    let saved = job(&scene, "a").ledger_view(scene.now).saved_usd;
    assert!((saved - 5.0 / 3600.0 * (0.35 - 0.14)).abs() < 1e-12, "{saved}");
}

#[test]
fn an_attempt_that_runs_is_on_the_bill_up_to_when_it_was_last_heard() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4", "submit a", "claim w1 a.1", "live 10s w1=a.1@9", "wait 3s"]);
    let job = job(&scene, "a");
    assert_eq!(lines(&job.bill), [""; 0], "it is not over");
    assert_eq!(lines(&job.bill_so_far()), ["2001-09 t4 on-demand 10.0 s 0.000972 of 0.000972 USD"]);
}

#[test]
fn an_attempt_that_was_given_up_too_early_is_billed_for_all_of_it() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4", "submit a", "claim w1 a.1", "live 10s w1=a.1@9", "wait 11s"]);
    let heard = "2001-09 t4 on-demand 10.0 s 0.000972 of 0.000972 USD";
    assert_eq!(lines(&job(&scene, "a").bill), [heard], "lost, and paid for up to its last heartbeat");

    scene.play(&["wait 1s", "ended w1 a.1@20 ok"]);
    let whole = [
        "2001-09 t4 on-demand 20.0 s 0.001944 of 0.001944 USD",
        "2001-10 t4 on-demand 2.0 s 0.000194 of 0.000194 USD",
    ];
    let job = job(&scene, "a");
    assert_eq!(lines(&job.bill), whole);
    assert!((job.attempts[0].usd - job.ledger.usd).abs() < 1e-12);
}

#[test]
fn the_bill_remembers_attempts_that_are_forgotten() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4 spot", "submit a resources.spot=only"]);
    for attempt in 1..=60 {
        let run = format!("a.{attempt}@{attempt}");
        scene.play(&[
            &format!("claim w1 a.{attempt}"),
            &format!("live 1s w1={run}"),
            &format!("ended w1 {run} preempted"),
        ]);
    }
    let job = job(&scene, "a");
    assert!(job.attempts.len() < 60, "{} attempts are kept one by one", job.attempts.len());
    let expected = [
        "2001-09 t4 spot 20.0 s 0.000778 of 0.001944 USD",
        "2001-10 t4 spot 40.0 s 0.001556 of 0.003889 USD",
    ];
    assert_eq!(lines(&job.bill), expected);
    assert_eq!(job.ledger.running_ms, 60_000);
}

#[test]
fn a_job_of_an_earlier_release_begins_an_empty_bill() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4", "submit a", "claim w1 a.1", "live 10s w1=a.1@9"]);
    let mut body = serde_json::to_value(job(&scene, "a")).unwrap();
    body.as_object_mut().unwrap().remove("bill").unwrap();
    let read: Job = serde_json::from_value(body).unwrap();
    assert_eq!(read, *job(&scene, "a"));
}
