//! Jobs that are redriven, as they were submitted or otherwise.

use expect_test::expect;

use super::check;

#[test]
fn a_job_is_redriven_otherwise_than_it_was_submitted() {
    check(expect![[r#"
        hello w1 t4
        hello w2 a100
        submit a timeout=600 params.lr=0.1
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 10m (timeout)
        ended w1 a.1 permanent
            bury a with 1 attempts
            tell dead a: permanent: it went wrong
        redrive a edits.params.lr=0.01 edits.gpu=["a100"] edits.timeout=7200 edits.priority=9 total.usd=20
            tell queued a with gpu=a100 params.lr=0.01 priority=9 timeout=7200.0
            offer a.2 to a100 at 0s
            offered on a100; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers a100; edited: gpu=a100 params.lr=0.01 priority=9 timeout=7200.0
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 2h (timeout)
        submit a timeout=600 params.lr=0.1
            known, running
        submit a timeout=600 params.lr=0.01
            refused: job a exists with another params
    "#]]);
}

#[test]
fn edits_are_checked_as_a_submission_is() {
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
        redrive a edits.params.lr=100
            refused: params: lr is 100; it takes more than 0, at most 10
        redrive a edits.params.learning_rate=0.1
            refused: params: unknown field `learning_rate`, expected one of `data`, `arch`, `stem`, `init_from`, `epochs`, `batch_size`, `accumulation`, `lr`, `weight_decay`, `warmup_epochs`, `clip_norm`, `label_smoothing`, `augment`, `image_size`, `val_split`, `early_stop_patience`, `seed`, `precision`, `max_unreadable`, `checkpoint_every_steps`
        redrive a edits.params.data=null
            refused: params: missing field `data`
        redrive a edits.gpu=["b200"]
            refused: resources.gpu: b200 is not a known GPU class; the classes are a100, a10g, cpu, h100, h200, l4 and t4
        redrive a edits.priority=10
            refused: priority is 10; it goes from 0 to 9
        redrive a edits.timeout=0
            refused: timeout is zero; leave it out for the workload's default
        redrive a total.usd=-1
            refused: total.usd is not an amount of money; write a number of dollars, 0 or more
        get a
            dead on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn a_dry_run_says_what_would_come_of_it_and_changes_nothing() {
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
        redrive a dry_run=true edits.gpu=["a100"]
            queued on a100; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: no worker offers a100; edited: gpu=a100
        redrive a dry_run=true edits.params.lr=100
            refused: params: lr is 100; it takes more than 0, at most 10
        get a
            dead on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
        redrive a
            tell queued a
            offer a.2 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
        redrive a dry_run=true
            refused: job a is offered; only a dead or cancelled one can be redriven
    "#]]);
}

#[test]
fn another_run_does_not_go_on_from_the_checkpoints() {
    check(expect![[r#"
        hello w1 t4
        submit a
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        started w1 a.1@0
        ended w1 a.1@7 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
            offer a.2 to t4 at 0s
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        started w1 a.2@7
        ended w1 a.2@9 permanent
            bury a with 2 attempts
            tell dead a: permanent: it went wrong
        redrive a edits.params.lr=0.01
            refused: job a cannot go on from its checkpoint of step 7 with these edits: lr was 0.001 and is 0.01; redrive it fresh, and it begins again at step 0
        redrive a edits.params.data=tulips edits.params.lr=0.001
            tell queued a with params.data=tulips params.lr=0.001
            offer a.3 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.data=tulips params.lr=0.001
        cancel a
            tell cancelled a
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; edited: params.data=tulips params.lr=0.001
        redrive a edits.params.lr=0.01 fresh=true
            tell queued a with params.lr=0.01, fresh
            offer a.3 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.data=tulips params.lr=0.01
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout), afresh after 2
        started w1 a.3@0
        ended w1 a.3@3 permanent
            bury a with 3 attempts
            tell dead a: permanent: it went wrong
        get a
            dead on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; edited: params.data=tulips params.lr=0.01
        redrive a edits.params.lr=0.02
            tell queued a with params.lr=0.02
            offer a.4 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.data=tulips params.lr=0.02
    "#]]);
}

#[test]
fn edits_add_up_and_survive_a_restart() {
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
        redrive a edits.params.epochs=3 edits.retry.max_retries=0
            tell queued a with params.epochs=3 retry.max_retries=0
            offer a.2 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.epochs=3 retry.max_retries=0
        claim w1 a.2
            tell leased a.2 by w1
            grant a.2 for 1h (timeout)
        ended w1 a.2 permanent
            bury a with 2 attempts
            tell dead a: permanent: it went wrong
        restart
        redrive a edits.params.lr=0.1 edits.params.epochs=null
            tell queued a with params.epochs=null params.lr=0.1
            offer a.3 to t4 at 0s
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.epochs=null params.lr=0.1 retry.max_retries=0
        get a
            offered on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4; edited: params.epochs=null params.lr=0.1 retry.max_retries=0
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout)
        ended w1 a.3 transient
            bury a with 3 attempts
            tell dead a: transient: it went wrong (given up: max_retries is 0)
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
