//! What a job is expected to come to, after those before it.

use contract::{ExpectedCase, SubmitJob};
use serde_json::{Value, json};

use super::{Scene, rules, stories_money::capped};
use crate::core::{Answer, Command, Event};

fn expected(scene: &mut Scene, params: Value, gpu: &str) -> ExpectedCase {
    let submission: SubmitJob = serde_json::from_value(
        json!({ "workload": "classifier", "params": params, "resources": { "gpu": [gpu] } }),
    )
    .unwrap();
    let commands = scene.step(Event::Estimate(Box::new(submission)));
    let estimate = commands.into_iter().find_map(|command| match command {
        Command::Answer(Answer::Estimate(estimate)) => Some(*estimate),
        _ => None,
    });
    estimate.unwrap().expected.unwrap()
}

#[test]
fn a_job_is_expected_to_go_like_the_one_before_it() {
    let mut scene = Scene::new(rules());
    let flowers = json!({ "data": "flowers", "seed": 7 });
    let before = expected(&mut scene, flowers.clone(), "t4");
    assert_eq!((before.runs, before.seconds, before.attempts), (0, 3600.0, 1), "{before:?}");

    scene.play(&[
        "hello w1 t4",
        "submit a",
        "claim w1 a.1",
        "live 30s w1=a.1@9",
        "ended w1 a.1@10 transient",
        "live 10s w1",
        "claim w1 a.2",
        "live 30s w1=a.2@19",
        "ended w1 a.2@20 ok",
        "submit b",
        "claim w1 b.1",
        "live 5s w1=b.1@1",
        "ended w1 b.1@1 permanent",
    ]);
    let after = expected(&mut scene, flowers.clone(), "t4");
    assert_eq!(
        (after.runs, after.seconds, after.attempts),
        (1, 60.0, 2),
        "what failed counts not: {after:?}"
    );
    assert_eq!(after.basis, "one job with the same parameters on t4", "whatever its seed");
    let other = expected(&mut scene, json!({ "data": "cats" }), "t4");
    assert_eq!(other.basis, "one job with other parameters on t4");
    assert_eq!(expected(&mut scene, flowers, "l4").runs, 0, "another class");
}

#[test]
fn only_the_last_jobs_count() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4"]);
    for (number, seconds) in (1..=40).map(|number| (number, if number <= 20 { 50 } else { 5 })) {
        scene.play(&[
            &format!("submit j{number}"),
            &format!("claim w1 j{number}.1"),
            &format!("live {seconds}s w1=j{number}.1@1"),
            &format!("ended w1 j{number}.1@1 ok"),
        ]);
    }
    let expected = expected(&mut scene, json!({ "data": "flowers" }), "t4");
    assert_eq!((expected.runs, expected.seconds), (32, 5.0), "{expected:?}");
}

/// What is warned of when a job of ada's is asked for, and that its estimate says the same.
fn warnings(scene: &mut Scene, id: &str, total: Value) -> Vec<String> {
    let fields =
        json!({ "workload": "classifier", "params": { "data": "d" }, "owner": "ada", "total": total });
    let submission: SubmitJob = serde_json::from_value(fields).unwrap();
    let estimated = scene.step(Event::Estimate(Box::new(submission)));
    let usd = total.get("usd").map(|usd| format!(" total.usd={usd}")).unwrap_or_default();
    let accepted = scene.act(&format!("submit {id} owner=ada{usd}"));
    let mut told = estimated.into_iter().chain(accepted).filter_map(|command| match command {
        Command::Answer(Answer::Estimate(estimate)) => Some(estimate.warnings),
        Command::Answer(Answer::Accepted(accepted)) => Some(accepted.estimate.warnings),
        _ => None,
    });
    let (estimated, accepted) = (told.next().unwrap(), told.next().unwrap());
    assert_eq!(estimated, accepted);
    accepted
}

#[test]
fn a_job_that_may_cost_more_than_its_owner_has_left_is_warned_of() {
    let mut scene = Scene::new(capped());
    scene.play(&["freeze 1h", "hello w1 t4 slots=9"]);
    assert_eq!(warnings(&mut scene, "small", json!({ "usd": 0.007 })), Vec::<String>::new());
    scene.play(&["cancel small"]);
    let whole = "owner ada has 0.0200 of 0.02 USD left for 2001-10, and the job may cost 4.2000 USD at worst; if that is \
                 spent, it checkpoints and waits for the next month, or until the cap is raised";
    assert_eq!(warnings(&mut scene, "large", json!({})), [whole]);
    let nothing = "owner ada has 0.0000 of 0.02 USD left for 2001-10, and the shortest attempt costs 0.0009 USD on cpu; the job \
                   waits for the next month, or until the cap is raised";
    assert_eq!(warnings(&mut scene, "next", json!({})), [nothing], "what runs has reserved the rest");

    let again = scene.act("submit large owner=ada").into_iter().find_map(|command| match command {
        Command::Answer(Answer::Accepted(accepted)) => Some(accepted.estimate.warnings),
        _ => None,
    });
    assert_eq!(again.unwrap(), [whole], "what a job has reserved is its own");
    assert_eq!(warnings_of_the_uncapped(), Vec::<String>::new());
}

fn warnings_of_the_uncapped() -> Vec<String> {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4"]);
    warnings(&mut scene, "free", json!({}))
}
