//! Whose turn it is, and where.

use expect_test::expect;

use super::check;

#[test]
fn priority_first_then_age() {
    check(expect![[r#"
        submit old
            tell queued old
            accepted
        wait 1s
        submit late
            tell queued late
            accepted
        wait 1s
        submit urgent priority=9
            tell queued urgent
            accepted
        submit never priority=0
            tell queued never
            accepted
        get old
            queued on t4; queued 2s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        hello w1 t4
            offer urgent.1 to t4 at 2s
            offer old.1 to t4 at 2s
        get late
            queued on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD; waiting: classifier runs at most 2 jobs at once
        claim w1 urgent.1
            tell leased urgent.1 by w1
            grant urgent.1 for 1h (timeout)
        ended w1 urgent.1 ok
            tell succeeded urgent
            offer late.1 to t4 at 2s
        claim w1 old.1
            tell leased old.1 by w1
            grant old.1 for 1h (timeout)
        cancel late
            tell cancelled late
            cancelled on t4; queued 1s, backing off 0s, running 0s, 0.000000 USD
            offer never.1 to t4 at 2s
    "#]]);
}

#[test]
fn a_workload_runs_no_more_than_its_limit() {
    check(expect![[r#"
        hello w1 t4 slots=3
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        submit c
            tell queued c
            accepted
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        ended w1 a.1 transient
            tell retrying a.1 at 10s, after transient: it went wrong
            offer a.2 to t4 at 10s
            offer c.1 to t4 at 0s
        claim w1 c.1
            tell leased c.1 by w1
            grant c.1 for 1h (timeout)
        wait 9s
        beat w1 b.1 c.1
            known, continue, continue
        wait 2s
        claim w1 a.2
            no: classifier runs at most 2 jobs at once; the attempt is offered again
        get a
            queued on t4; queued 1s, backing off 10s, running 0s, 0.000000 USD; waiting: classifier runs at most 2 jobs at once
        ended w1 b.1 ok
            tell succeeded b
            offer a.2 to t4 at 11s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
    "#]]);
}

#[test]
fn the_first_class_that_a_worker_offers_is_taken() {
    check(expect![[r#"
        hello w1 cpu
        submit a
            tell queued a
            accepted
            offer a.1 to cpu at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        hello w2 l4
        submit b
            tell queued b
            accepted
            offer b.1 to l4 at 0s
        claim w2 b.1
            tell leased b.1 by w2
            grant b.1 for 1h (timeout)
        ended w1 a.1 ok
            tell succeeded a
        submit c resources.gpu=["h100"]
            tell queued c
            accepted
        get c
            queued on h100; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers h100
        submit d resources.gpu=["t4","cpu"] resources.spot=allow
            tell queued d
            accepted
            offer d.1 to cpu at 0s
    "#]]);
}

#[test]
fn preemptible_machines_where_allowed() {
    check(expect![[r#"
        hello s1 t4 spot
        submit a
            tell queued a
            accepted
        get a
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        submit b resources.spot=only
            tell queued b
            accepted
            offer b.1 to t4 (spot) at 0s
        submit c resources.spot=allow
            tell queued c
            accepted
            offer c.1 to t4 (spot) at 0s
    "#]]);
}

#[test]
fn an_offer_that_got_lost_is_published_again() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        wait 10s
        beat w1
            known
        wait 4s
        beat w1
            known
        wait 2s
            offer a.1 to t4 at 15s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        claim w1 a.1
            grant a.1 for 1h (timeout)
    "#]]);
}

#[test]
fn an_offer_waits_while_its_workers_are_busy() {
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
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        wait 8s
        beat w1 a.1
            known, continue
        wait 8s
        beat w1 a.1
            known, continue
        get b
            offered on t4; queued 16s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
    "#]]);
}

#[test]
fn an_offer_moves_on_when_its_workers_are_gone() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        bye w1
            forget w1
        hello w2 l4
        wait 8s
        beat w2
            known
        wait 8s
            offer a.1 to l4 at 15s
        get a
            offered on l4; queued 16s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers l4
        claim w2 a.1
            tell leased a.1 by w2
            grant a.1 for 1h (timeout)
    "#]]);
}

#[test]
fn a_retry_is_held_while_nobody_is_there() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        bye w1
            forget w1
        ended w1 a.1 transient
            tell retrying a.1 at 10s, after transient: it went wrong
        get a
            backing_off on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; next attempt at 10s
        wait 11s
        get a
            queued on t4; queued 1s, backing off 10s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        hello w2 l4
            offer a.2 to l4 at 11s
    "#]]);
}

#[test]
fn a_larger_class_after_running_out_of_memory() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 oom
            tell retrying a.1 at 10s, after oom: it went wrong
            offer a.2 to l4 at 10s
        get a
            backing_off on l4; queued 0s, backing off 0s, running 0s, 0.000000 USD; next attempt at 10s
    "#]]);
}
