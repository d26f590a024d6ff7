//! Claims, heartbeats, and workers that come and go.

use expect_test::expect;

use super::check;

#[test]
fn a_job_runs_and_succeeds() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        get a
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        started w1 a.1
        wait 2s
        beat w1 a.1@50
            known, continue
        get a
            running on t4; queued 0s, backing off 0s, running 2s, 0.000194 USD
        wait 1s
        ended w1 a.1@99 ok
            tell succeeded a
        ended w1 a.1@99 ok
        get a
            succeeded on t4; queued 0s, backing off 0s, running 3s, 0.000292 USD
    "#]]);
}

#[test]
fn a_claim_is_granted_once_and_repeated_to_its_holder() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        claim w1 a.1
            grant a.1 for 1h (timeout)
        claim w2 a.1
            no: attempt 1 of a runs on w1
        claim w1 a.2
            no: attempt 1 of a runs on w1
        claim w3 a.1
            no: w3 has to say hello before it claims
        claim w1 b.1
            no: there is no job b
        beat w1 a.1
            known, continue
        claim w2 a.1 redelivered
            no: attempt 1 of a runs on w1
    "#]]);
}

#[test]
fn an_offer_that_comes_back_supersedes_a_holder_that_was_never_heard() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        wait 3s
        claim w2 a.1 redelivered
            tell retrying a.1 at 3s, after lost: w1 took the attempt and was not heard before its offer came back
            tell leased a.2 by w2
            grant a.2 for 1h (timeout)
        claim w2 a.1 redelivered
            grant a.2 for 1h (timeout)
        beat w1 a.1
            known, superseded
        beat w2 a.2
            known, continue
        claim w1 a.1 redelivered
            no: attempt 2 of a runs on w2
        ended w1 a.1 ok
        ended w2 a.2 ok
            tell succeeded a
    "#]]);
}

#[test]
fn an_offer_that_kills_whoever_takes_it_ends_in_the_dead_letters() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a retry.max_losses=1
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        claim w2 a.1 redelivered
            tell retrying a.1 at 0s, after lost: w1 took the attempt and was not heard before its offer came back
            tell leased a.2 by w2
            grant a.2 for 1h (timeout)
        claim w1 a.1 redelivered
            bury a with 2 attempts
            tell dead a: lost: w2 took the attempt and was not heard before its offer came back (given up: max_losses is 1)
            no: a has ended: dead
    "#]]);
}

#[test]
fn a_lease_that_is_not_renewed_runs_out() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        started w1 a.1
        wait 6s
        beat w1 a.1@70
            known, continue
        wait 9s
        get a
            running on t4; queued 0s, backing off 0s, running 15s, 0.001458 USD
        wait 2s
            tell retrying a.1 at 26s, after lost: w1 was not heard for 10s
        get a
            backing_off on t4; queued 0s, backing off 11s, running 6s, 0.000583 USD; next attempt at 26s
        beat w1 a.1@80
            known, superseded
        wait 10s
            offer a.2 to t4 at 26s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        started w1 a.2@60
        get a
            running on t4; queued 1s, backing off 20s, running 6s, 0.000583 USD; 10 steps repeated
    "#]]);
}

#[test]
fn no_lease_runs_out_while_nobody_can_be_heard() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=24h
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1day (timeout)
        offline 1h
        wait 9s
        beat w1 a.1
            known, continue
        freeze 1h
        wait 9s
        beat w1 a.1
            known, continue
        behind 1h
        beat w1 a.1
            known, continue
        restart
        wait 9s
        beat w1 a.1
            known, continue
        wait 12s
            tell retrying a.1 at 10847s, after lost: w1 was not heard for 10s
    "#]]);
}

#[test]
fn a_worker_that_starts_again_has_lost_what_it_ran() {
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
        hello w1#2 t4
            tell retrying a.1 at 10s, after lost: w1 was started again
            offer a.2 to t4 at 10s
        hello w1 t4
            refused: worker w1 is another process by now (00000000-0000-0000-0000-000000000002); this one (00000000-0000-0000-0000-000000000001) has to stop. Two machines need two worker ids
        beat w1 a.1
            unknown, superseded
        claim w1 a.2
            no: w1 has to say hello before it claims
        wait 10s
        claim w1#2 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
    "#]]);
}

#[test]
fn a_worker_that_says_goodbye_may_still_report() {
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
        bye w1
            forget w1
        beat w1 a.1
            unknown, continue
        ended w1 a.1@10 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
        get a
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
    "#]]);
}

#[test]
fn success_counts_even_if_the_attempt_was_given_up() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@10
            known, continue
        wait 11s
            tell retrying a.1 at 20s, after lost: w1 was not heard for 10s
        get a
            backing_off on t4; queued 0s, backing off 11s, running 0s, 0.000000 USD; next attempt at 20s
        wait 1s
        ended w1 a.1@99 ok
            tell succeeded a
        get a
            succeeded on t4; queued 0s, backing off 12s, running 12s, 0.001167 USD
    "#]]);
}

#[test]
fn success_does_not_count_once_a_newer_attempt_was_granted() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@10
            known, continue
        wait 22s
            tell retrying a.1 at 20s, after lost: w1 was not heard for 10s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout)
        ended w1 a.1@99 ok
        get a
            running on t4; queued 2s, backing off 20s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn a_scheduler_that_starts_again_costs_nothing() {
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
        beat w1 a.1@10
            known, continue
        restart
        beat w1 a.1@20
            known, continue
        ended w1 a.1@30 ok
            tell succeeded a
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        get b
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn a_grant_whose_answer_was_lost_costs_from_when_it_is_repeated() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=60 total.usd=0.01
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1m (timeout)
        wait 8s
        claim w1 a.1
            grant a.1 for 1m (timeout)
        beat w1 a.1@1
            known, continue
        claim w1 a.1
            no: attempt 1 of a runs on w1
        get a
            running on t4; queued 8s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn a_worker_that_falls_silent_is_paid_up_to_its_last_heartbeat_though_its_time_is_over() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=5 total.usd=0.01
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 5s (timeout)
        wait 2s
        beat w1 a.1@1
            known, continue
        offline 60s
        wait 11s
            tell retrying a.1 at 82s, after lost: w1 was not heard for 10s
        get a
            backing_off on t4; queued 0s, backing off 1m 11s, running 2s, 0.000194 USD; next attempt at 82s
    "#]]);
}
