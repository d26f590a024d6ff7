//! What each owner may have at once, and how owners and priorities share what there is.

use contract::{JobId, Seconds, WorkerId, control::JobState};
use expect_test::expect;
use policy::Owners;

use super::{Scene, check_under, rules};
use crate::core::Rules;

/// The rules that ship with other limits and shares.
pub(super) fn shared(concurrency: u32, owners: &str) -> Rules {
    let mut rules = Rules { owners: toml::from_str::<Owners>(owners).unwrap(), ..rules() };
    rules.workloads.values_mut().for_each(|workload| workload.concurrency = concurrency);
    rules
}

#[test]
fn an_owner_runs_no_more_than_its_limit() {
    check_under(
        shared(4, "ada = { concurrency = 1 }\ndefault = { concurrency = 2 }"),
        expect![[r#"
            hello w1 t4 slots=9
            submit a1 owner=ada
                tell queued a1
                accepted
                offer a1.1 to t4 at 0s
            submit a2 owner=ada
                tell queued a2
                accepted
            submit b1 owner=bob
                tell queued b1
                accepted
                offer b1.1 to t4 at 0s
            submit b2 owner=bob
                tell queued b2
                accepted
                offer b2.1 to t4 at 0s
            submit b3 owner=bob
                tell queued b3
                accepted
            get a2
                queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: owner ada runs at most 1 job at once
            get b3
                queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: owner bob runs at most 2 jobs at once; place 1, 1 ahead
            claim w1 a1.1
                tell leased a1.1 by w1
                grant a1.1 for 1h (timeout)
            claim w1 b1.1
                tell leased b1.1 by w1
                grant b1.1 for 1h (timeout)
            claim w1 b2.1
                tell leased b2.1 by w1
                grant b2.1 for 1h (timeout)
            restart
            claim w1 a2.1
                no: owner ada runs at most 1 job at once; the attempt is offered again
            claim w1 b3.1
                no: owner bob runs at most 2 jobs at once; the attempt is offered again
            ended w1 a1.1 ok
                tell succeeded a1
                offer a2.1 to t4 at 0s
            ended w1 b1.1 transient
                tell retrying b1.1 at 10s, after transient: it went wrong
                offer b1.2 to t4 at 10s
                offer b3.1 to t4 at 0s
            claim w1 b3.1
                tell leased b3.1 by w1
                grant b3.1 for 1h (timeout)
            wait 8s
            beat w1 b2.1 b3.1 a2.1
                known, continue, continue, superseded
            wait 2s
            get b1
                queued on t4; queued 0s, backing off 10s, running 0s, 0.000000 USD; waiting: owner bob runs at most 2 jobs at once
            claim w1 b1.2
                no: owner bob runs at most 2 jobs at once; the attempt is offered again
            ended w1 b3.1 ok
                tell succeeded b3
                offer b1.2 to t4 at 10s
            claim w1 b1.2
                tell leased b1.2 by w1
                grant b1.2 for 1h (timeout)
        "#]],
    );
}

#[test]
fn owners_take_turns_and_the_oldest_of_each_goes_first() {
    check_under(
        shared(2, ""),
        expect![[r#"
            submit a1 owner=ada
                tell queued a1
                accepted
            wait 1s
            submit a2 owner=ada
                tell queued a2
                accepted
            submit a3 owner=ada
                tell queued a3
                accepted
            submit b1 owner=bob
                tell queued b1
                accepted
            wait 1s
            submit b2 owner=bob
                tell queued b2
                accepted
            hello w1 t4
                offer a1.1 to t4 at 2s
                offer b1.1 to t4 at 2s
            cancel a1
                tell cancelled a1
                cancelled on t4; queued 2s, backing off 0s, running 0s, 0.000000 USD
                offer a2.1 to t4 at 2s
            cancel b1
                tell cancelled b1
                cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
                offer b2.1 to t4 at 2s
            cancel a2
                tell cancelled a2
                cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
                offer a3.1 to t4 at 2s
        "#]],
    );
}

#[test]
fn an_owner_of_twice_the_weight_gets_twice_as_much() {
    check_under(
        shared(3, "ada = { weight = 2 }"),
        expect![[r#"
            submit b1 owner=bob
                tell queued b1
                accepted
            submit b2 owner=bob
                tell queued b2
                accepted
            submit b3 owner=bob
                tell queued b3
                accepted
            submit a1 owner=ada
                tell queued a1
                accepted
            submit a2 owner=ada
                tell queued a2
                accepted
            submit a3 owner=ada
                tell queued a3
                accepted
            wait 1s
            hello w1 t4
                offer a1.1 to t4 at 1s
                offer b1.1 to t4 at 1s
                offer a2.1 to t4 at 1s
            cancel b1
                tell cancelled b1
                cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
                offer b2.1 to t4 at 1s
            cancel a1
                tell cancelled a1
                cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
                offer a3.1 to t4 at 1s
            cancel a2
                tell cancelled a2
                cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
                offer b3.1 to t4 at 1s
        "#]],
    );
}

#[test]
fn owners_take_turns_where_one_job_runs_at_a_time() {
    check_under(
        shared(1, "ada = { weight = 2 }"),
        expect![[r#"
            submit b1 owner=bob
                tell queued b1
                accepted
            submit b2 owner=bob
                tell queued b2
                accepted
            submit b3 owner=bob
                tell queued b3
                accepted
            submit a1 owner=ada
                tell queued a1
                accepted
            submit a2 owner=ada
                tell queued a2
                accepted
            submit a3 owner=ada
                tell queued a3
                accepted
            submit a4 owner=ada
                tell queued a4
                accepted
            wait 1s
            hello w1 t4
                offer a1.1 to t4 at 1s
            live 10s w1
            cancel a1
                tell cancelled a1
                cancelled on t4; queued 11s, backing off 0s, running 0s, 0.000000 USD
                offer a2.1 to t4 at 11s
            live 10s w1
            cancel a2
                tell cancelled a2
                cancelled on t4; queued 21s, backing off 0s, running 0s, 0.000000 USD
                offer b1.1 to t4 at 21s
            live 10s w1
            cancel b1
                tell cancelled b1
                cancelled on t4; queued 31s, backing off 0s, running 0s, 0.000000 USD
                offer a3.1 to t4 at 31s
            live 10s w1
            cancel a3
                tell cancelled a3
                cancelled on t4; queued 41s, backing off 0s, running 0s, 0.000000 USD
                offer b2.1 to t4 at 41s
            live 10s w1
            cancel b2
                tell cancelled b2
                cancelled on t4; queued 51s, backing off 0s, running 0s, 0.000000 USD
                offer a4.1 to t4 at 51s
        "#]],
    );
}

#[test]
fn priority_comes_before_shares() {
    check_under(
        shared(2, ""),
        expect![[r#"
            submit b1 owner=bob
                tell queued b1
                accepted
            submit a1 owner=ada priority=9
                tell queued a1
                accepted
            submit a2 owner=ada priority=9
                tell queued a2
                accepted
            submit a3 owner=ada priority=9
                tell queued a3
                accepted
            hello w1 t4
                offer a1.1 to t4 at 0s
                offer a2.1 to t4 at 0s
            cancel a1
                tell cancelled a1
                cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
                offer a3.1 to t4 at 0s
            cancel a2
                tell cancelled a2
                cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
                offer b1.1 to t4 at 0s
        "#]],
    );
}

#[test]
fn who_waits_long_enough_rises_above_a_higher_priority() {
    let minute = Seconds::new(60.0).unwrap();
    check_under(
        Rules { priority_worth: minute, ..shared(1, "") },
        expect![[r#"
            hello w1 t4
            submit a1 owner=ada priority=2
                tell queued a1
                accepted
                offer a1.1 to t4 at 0s
            claim w1 a1.1
                tell leased a1.1 by w1
                grant a1.1 for 1h (timeout)
            submit low owner=bob priority=0
                tell queued low
                accepted
            submit a2 owner=ada priority=2
                tell queued a2
                accepted
            live 59s w1=a1.1
            ended w1 a1.1 ok
                tell succeeded a1
                offer a2.1 to t4 at 59s
            claim w1 a2.1
                tell leased a2.1 by w1
                grant a2.1 for 1h (timeout)
            submit a3 owner=ada priority=2
                tell queued a3
                accepted
            live 59s w1=a2.1
            ended w1 a2.1 ok
                tell succeeded a2
                offer a3.1 to t4 at 118s
            claim w1 a3.1
                tell leased a3.1 by w1
                grant a3.1 for 1h (timeout)
            submit a4 owner=ada priority=2
                tell queued a4
                accepted
            live 59s w1=a3.1
            ended w1 a3.1 ok
                tell succeeded a3
                offer low.1 to t4 at 177s
        "#]],
    );
}

#[test]
fn a_large_job_gets_a_slot_of_its_class_though_small_ones_of_a_higher_priority_keep_coming() {
    let minute = Seconds::new(60.0).unwrap();
    check_under(
        Rules { priority_worth: minute, ..shared(1, "") },
        expect![[r#"
            hello w1 h100
            hello w2 t4
            submit s1 priority=7 resources.gpu=["h100","t4"]
                tell queued s1
                accepted
                offer s1.1 to h100 at 0s
            claim w1 s1.1
                tell leased s1.1 by w1
                grant s1.1 for 1h (timeout)
            submit large priority=5 resources.gpu=["h100"]
                tell queued large
                accepted
            submit s2 priority=7 resources.gpu=["h100","t4"]
                tell queued s2
                accepted
            live 50s w1=s1.1 w2
            ended w1 s1.1 ok
                tell succeeded s1
                offer s2.1 to h100 at 50s
            claim w1 s2.1
                tell leased s2.1 by w1
                grant s2.1 for 1h (timeout)
            submit s3 priority=7 resources.gpu=["h100","t4"]
                tell queued s3
                accepted
            live 50s w1=s2.1 w2
            ended w1 s2.1 ok
                tell succeeded s2
                offer s3.1 to h100 at 100s
            claim w1 s3.1
                tell leased s3.1 by w1
                grant s3.1 for 1h (timeout)
            submit s4 priority=7 resources.gpu=["h100","t4"]
                tell queued s4
                accepted
            live 50s w1=s3.1 w2
            ended w1 s3.1 ok
                tell succeeded s3
                offer large.1 to h100 at 150s
            claim w1 large.1
                tell leased large.1 by w1
                grant large.1 for 1h (timeout)
        "#]],
    );
}

#[test]
fn ten_runs_share_a_worker_that_has_ten_slots() {
    let mut scene = Scene::new(shared(10, ""));
    scene.act("hello w1 t4 slots=10");
    (1..=11).for_each(|number| drop(scene.act(&format!("submit j{number}"))));
    (1..=11).for_each(|number| drop(scene.act(&format!("claim w1 j{number}.1"))));
    let states = (1..=11).map(|number| {
        let id = JobId::new(format!("j{number}")).unwrap();
        (scene.core.job(&id).unwrap().state() == JobState::Running, number)
    });
    let running: Vec<i32> = states.filter(|(runs, _)| *runs).map(|(_, number)| number).collect();
    assert_eq!(running, (1..=10).collect::<Vec<_>>());
    let held = scene.core.desk.index.held_by(&WorkerId::new("w1").unwrap()).count();
    assert_eq!(held, 10);
}
