//! Retries, budgets, cancelling and redriving.

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
fn a_dead_job_is_redriven_with_fresh_budgets() {
    check(expect![[r#"
        hello w1 t4
        submit a retry.max_retries=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 transient
            bury a with 1 attempts
            tell dead a: transient: it went wrong (given up: max_retries is 0)
        wait 1h
        redrive a
            tell queued a
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers t4, l4 or cpu
        hello w1 t4
            offer a.2 to t4 at 3600s
        submit a retry.max_retries=0
            known, offered
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        redrive a
            refused: job a is running; only a dead or cancelled one can be redriven
        get a
            running on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        ended w1 a.2 ok
            tell succeeded a
        redrive a
            refused: job a is succeeded; only a dead or cancelled one can be redriven
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
