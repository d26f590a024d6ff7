//! Jobs that get parameters from their profile.

use contract::{SubmitJob, lease::ClaimAnswer};
use expect_test::expect;
use serde_json::{Map, Value, json};

use super::{Scene, check_under, rules};
use crate::core::{Answer, Command, Event, Rules};

/// Rules whose classifiers have a profile `large` with these parameters.
fn with_large(params: Value) -> Rules {
    let mut rules = rules();
    let classifier = rules.workloads.get_mut(&"classifier".parse().unwrap()).unwrap();
    let profile = policy::ProfilePolicy { params: map(params), ..policy::ProfilePolicy::default() };
    classifier.profiles.insert("large".parse().unwrap(), profile);
    rules
}

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// The parameters that the first grant among what the core said has.
fn granted(commands: Vec<Command>) -> Value {
    let params = commands.into_iter().find_map(|command| match command {
        Command::Answer(Answer::Claim(answer)) => match *answer {
            ClaimAnswer::Granted(grant) => Some(grant.params),
            ClaimAnswer::Refused { .. } => None,
        },
        _ => None,
    });
    Value::Object(params.unwrap())
}

/// The parameters that `rekindle show` tells of.
fn shown(scene: &mut Scene, id: &str) -> Value {
    let params = scene.act(&format!("get {id}")).into_iter().find_map(|command| match command {
        Command::Answer(Answer::Job(view)) => Some(view.submission.params),
        _ => None,
    });
    Value::Object(params.unwrap())
}

/// Runs a job of the profile to its death, and answers with what its trainer got.
fn die(scene: &mut Scene, id: &str, attempt: u32) -> Value {
    let params = granted(scene.act(&format!("claim w1 {id}.{attempt}")));
    scene.play(&[&format!("ended w1 {id}.{attempt} permanent")]);
    params
}

#[test]
fn a_job_keeps_what_its_profile_said_when_it_was_accepted() {
    let mut scene = Scene::new(with_large(json!({ "epochs": 90, "lr": 0.5 })));
    scene.play(&["hello w1 t4", "submit a profile=large params.lr=0.1"]);
    let of_then = json!({ "data": "flowers", "epochs": 90, "lr": 0.1 });
    assert_eq!(shown(&mut scene, "a"), of_then, "what a job says itself counts");

    scene.rules = with_large(json!({ "epochs": 2, "seed": 7 }));
    scene.restart();
    scene.play(&["hello w1 t4", "submit b profile=large"]);
    assert_eq!(shown(&mut scene, "b"), json!({ "data": "flowers", "epochs": 2, "seed": 7 }));
    scene.play(&["cancel b"]);
    assert_eq!(die(&mut scene, "a", 1), of_then);
    scene.play(&["redrive a"]);
    assert_eq!(die(&mut scene, "a", 2), of_then, "a plain redrive changes nothing");
    scene.play(&["redrive a edits.params.epochs=5"]);
    assert_eq!(die(&mut scene, "a", 3), json!({ "data": "flowers", "epochs": 5, "lr": 0.1 }));
    scene.play(&["redrive a edits.params.epochs=null"]);
    assert_eq!(die(&mut scene, "a", 4), json!({ "data": "flowers", "lr": 0.1 }));

    let repeated =
        scene.play(&["submit a profile=large params.lr=0.1", "submit a profile=large params.lr=0.2"]);
    expect![[r#"
        submit a profile=large params.lr=0.1
            known, dead
        submit a profile=large params.lr=0.2
            refused: job a exists with another params
    "#]]
    .assert_eq(&repeated);
}

#[test]
fn classes_memory_and_the_check_look_at_what_the_profile_says() {
    check_under(
        with_large(json!({ "batch_size": 1024, "image_size": 224, "arch": "resnet50" })),
        expect![[r#"
            hello w1 t4
            hello w2 a100
            submit a profile=large
                refused: the job needs about 102085 MiB of device memory (resnet50, 1024 images of 224 pixels at a time, fp32), and none of a100 has that; the largest has 40960 MiB. accumulation=4 would need 27810 MiB; or ask for a larger class in resources.gpu, or set resources.memory_mib if you know better
            submit b profile=large params.accumulation=4
                tell queued b
                accepted
                offer b.1 to a100 at 0s
            submit c profile=large params.batch_size=64
                tell queued c
                accepted
                offer c.1 to t4 at 0s
            submit d profile=large params.accumulation=3
                refused: params: accumulation is 3; it takes a divisor of batch_size
        "#]],
    );
}

#[test]
fn an_estimate_counts_what_the_profile_says() {
    let mut scene = Scene::new(with_large(json!({ "epochs": 90 })));
    scene.play(&["hello w1 t4", "submit a params.epochs=90 profile=large", "claim w1 a.1"]);
    scene.play(&["live 30s w1=a.1@9", "ended w1 a.1@10 ok"]);
    let submission: SubmitJob = serde_json::from_value(
        json!({ "workload": "classifier", "profile": "large", "params": { "data": "flowers" } }),
    )
    .unwrap();
    let basis =
        scene.step(Event::Estimate(Box::new(submission))).into_iter().find_map(|command| match command {
            Command::Answer(Answer::Estimate(estimate)) => estimate.expected.map(|expected| expected.basis),
            _ => None,
        });
    assert_eq!(basis.unwrap(), "one job with the same parameters on t4");
}

#[test]
fn every_trial_of_a_sweep_has_what_the_profile_said_when_the_sweep_was_accepted() {
    let mut scene = Scene::new(with_large(json!({ "epochs": 90, "lr": 0.5 })));
    let sweep = "sweep s job.profile=large search.params={\"lr\":[0.1,0.2]} concurrency=1";
    scene.play(&["hello w1 t4", sweep]);
    assert_eq!(shown(&mut scene, "s-1"), json!({ "data": "d", "epochs": 90, "lr": 0.1 }));
    scene.rules = with_large(json!({ "epochs": 2 }));
    scene.restart();
    scene.play(&["hello w1 t4", "claim w1 s-1.1", "ended w1 s-1.1 ok"]);
    let second = json!({ "data": "d", "epochs": 90, "lr": 0.2 });
    assert_eq!(shown(&mut scene, "s-2"), second);
    let again = scene.act(sweep);
    let refused = again.iter().any(|command| matches!(command, Command::Answer(Answer::Refused(_))));
    assert!(!refused, "the same sweep is known again: {again:?}");
}
