//! Running out of memory: what is remembered, and where the job goes on.

use expect_test::expect;

use super::check;

#[test]
fn micro_batches_are_remembered_for_the_next_attempt_of_the_class_wherever_it_runs() {
    check(expect![[r#"
        hello w1 t4
        hello w2 t4
        submit a resources.gpu=["t4"]
        claim w1 a.1
        beat w1 a.1@10%4
        ended w1 a.1@12 preempted
        claim w2 a.2
        bye w1
        ended w2 a.2@14%8 transient
        restart
        wait 9s
        beat w2
        wait 1s
        claim w2 a.3
    "#]]);
}

#[test]
fn a_larger_class_begins_with_whole_batches_and_a_smaller_one_does_not() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"]
        claim w1 a.1
        ended w1 a.1@10%32 oom
        wait 9s
        beat w1
        beat w2
        wait 1s
        claim w2 a.2
        beat w2 a.2@20%2
        bye w2
        ended w2 a.2@20%2 preempted
        beat w1
        claim w1 a.3
    "#]]);
}

#[test]
fn after_the_largest_class_there_is_only_the_dead_letter() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"]
        claim w1 a.1
        ended w1 a.1@10%32 oom
        wait 9s
        beat w2
        wait 1s
        claim w2 a.2
        ended w2 a.2@10%32 oom
        redrive a
        claim w1 a.3
    "#]]);
}

#[test]
fn a_class_without_a_larger_one_is_tried_again_only_where_others_took_of_its_memory() {
    check(expect![[r#"
        hello w1 t4 slots=2
        submit a resources.gpu=["t4"] resources.memory_mib=9000
        submit b resources.gpu=["t4"]
        claim w1 a.1
        claim w1 b.1
        ended w1 a.1 oom
        ended w1 b.1 ok
        wait 9s
        beat w1
        wait 1s
        claim w1 a.2
        ended w1 a.2 oom
    "#]]);
}

#[test]
fn a_larger_class_that_the_budget_does_not_allow_is_not_tried() {
    check(expect![[r#"
        hello w1 t4
        hello w2 l4
        submit a resources.gpu=["t4","l4"] retry.max_retries=0
        claim w1 a.1
        ended w1 a.1 oom
    "#]]);
}
