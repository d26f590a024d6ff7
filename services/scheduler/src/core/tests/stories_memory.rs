//! Running out of memory: what is remembered, and where the job goes on.

use expect_test::expect;

use super::check;

#[test]
fn micro_batches_are_remembered_for_the_next_attempt_of_the_class_wherever_it_runs() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a resources.gpu=["t4"]
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        beat w1 a.1@10%4
            known, continue
        ended w1 a.1@12 preempted
            tell retrying a.1 at 0s, after preempted: it went wrong
            offer a.2 to t4 at 0s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout) in 4 micro-batches
        bye w1
            forget w1
        ended w2 a.2@14%8 transient
            tell retrying a.2 at 10s, after transient: it went wrong
            offer a.3 to t4 at 10s
        restart
        wait 9s
        beat w2
            known
        wait 1s
        claim w2 a.3
            tell leased a.3 by w2
            grant a.3 for 1h (timeout) in 8 micro-batches
    "#]]);
}

#[test]
fn a_larger_class_begins_with_whole_batches_and_a_smaller_one_does_not() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"]
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1@10%32 oom
            tell retrying a.1 at 10s, after oom: it went wrong
            offer a.2 to l4 at 10s
        wait 9s
        beat w1
            known
        beat w2
            known
        wait 1s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout) in 1 micro-batches
        beat w2 a.2@20%2
            known, continue
        bye w2
            forget w2
        ended w2 a.2@20%2 preempted
            tell retrying a.2 at 10s, after preempted: it went wrong
            offer a.3 to t4 at 10s
        beat w1
            known
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout) in 32 micro-batches
    "#]]);
}

#[test]
fn after_the_largest_class_there_is_only_the_dead_letter() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"]
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1@10%32 oom
            tell retrying a.1 at 10s, after oom: it went wrong
            offer a.2 to l4 at 10s
        wait 9s
        beat w2
            known
        wait 1s
        claim w2 a.2
            tell leased a.2 by w2
            grant a.2 for 1h (timeout) in 1 micro-batches
        ended w2 a.2@10%32 oom
            bury a with 2 attempts
            tell dead a: oom: it went wrong (l4 has 23034 MiB and the job was estimated at 1877 MiB; given up: no class of the job has more memory)
        redrive a
            tell queued a
            offer a.3 to l4 at 10s
            offered on l4; queued 0s, backing off 10s, running 0s, 0.000000 USD; waiting: a worker that offers l4
        claim w1 a.3
            tell leased a.3 by w1
            grant a.3 for 1h (timeout) in 32 micro-batches
    "#]]);
}

#[test]
fn a_class_without_a_larger_one_is_tried_again_only_where_others_took_of_its_memory() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"] retry.max_retries=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 oom
            bury a with 1 attempts
            tell dead a: oom: it went wrong (t4 has 15360 MiB and the job was estimated at 1877 MiB; given up: max_retries is 0)
    "#]]);
}

#[test]
fn a_larger_class_that_the_budget_does_not_allow_is_not_tried() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"] retry.max_retries=0
            tell queued a
            accepted
            offer a.1 to t4 at 0s
        claim w1 a.1
            tell leased a.1 by w1
            grant a.1 for 1h (timeout)
        ended w1 a.1 oom
            bury a with 1 attempts
            tell dead a: oom: it went wrong (t4 has 15360 MiB and the job was estimated at 1877 MiB; given up: max_retries is 0)
    "#]]);
}
