//! What a job is expected to come to, after those before it.

use contract::{ExpectedCase, SubmitJob};
use serde_json::{Value, json};

use super::{Scene, rules};
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
