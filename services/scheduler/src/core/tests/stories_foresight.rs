//! Warnings of attempts that will not be done in time, and limits that follow the prediction.

use expect_test::expect;

use super::check;

#[test]
fn a_job_is_warned_once_an_attempt() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=20m
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 20m (timeout)
        live 59s w1=a.1@60/10000*2
        live 100s w1=a.1@80/10000*2
            tell warned a.1: the attempt will take about 1h 22m 40s more, and with 20 % to spare that is not within the 18m 56s that are left of its timeout of 20m
        get a
            running on t4; queued 0s, backing off 0s, running 2m 39s, 0.015458 USD; done at 5119s; warning: the attempt will take about 1h 22m 40s more, and with 20 % to spare that is not within the 17m 21s that are left of its timeout of 20m
        live 9s w1=a.1@9000/10000*100
        get a
            running on t4; queued 0s, backing off 0s, running 2m 48s, 0.016333 USD; done at 178s
        ended w1 a.1@9000 timeout
            tell retrying a.1 at 178s, after timeout: it went wrong
            offer a.2 to t4 at 178s
        live 11s w1
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 20m (timeout)
        live 100s w1=a.2@9000/90000*1
            tell warned a.2: the attempt will take about 22h 30m more, and with 20 % to spare that is not within the 19m that are left of its timeout of 20m
    "#]]);
}

#[test]
fn the_total_time_is_held_against_the_prediction() {
    check(expect![[r#"
        hello w1 t4
        submit a total.time=100
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1m 40s (budget)
        wait 9s
        beat w1 a.1@10/400*4
            known, continue
        wait 3s
        beat w1 a.1@20/400*4
            tell warned a.1: the attempt will take about 1m 35s more, and with 20 % to spare that is not within the 1m 28s that are left of the job's total time of 1m 40s
            known, continue
        wait 3s
        get a
            running on t4; queued 0s, backing off 0s, running 15s, 0.001458 USD; done at 107s; warning: the attempt will take about 1m 35s more, and with 20 % to spare that is not within the 1m 28s that are left of the job's total time of 1m 40s
    "#]]);
}

#[test]
fn auto_sets_the_limit_from_the_prediction() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=auto
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        wait 9s
        beat w1 a.1
            known, continue, a.1 for 1h (timeout)
        wait 9s
        beat w1 a.1@20/20000*2
            known, continue, a.1 for 3h 20m 9s 600ms (timeout)
        wait 9s
        beat w1 a.1@40/20000*2
            known, continue, a.1 for 3h 20m 8s 400ms (timeout)
        wait 9s
        beat w1 a.1@40/20000*1
            known, continue, a.1 for 3h 20m 8s 400ms (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, continue, a.1 for 1m 47s (timeout)
        wait 9s
        beat w1 a.1@400/500*50
            known, timeout
    "#]]);
}

#[test]
fn auto_stays_within_the_total_limits() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=auto total.usd=0.7
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        wait 9s
        beat w1 a.1@20/20000*1
            known, continue, a.1 for 1h 59m 28s (budget)
        submit b timeout=48h
            tell queued b
            accepted
            offer b.1 to t4 at 9s
        get b
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; warning: timeout is 2days, and one attempt of classifier runs 1day at most: that is what it gets; its checkpoints carry the work on into the next attempt; waiting: a worker that offers t4; begins not before 7168s
    "#]]);
}
