//! Cancelling, submitting again and removing.

use expect_test::expect;

use super::check;

#[test]
fn a_job_that_waits_is_cancelled_at_once() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        cancel a
            tell cancelled a
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        cancel a
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        claim w1 a.1
            no: a has ended: cancelled
        submit b resources.gpu=["h100"]
            tell queued b
            accepted
        cancel b
            tell cancelled b
            cancelled on h100; queued 0s, backing off 0s, running 0s, 0.000000 USD
        cancel c
            refused: there is no job c
    "#]]);
}

#[test]
fn a_job_that_runs_is_told() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        cancel a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        beat w1 a.1
            known, cancelled
        ended w1 a.1@3 cancelled
            tell cancelled a
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        cancel b
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        ended w1 b.1 transient
            tell cancelled b
        submit c
            tell queued c
            accepted
            offer c.1 to t4 at 0s
        claim w1 c.1
            tell leased c.1 by w1
            grant c.1 for 1h (timeout)
        cancel c
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        ended w1 c.1 ok
            tell succeeded c
        submit d
            tell queued d
            accepted
            offer d.1 to t4 at 0s
        claim w1 d.1
            tell leased d.1 by w1
            grant d.1 for 1h (timeout)
        cancel d
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; stopping: cancelled
        wait 11s
            tell cancelled d
        submit e
            tell queued e
            accepted
        claim w1 e.1
            tell leased e.1 by w1
            grant e.1 for 1h (timeout)
        ended w1 e.1 cancelled
            tell retrying e.1 at 21s, after transient: the trainer stopped as cancelled, and nobody had cancelled the job
    "#]]);
}

#[test]
fn one_name_is_one_job() {
    check(expect![[r#"
        submit a
            tell queued a
            accepted
        submit a
            known, queued
        submit a priority=7 labels.x=y
            refused: job a exists with another priority, labels
        submit b workload=poetry
            refused: workload poetry is not known; the workloads are classifier and dit
        submit c params.epochs=0
            refused: params: epochs is 0; it takes 1 to 10,000
        submit d priority=12
            refused: priority is 12; it goes from 0 to 9
        redrive b
            refused: there is no job b
        get b
            refused: there is no job b
    "#]]);
}

#[test]
fn a_job_that_has_ended_can_be_removed_and_its_name_stays_taken() {
    check(expect![[r#"
        submit a
            tell queued a
            accepted
        remove a
            refused: job a is queued; only one that has ended can be removed: cancel it first
        cancel a
            tell cancelled a
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        remove a
            remove a
        remove a
            refused: there is no job a
        submit a
            refused: job a has been removed; a new job needs a name of its own
    "#]]);
}
