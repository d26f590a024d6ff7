//! Limits of time and money that end a job, or an attempt.

use expect_test::expect;

use super::check;

#[test]
fn the_total_time_ends_a_job_wherever_it_is() {
    check(expect![[r#"
        submit a total.time=60
            tell queued a
            accepted
        hello w1 t4
            offer a.1 to t4 at 0s
        wait 5s
        beat w1
            known
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 55s (budget)
        wait 5s
        ended w1 a.1 transient
            tell retrying a.1 at 20s, after transient: it went wrong
            offer a.2 to t4 at 20s
        wait 9s
        beat w1
            known
        wait 2s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 39s (budget)
        wait 9s
        ended w1 a.2 transient
            tell retrying a.2 at 50s, after transient: it went wrong
            offer a.3 to t4 at 50s
        get a
            backing_off on t4; queued 6s, backing off 10s, running 14s, 0.001361 USD; next attempt at 50s
        submit b total.time=20
            tell queued b
            accepted
            offer b.1 to t4 at 30s
        wait 21s
            bury b with 0 attempts
            tell dead b: budget: the job's total time of 20s is over; redrive it with a larger total.time
        get b
            dead on t4; queued 20s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn the_total_money_bounds_an_attempt() {
    check(expect![[r#"
        hello w1 t4
        submit a total.usd=0.0067
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 36s 914ms (budget)
        wait 6s
        beat w1 a.1
            known, continue
        wait 6s
        beat w1 a.1
            known, continue
        wait 6s
        beat w1 a.1
            known, continue
        wait 6s
        beat w1 a.1
            known, continue
        wait 6s
        beat w1 a.1
            known, continue
        wait 6s
        beat w1 a.1
            known, continue
        wait 1s
        beat w1 a.1
            known, budget
        ended w1 a.1 budget
            bury a with 1 attempts
            tell dead a: budget: it went wrong (given up: 0.0031 USD are left of the job's total of 0.0067 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0097 or more)
        redrive a
            refused: 0.0031 USD are left of the job's total of 0.0067 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0097 or more
        redrive a total.usd=1
            tell queued a
            offer a.2 to t4 at 37s
            offered on t4; queued 0s, backing off 0s, running 37s, 0.003597 USD; waiting: a worker that offers t4
    "#]]);
}

#[test]
fn no_attempt_is_begun_that_the_money_left_does_not_pay_for() {
    check(expect![[r#"
        hello w1 t4
        submit a total.usd=0.005
            tell queued a
            accepted
            bury a with 0 attempts
            tell dead a: budget: 0.0050 USD are left of the job's total of 0.005 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0061 or more
        submit b total.usd=0.005 timeout=10
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        hello w2 cpu
        submit c total.usd=0.005
            tell queued c
            accepted
            offer c.1 to cpu at 0s
        cancel b
            tell cancelled b
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        submit d total.usd=0.007 retry.max_retries=5
            tell queued d
            accepted
            offer d.1 to t4 at 0s
        claim w1 d.1
            tell leased d.1 by w1
            grant d.1 for 40s (budget)
        bye w2
            forget w2
        live 15s w1=d.1@5
            bury c with 0 attempts
            tell dead c: budget: 0.0050 USD are left of the job's total of 0.005 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0061 or more
        ended w1 d.1@9 transient
            bury d with 1 attempts
            tell dead d: transient: it went wrong (given up: 0.0055 USD are left of the job's total of 0.007 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0075 or more)
        redrive d
            refused: 0.0055 USD are left of the job's total of 0.007 USD, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; redrive it with a total.usd of 0.0075 or more
        redrive d total.usd=0.0075
            tell queued d
            offer d.2 to t4 at 15s
            offered on t4; queued 0s, backing off 0s, running 15s, 0.001458 USD; waiting: a worker that offers t4
    "#]]);
}

#[test]
fn an_attempt_that_does_not_stop_is_given_up() {
    check(expect![[r#"
        hello w1 t4
        submit a timeout=5
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 5s (timeout)
        wait 5s
        beat w1 a.1
            known, timeout
        wait 9s
        beat w1 a.1
            known, timeout
        wait 9s
        beat w1 a.1
            known, timeout
        wait 9s
        beat w1 a.1
            known, timeout
        wait 9s
        beat w1 a.1
            known, timeout
        wait 9s
            tell retrying a.1 at 55s, after timeout: w1 was told to stop and had not after 40s
            offer a.2 to t4 at 55s
        beat w1 a.1
            known, superseded
    "#]]);
}
