//! Offers that nobody claims.

use contract::ClassVerdict;
use expect_test::expect;

use super::{Scene, check, rules};
use crate::core::Job;

#[test]
fn the_next_class_after_the_claim_timeout_and_the_stale_message_is_refused() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        live 59s w1 w2
            offer a.1 to t4 at 15s
            offer a.1 to t4 at 30s
            offer a.1 to t4 at 45s
        live 5s w1 w2
            tell warned a.1: no worker that offers t4 claimed it within 1m; it is offered to l4
            offer a.1 to l4 at 60s
        get a
            offered on l4; queued 1m 4s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers l4
        claim w1 a.1
            no: attempt 1 of a is offered to l4 by now
        claim w2 a.1
            tell leased a.1 by w2
            grant a.1 for 1h (timeout)
        claim w1 a.1
            no: attempt 1 of a runs on w2
    "#]]);
}

#[test]
fn an_offer_stays_while_no_other_class_has_room() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["l4"]
            tell queued a
            accepted
            offer a.1 to l4 at 0s
        claim w2 a.1
            tell leased a.1 by w2
            grant a.1 for 1h (timeout)
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        live 100s w1 w2=a.1
            offer b.1 to t4 at 15s
            offer b.1 to t4 at 30s
            offer b.1 to t4 at 45s
            offer b.1 to t4 at 60s
            offer b.1 to t4 at 75s
            offer b.1 to t4 at 90s
        ended w2 a.1 ok
            tell succeeded a
        live 16s w1 w2
            tell warned b.1: no worker that offers t4 claimed it within 1m; it is offered to l4
            offer b.1 to l4 at 105s
        claim w2 b.1
            tell leased b.1 by w2
            grant b.1 for 1h (timeout)
    "#]]);
}

#[test]
fn after_the_last_class_comes_the_first_again() {
    check(expect![[r#"
        hello w1 t4
        hello w2 cpu
        submit a resources.gpu=["t4","cpu"]
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        live 61s w1 w2
            offer a.1 to t4 at 15s
            offer a.1 to t4 at 30s
            offer a.1 to t4 at 45s
            tell warned a.1: no worker that offers t4 claimed it within 1m; it is offered to cpu
            offer a.1 to cpu at 60s
        restart
        live 61s w1 w2
            offer a.1 to cpu at 75s
            offer a.1 to cpu at 90s
            offer a.1 to cpu at 105s
            tell warned a.1: no worker that offers cpu claimed it within 1m; it is offered to t4
            offer a.1 to t4 at 120s
        claim w2 a.1
            no: attempt 1 of a is offered to t4 by now
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
    "#]]);
}

#[test]
fn a_class_that_is_too_small_is_not_tried() {
    check(expect![[r#"
        hello w1 l4
        hello w2 t4
        submit a resources.memory_mib=20000
            tell queued a
            accepted
            offer a.1 to l4 at 0s
        live 100s w1 w2
            offer a.1 to l4 at 15s
            offer a.1 to l4 at 30s
            offer a.1 to l4 at 45s
            offer a.1 to l4 at 60s
            offer a.1 to l4 at 75s
            offer a.1 to l4 at 90s
        submit b resources.memory_mib=50000
            refused: resources.memory_mib: none of t4, l4 and cpu has 50000 MiB; the largest has 23034 MiB
    "#]]);
}

#[test]
fn the_cheapest_where_the_job_prefers_it() {
    check(expect![[r#"
        hello w1 l4
        hello w2 t4
        hello w3 cpu
        submit a resources.gpu=["l4","cpu","t4"]
            tell queued a
            accepted
            offer a.1 to l4 at 0s
        submit b resources.gpu=["l4","cpu","t4"] resources.prefer=cheapest
            tell queued b
            accepted
            offer b.1 to t4 at 0s
    "#]]);
}

#[test]
fn the_reasons_of_the_choice_stay_with_the_job() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 l4", "submit a", "claim w1 a.1"]);
    let job = scene.core.job(&"a".parse().unwrap()).unwrap();
    let verdicts: Vec<ClassVerdict> = job.considered.iter().map(|class| class.verdict).collect();
    assert_eq!(verdicts, [ClassVerdict::NoWorker, ClassVerdict::Taken, ClassVerdict::NoWorker]);
}

#[test]
fn a_job_that_an_earlier_release_has_saved_is_read() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4", "submit a", "claim w1 a.1"]);
    let job = scene.core.job(&"a".parse().unwrap()).unwrap();
    let mut saved = serde_json::to_value(job).unwrap();
    for (place, keys) in [
        ("", ["unclaimed", "offered_since", "considered"].as_slice()),
        ("/terms", ["left_out", "memory", "prefer", "auto_timeout", "warnings"].as_slice()),
        ("/phase", ["warned"].as_slice()),
    ] {
        let object = saved.pointer_mut(place).and_then(|value| value.as_object_mut()).unwrap();
        keys.iter().for_each(|key| assert!(object.remove(*key).is_some(), "{place} has no {key}"));
    }
    let read: Job = serde_json::from_value(saved).unwrap();
    assert_eq!((read.state(), read.terms.longest()), (job.state(), job.terms.longest()));
}

#[test]
fn a_worker_that_takes_nothing_is_offered_nothing_until_it_does_again() {
    check(expect![[r#"
        hello w1 t4
        hello w1 t4 paused
        submit a resources.gpu=["t4","l4"]
            tell queued a
            accepted
        get a
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4 or l4
        hello w2 l4
            offer a.1 to l4 at 0s
        submit b resources.gpu=["t4"]
            tell queued b
            accepted
        hello w1 t4
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        hello w1 t4 paused
        live 20s w1=b.1@5 w2
            offer a.1 to l4 at 15s
    "#]]);
}
