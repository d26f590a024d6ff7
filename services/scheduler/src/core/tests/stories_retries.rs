//! Failures, and what each is followed by.

use expect_test::expect;

use super::check;

#[test]
fn retries_back_off_and_run_out() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=2
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 transient
            tell retrying a.1 at 10s, after transient: it went wrong
            offer a.2 to t4 at 10s
        get a
            backing_off on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; next attempt at 10s
        wait 9s
        beat w1
            known
        wait 1s
        get a
            offered on t4; queued 0s, backing off 10s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        ended w1 a.2 timeout
            tell retrying a.2 at 30s, after timeout: it went wrong
            offer a.3 to t4 at 30s
        wait 20s
        beat w1
            known
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout)
        ended w1 a.3 transient
            bury a with 3 attempts
            tell dead a: transient: it went wrong (given up: max_retries is 2)
        get a
            dead on t4; queued 0s, backing off 30s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn jitter_follows_from_the_job_and_the_attempt() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.jitter=full
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 transient
            tell retrying a.1 at 9.416s, after transient: it went wrong
            offer a.2 to t4 at 9.416s
        get a
            backing_off on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; next attempt at 9.416s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        ended w1 a.2 transient
            tell retrying a.2 at 17.412s, after transient: it went wrong
            offer a.3 to t4 at 17.412s
        submit b retry.jitter=equal
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        ended w1 b.1 transient
            tell retrying b.1 at 9.551s, after transient: it went wrong
            offer b.2 to t4 at 9.551s
        restart
        get b
            backing_off on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; next attempt at 9.551s
    "#]]);
}

#[test]
fn what_cannot_be_mended_is_dead_at_once() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 permanent
            bury a with 1 attempts
            tell dead a: permanent: it went wrong
        submit b
            tell queued b
            accepted
            offer b.1 to t4 at 0s
        claim w1 b.1
            tell leased b.1 by w1
            grant b.1 for 1h (timeout)
        ended w1 b.1 budget
            bury b with 1 attempts
            tell dead b: budget: it went wrong
    "#]]);
}

#[test]
fn a_preempted_attempt_is_followed_at_once() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=0 retry.max_losses=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
            offer a.2 to t4 at 0s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        ended w1 a.2 preempted
            tell retrying a.2 at 0s, after preempted: it went wrong
            offer a.3 to t4 at 0s
        get a
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
    "#]]);
}

#[test]
fn a_job_that_spot_machines_get_no_further_goes_on_demand_if_it_can_pay_for_that() {
    check(expect![[r#"
        hello s1 t4 spot
        hello w1 t4
        submit a resources.spot=allow resources.gpu=["t4"]
            tell queued a
            accepted
            offer a.1 to t4 (spot) at 0s
        claim s1 a.1
            tell leased a.1 by s1
            grant a.1 for 1h (timeout)
        ended s1 a.1@0 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
            offer a.2 to t4 (spot) at 0s
        claim s1 a.2
            tell leased a.2 by s1
            grant a.2 for 1h (timeout)
        ended s1 a.2@0 preempted
            tell retrying a.2 at 0s, after preempted: it went wrong
            offer a.3 to t4 (spot) at 0s
        claim s1 a.3
            tell leased a.3 by s1
            grant a.3 for 1h (timeout)
        live 40s s1=a.3@0 w1
        ended s1 a.3@0 preempted
            tell retrying a.3 at 40s, after preempted: it went wrong
            offer a.4 to t4 at 40s
        submit b resources.spot=allow resources.gpu=["t4"] total.usd=0.0085
            tell queued b
            accepted
            offer b.1 to t4 (spot) at 40s
        claim s1 b.1
            tell leased b.1 by s1
            grant b.1 for 3m 6s 571ms (budget)
        ended s1 b.1@0 preempted
            tell retrying b.1 at 40s, after preempted: it went wrong
            offer b.2 to t4 (spot) at 40s
        claim s1 b.2
            tell leased b.2 by s1
            grant b.2 for 3m 6s 571ms (budget)
        live 40s s1=b.2@0 w1
            offer a.4 to t4 at 55s
            offer a.4 to t4 at 70s
        ended s1 b.2@0 preempted
            tell retrying b.2 at 80s, after preempted: it went wrong
            offer b.3 to t4 (spot) at 80s
        claim s1 b.3
            tell leased b.3 by s1
            grant b.3 for 2m 26s 571ms (budget)
        ended s1 b.3@0 preempted
            tell warned b.3: spot machines are taken away before the job gets any further, the last ones after 40s at most, and the money pays for no more than 39s 429ms on t4; it stays on spot
            tell retrying b.3 at 80s, after preempted: it went wrong
            offer b.4 to t4 (spot) at 80s
        claim s1 b.4
            tell leased b.4 by s1
            grant b.4 for 2m 26s 571ms (budget)
        ended s1 b.4@7 preempted
            tell retrying b.4 at 80s, after preempted: it went wrong
            offer b.5 to t4 (spot) at 80s
    "#]]);
}

#[test]
fn a_loss_that_is_no_number_is_permanent_the_second_time_from_the_same_checkpoint_on_any_machine() {
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
        ended w1 a.1@70 diverged@0
            tell retrying a.1 at 10s, after transient: no number
            offer a.2 to t4 at 10s
        wait 9s
        beat w1
            known
        beat w2
            known
        wait 1s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout)
        ended w2 a.2@70 diverged@50
            tell retrying a.2 at 30s, after transient: no number
            offer a.3 to t4 at 30s
        restart
        bye w2
            forget w2
        wait 19s
        beat w1
            known
        wait 1s
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout)
        ended w1 a.3@70 diverged@50
            bury a with 3 attempts
            tell dead a: permanent: no number (for the second time from there)
        redrive a
            tell queued a
            offer a.4 to t4 at 30s
            offered on t4; queued 0s, backing off 30s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        claim w1 a.4
            tell leased a.4 by w1
            grant a.4 for 1h (timeout)
        ended w1 a.4@70 diverged@50
            tell retrying a.4 at 40s, after transient: no number
            offer a.5 to t4 at 40s
    "#]]);
}
