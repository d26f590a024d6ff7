//! Why a job waits, behind whom, and until when.

use contract::{
    JobId,
    control::{WaitReason, Waiting},
};
use expect_test::expect;

use super::{Scene, check_under, rules, stories_shares::shared};
use crate::core::{Answer, Command, Event};

fn waiting(scene: &mut Scene, job: &str) -> Option<Waiting> {
    let commands = scene.step(Event::Get(JobId::new(job).unwrap()));
    let view = commands.into_iter().find_map(|command| match command {
        Command::Answer(Answer::Job(view)) => Some(view),
        _ => None,
    });
    view.unwrap().waiting
}

#[test]
fn every_job_that_waits_says_why() {
    let mut scene = Scene::new(shared(2, "ada = { concurrency = 1 }"));
    for line in [
        "hello w1 t4",
        "submit none resources.gpu=[\"h100\"]",
        "submit a1 owner=ada",
        "submit a2 owner=ada",
        "submit offered",
        "claim w1 a1.1",
        "submit limited",
    ] {
        scene.act(line);
    }
    let reasons = |scene: &mut Scene, jobs: &[&str]| {
        let jobs = jobs.iter().map(|job| waiting(scene, job).map(|waiting| waiting.reason));
        jobs.collect::<Vec<_>>()
    };
    use WaitReason::{Backoff, Claim, NoWorker, OwnerLimit, Slots, WorkloadLimit};
    let found = reasons(&mut scene, &["none", "a1", "a2", "offered", "limited"]);
    assert_eq!(found, [Some(NoWorker), None, Some(WorkloadLimit), Some(Claim), Some(WorkloadLimit)]);
    scene.act("ended w1 a1.1 transient");
    scene.act("cancel offered");
    scene.act("submit a3 owner=ada");
    let found = reasons(&mut scene, &["a1", "a2", "a3", "limited"]);
    assert_eq!(found, [Some(Backoff), Some(Claim), Some(WorkloadLimit), Some(Claim)]);
    scene.act("cancel limited");
    assert_eq!(reasons(&mut scene, &["a3"]), [Some(OwnerLimit)]);
    scene.act("cancel a3");
    assert_eq!(reasons(&mut scene, &["a3"]), [None]);

    let mut scene = Scene::new(shared(20, ""));
    scene.act("hello w1 t4");
    (1..=9).for_each(|number| drop(scene.act(&format!("submit j{number}"))));
    assert_eq!(reasons(&mut scene, &["j8", "j9"]), [Some(Claim), Some(Slots)]);
}

#[test]
fn a_start_is_foretold_from_what_runs() {
    check_under(
        shared(1, ""),
        expect![[r#"
            hello w1 t4
            submit a owner=ada
                tell queued a
                accepted
                offer a.1 to t4 at 0s
            submit b owner=ada
                tell queued b
                accepted
            submit c owner=ada
                tell queued c
                accepted
            submit d owner=bob
                tell queued d
                accepted
            submit e owner=ada priority=9
                tell queued e
                accepted
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 1h (timeout)
            get b
                queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; place 1, 2 ahead
            wait 5s
            beat w1 a.1@5/100*1
                known, continue
            get e
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; begins about 100s
            get d
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; place 1, 1 ahead, begins about 200s
            get b
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; place 1, 2 ahead, begins about 300s
            get c
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; place 2, 3 ahead, begins about 400s
            ended w1 a.1 ok
                tell succeeded a
                offer e.1 to t4 at 5s
            get d
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once
            claim w1 e.1
                tell leased e.1 by w1
                grant e.1 for 1h (timeout)
            beat w1 e.1@0/60*1
                known, continue
            get d
                queued on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 1 job at once; begins about 65s
        "#]],
    );
}

#[test]
fn an_offer_behind_busy_workers_says_when_the_first_of_them_is_free() {
    check_under(
        rules(),
        expect![[r#"
            hello w1 t4
            submit a
                tell queued a
                accepted
                offer a.1 to t4 at 0s
            submit b
                tell queued b
                accepted
                offer b.1 to t4 at 0s
            get b
                offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 1h (timeout)
            get b
                offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
            wait 5s
            beat w1 a.1@5/100*1
                known, continue
            get b
                offered on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; begins not before 100s
        "#]],
    );
}

#[test]
fn places_are_counted_to_a_thousand() {
    let mut scene = Scene::new(rules());
    scene.act("hello w1 t4");
    (0..1100).for_each(|number| drop(scene.act(&format!("submit j{number}"))));
    let last = waiting(&mut scene, "j1099").unwrap();
    assert_eq!((last.position, last.ahead), (Some(1000), Some(999)));
    let tenth = waiting(&mut scene, "j11").unwrap();
    assert_eq!((tenth.position, tenth.ahead), (Some(10), Some(9)));
}
