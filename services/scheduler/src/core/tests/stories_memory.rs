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
