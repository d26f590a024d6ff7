//! Workers that take nothing new.

use expect_test::expect;

use super::check;

#[test]
fn what_runs_finishes_and_nothing_new_is_taken() {
    check(expect![[r#"
        hello w1 t4 slots=2
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        drain w1
            w1 runs a, draining
        submit b
            tell queued b
            accepted
        get b
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        beat w1 a.1@5
            known, continue, draining
        ended w1 a.1@9 ok
            tell succeeded a
        workers
            w1 runs nothing, draining
        drain w1 no-more
            w1 runs nothing
            offer b.1 to t4 at 0s
        beat w1
            known
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
    "#]]);
}

#[test]
fn an_offer_that_is_out_goes_to_somebody_else() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        drain w1
            w1 runs nothing, draining
        claim w1 a.1
            no: w1 drains and takes nothing new; the attempt is offered again
            offer a.1 to l4 at 0s
        claim w2 a.1
            tell leased a.1 by w2
            grant a.1 for 1h (timeout)
        claim w1 a.2
            no: attempt 1 of a runs on w2
    "#]]);
}

#[test]
fn what_a_worker_hands_back_goes_on_elsewhere_and_costs_nothing() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a retry.max_retries=0 retry.max_losses=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@5
            known, continue
        drain w1 handing-back
            w1 runs a, draining
        beat w1 a.1@6
            known, preempted, draining
        ended w1 a.1@7 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
            offer a.2 to l4 at 0s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout)
        drain w2 handing-back
            w2 runs a, draining
        drain w2 no-more
            w2 runs a
        beat w2 a.2@8
            known, continue
    "#]]);
}

#[test]
fn what_is_not_handed_back_in_time_is_given_up_as_preempted() {
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
        drain w1 handing-back
            w1 runs a, draining
        live 41 w1=a.1@6
            tell retrying a.1 at 40s, after preempted: w1 was told to stop and had not after 40s
    "#]]);
}

#[test]
fn a_drain_outlives_the_process_and_the_scheduler() {
    check(expect![[r#"
        hello w1 t4
        drain w1
            w1 runs nothing, draining
        bye w1
        workers
            w1 runs nothing, draining, gone
        restart
        hello w1#2 t4
            welcome, draining
        submit a
            tell queued a
            accepted
        wait 3700
        workers
            w1 runs nothing, draining
        drain w1 no-more
            w1 runs nothing
        wait 3700
            forget w1
        workers
            nobody
    "#]]);
}

#[test]
fn a_worker_that_went_while_it_drained_is_forgotten_when_that_is_undone() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        drain w1
            w1 runs a, draining
        bye w1
        hello w1#2 t4
            welcome, draining
        get a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        bye w1#2
        drain w1 no-more
            forget w1
            w1 runs a, gone
        workers
            nobody
        drain w1
            refused: there is no worker w1
    "#]]);
}

#[test]
fn pausing_and_cancelling_come_before_handing_back() {
    check(expect![[r#"
        hello w1 t4 slots=2
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
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        pause a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: paused
        cancel b
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        drain w1 handing-back
            w1 runs a b, draining
        beat w1 a.1 b.1
            known, paused, cancelled, draining
    "#]]);
}
