//! Jobs that stand still for a while.

use contract::StopCause;
use expect_test::expect;
use serde_json::json;

use super::{Scene, check, rules, scene::START};
use crate::core::Job;

#[test]
fn waiting_jobs_stand_still_at_once_and_their_offers_are_refused() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        pause a
            tell paused a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        claim w1 a.1
            no: a is paused
        pause a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        get a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        resume a
            tell resumed a
            offer a.1 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
    "#]]);
}

#[test]
fn a_running_job_checkpoints_stops_and_is_charged_nothing() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=0 retry.max_losses=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@5
            known, continue
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        beat w1 a.1@6
            known, paused
        ended w1 a.1@7 paused
            tell paused a
        get a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        resume a
            tell resumed a
            offer a.2 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
    "#]]);
}

#[test]
fn paused_time_counts_against_no_limit() {
    check(expect![[r#"
        hello w1 t4
        submit a total.time=60
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        live 20 w1
            offer a.1 to t4 at 15s
        pause a
            tell paused a
            paused on t4; queued 20s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        live 1000 w1
        get a
            paused on t4; queued 20s, backing off 0s, running 0s, 0.000000 USD; paused 16m 40s; waiting: somebody to resume it
        resume a
            tell resumed a
            offer a.1 to t4 at 1020s
            offered on t4; queued 20s, backing off 0s, running 0s, 0.000000 USD; paused 16m 40s; waiting: a worker that offers t4
        live 39 w1
            offer a.1 to t4 at 1035s
            offer a.1 to t4 at 1050s
        get a
            offered on t4; queued 59s, backing off 0s, running 0s, 0.000000 USD; paused 16m 40s; waiting: a worker that offers t4
        live 2 w1
            bury a with 0 attempts
            tell dead a: budget: the job's total time of 1m is over; redrive it with a larger total.time
    "#]]);
}

#[test]
fn a_resumed_job_has_its_old_place() {
    check(expect![[r#"
        submit a
            tell queued a
            accepted
        submit b
            tell queued b
            accepted
        submit c priority=6
            tell queued c
            accepted
        pause a
            tell paused a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        pause c
            tell paused c
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        resume c
            tell resumed c
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        resume a
            tell resumed a
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        hello w1 t4
            offer c.1 to t4 at 0s
            offer a.1 to t4 at 0s
        claim w1 c.1
            tell leased c.1 by w1
            grant c.1 for 1h (timeout)
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
    "#]]);
}

#[test]
fn an_attempt_that_does_not_stop_is_given_up_and_the_job_is_paused() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@5
            known, continue
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        live 39 w1=a.1@6
        get a
            running on t4; queued 0s, backing off 0s, running 39s, 0.003792 USD; stopping: paused
        live 2 w1=a.1@7
            tell paused a
        get a
            paused on t4; queued 0s, backing off 0s, running 40s, 0.003889 USD; paused 1s; waiting: somebody to resume it
        beat w1 a.1@8
            known, superseded
    "#]]);
}

#[test]
fn a_worker_that_is_lost_while_it_stops_costs_no_loss() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_losses=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@5
            known, continue
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        hello w1#2 t4
            tell paused a
        get a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
    "#]]);
}

#[test]
fn what_would_happen_again_is_charged_although_the_job_is_paused() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        ended w1 a.1 oom
            tell paused a
        get a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        resume a
            tell resumed a
            offer a.2 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        submit b retry.max_retries=0
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        pause b
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        ended w1 b.1 oom
            bury b with 1 attempts
            tell dead b: oom: it went wrong (t4 has 15360 MiB and the job was estimated at 1877 MiB; given up: max_retries is 0)
    "#]]);
}

#[test]
fn a_pause_is_taken_back_before_the_attempt_has_heard_of_it() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        resume a
            tell resumed a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        beat w1 a.1@5
            known, continue
        ended w1 a.1@9 ok
            tell succeeded a
    "#]]);
}

#[test]
fn resumed_while_its_attempt_stops_a_job_goes_on_at_once() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        beat w1 a.1@5
            known, paused
        resume a
            tell resumed a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        ended w1 a.1@6 paused
            offer a.2 to t4 at 0s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
    "#]]);
}

#[test]
fn cancelling_comes_before_pausing() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        cancel a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        pause a
            refused: job a is about to end: its attempt was told to stop (cancelled)
        beat w1 a.1@5
            known, cancelled
        ended w1 a.1@6 paused
            tell cancelled a
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        pause b
            tell paused b
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        cancel b
            tell cancelled b
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn a_lost_attempt_that_succeeds_ends_its_paused_job() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1
            known, continue
        wait 11
            tell retrying a.1 at 20s, after lost: w1 was not heard for 10s
        pause a
            tell paused a
            paused on t4; queued 0s, backing off 11s, running 0s, 0.000000 USD; waiting: somebody to resume it
        ended w1 a.1@9 ok
            tell succeeded a
    "#]]);
}

#[test]
fn what_cannot_be_paused_resumed_redriven_or_removed_is_told() {
    check(expect![[r#"
        submit a
            tell queued a
            accepted
        resume a
            refused: job a is queued; only a paused one can be resumed
        pause nobody
            refused: there is no job nobody
        resume nobody
            refused: there is no job nobody
        pause a
            tell paused a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        redrive a
            refused: job a is paused; only a dead or cancelled one can be redriven
        remove a
            refused: job a is paused; only one that has ended can be removed: cancel it first
        submit a
            known, paused
        cancel a
            tell cancelled a
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        pause a
            refused: job a has ended: cancelled
        resume a
            refused: job a is cancelled; only a paused one can be resumed
    "#]]);
}

#[test]
fn a_pause_is_kept_over_a_restart() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        pause a
            tell paused a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        pause b
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        restart
        get a
            paused on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: somebody to resume it
        beat w1 b.1
            known, paused
        ended w1 b.1 paused
            tell paused b
        resume b
            tell resumed b
            offer b.2 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
    "#]]);
}

#[test]
fn an_order_that_an_older_release_has_saved_is_obeyed() {
    let mut scene = Scene::new(rules());
    scene.play(&["hello w1 t4", "submit a", "claim w1 a.1"]);
    let job = scene.core.job(&"a".parse().unwrap()).unwrap();
    for (saved_for, obeyed) in
        [(json!(null), StopCause::Cancelled), (json!("early_stopped"), StopCause::EarlyStopped)]
    {
        let mut body = serde_json::to_value(job).unwrap();
        let lease = body["phase"].as_object_mut().unwrap();
        assert!(lease.remove("stop_at").is_some() && lease.remove("stop_for").is_some());
        lease.insert("cancelled_at".into(), json!(START));
        lease.insert("cancelled_for".into(), saved_for);
        let read: Job = serde_json::from_value(body).unwrap();
        assert_eq!(read.ordered(), Some(obeyed));
    }
}
