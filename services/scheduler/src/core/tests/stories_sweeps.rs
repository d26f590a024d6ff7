//! Stories of sweeps.

use expect_test::expect;

use super::check;

#[test]
fn trials_are_launched_a_few_at_a_time_and_the_sweep_finishes() {
    check(expect![[r#"
        hello w1 t4 slots=9
        sweep s concurrency=2 search.params={"epochs":[1,2,3]}
            tell queued s-1
            tell queued s-2
            offer s-1.1 to t4 at 0s
            offer s-2.1 to t4 at 0s
            running, 2 of 3 launched: 1 offered; 2 offered
        sweep s concurrency=2 search.params={"epochs":[1,2,3]}
            running, 2 of 3 launched: 1 offered; 2 offered
        sweep s concurrency=3 search.params={"epochs":[1,2,3]}
            refused: sweep s exists and is another one; choose another sweep_id
        submit s-3
            refused: s-3 is the name of a trial of sweep s; choose another one
        claim w1 s-1.1
            tell leased s-1.1 by w1
            grant s-1.1 for 1h (timeout)
        ended w1 s-1.1 ok
            tell succeeded s-1
            tell queued s-3
            offer s-3.1 to t4 at 0s
        restart
        claim w1 s-2.1
            tell leased s-2.1 by w1
            grant s-2.1 for 1h (timeout)
        ended w1 s-2.1 permanent
            bury s-2 with 1 attempts
            tell dead s-2: permanent: it went wrong
        claim w1 s-3.1
            tell leased s-3.1 by w1
            grant s-3.1 for 1h (timeout)
        show-sweep s
            running, 3 of 3 launched: 1 succeeded; 2 dead; 3 running
        ended w1 s-3.1 ok
            tell succeeded s-3
        show-sweep s
            finished, 3 of 3 launched: 1 succeeded; 2 dead; 3 succeeded
    "#]]);
}

#[test]
fn a_trial_that_falls_behind_is_stopped_early() {
    check(expect![[r#"
        hello w1 t4 slots=9
        sweep s concurrency=3 objective={"metric":"acc","direction":"maximize"} early_stop={"resource":"steps","first":10,"factor":3}
            tell queued s-1
            tell queued s-2
            tell queued s-3
            offer s-1.1 to t4 at 0s
            offer s-2.1 to t4 at 0s
            running, 3 of 6 launched: 1 offered; 2 offered; 3 queued
        claim w1 s-1.1
            tell leased s-1.1 by w1
            grant s-1.1 for 1h (timeout)
        claim w1 s-2.1
            tell leased s-2.1 by w1
            grant s-2.1 for 1h (timeout)
        metric s-1.1@10 acc=0.5
        metric s-2.1@5 acc=0.1
        metric s-2.1@10 acc=0.7
        beat w1 s-1.1@10 s-2.1@12
            known, continue, continue
        ended w1 s-1.1@30 ok
            tell succeeded s-1
            tell queued s-4
            offer s-3.1 to t4 at 0s
        claim w1 s-3.1
            tell leased s-3.1 by w1
            grant s-3.1 for 1h (timeout)
        metric s-3.1@11 acc=0.4
        metric s-3.1@11 acc=0.4
        restart
        beat w1 s-2.1@12 s-3.1@12
            known, continue, early_stopped
        show-sweep s
            running, 4 of 6 launched: 1 succeeded 0.5; 2 running 0.7; 3 running 0.4; 4 queued; best 2
        ended w1 s-3.1@12 cancelled
            tell cancelled s-3
            tell queued s-5
            offer s-4.1 to t4 at 0s
        metric s-2.1@20 loss=3
        show-sweep s
            running, 5 of 6 launched: 1 succeeded 0.5; 2 running 0.7; 3 cancelled early_stopped 0.4; 4 offered; 5 queued; best 2
        get s-3
            cancelled on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD
    "#]]);
}

#[test]
fn trials_that_die_the_same_way_end_the_launching() {
    check(expect![[r#"
        hello w1 t4 slots=9
        sweep s concurrency=1 max_same_failures=2
            tell queued s-1
            offer s-1.1 to t4 at 0s
            running, 1 of 6 launched: 1 offered
        claim w1 s-1.1
            tell leased s-1.1 by w1
            grant s-1.1 for 1h (timeout)
        ended w1 s-1.1 permanent
            bury s-1 with 1 attempts
            tell dead s-1: permanent: it went wrong
            tell queued s-2
            offer s-2.1 to t4 at 0s
        claim w1 s-2.1
            tell leased s-2.1 by w1
            grant s-2.1 for 1h (timeout)
        ended w1 s-2.1 permanent
            bury s-2 with 1 attempts
            tell dead s-2: permanent: it went wrong
        show-sweep s
            stopped (2 trials died the same way: permanent: it went wrong), 2 of 6 launched: 1 dead; 2 dead
        restart
        resume-sweep s
            tell queued s-3
            offer s-3.1 to t4 at 0s
            running, 3 of 6 launched: 1 dead; 2 dead; 3 offered
        claim w1 s-3.1
            tell leased s-3.1 by w1
            grant s-3.1 for 1h (timeout)
        ended w1 s-3.1 permanent
            bury s-3 with 1 attempts
            tell dead s-3: permanent: it went wrong
            tell queued s-4
            offer s-4.1 to t4 at 0s
        show-sweep s
            running, 4 of 6 launched: 1 dead; 2 dead; 3 dead; 4 offered
    "#]]);
}

#[test]
fn a_sweep_that_was_cancelled_goes_on_with_the_trials_that_were_under_way() {
    check(expect![[r#"
        hello w1 t4 slots=9
        sweep s concurrency=2
            tell queued s-1
            tell queued s-2
            offer s-1.1 to t4 at 0s
            offer s-2.1 to t4 at 0s
            running, 2 of 6 launched: 1 offered; 2 offered
        claim w1 s-1.1
            tell leased s-1.1 by w1
            grant s-1.1 for 1h (timeout)
        beat w1 s-1.1@7
            known, continue
        cancel-sweep s
            tell cancelled s-2
            stopping (cancelled), 2 of 6 launched: 1 running; 2 cancelled
        resume-sweep s
            refused: sweep s is still stopping: 1 trials have not ended yet
        ended w1 s-1.1@7 cancelled
            tell cancelled s-1
        show-sweep s
            cancelled, 2 of 6 launched: 1 cancelled; 2 cancelled
        restart
        resume-sweep s
            tell queued s-1
            tell queued s-2
            offer s-1.2 to t4 at 0s
            offer s-2.1 to t4 at 0s
            running, 2 of 6 launched: 1 offered; 2 offered
        claim w1 s-1.2
            tell leased s-1.2 by w1
            grant s-1.2 for 1h (timeout)
    "#]]);
}

#[test]
fn the_money_of_all_trials_has_one_limit() {
    check(expect![[r#"
        hello w1 t4 slots=9
        sweep s concurrency=3 max_usd=0.02
            tell queued s-1
            tell queued s-2
            tell queued s-3
            offer s-1.1 to t4 at 0s
            running, 3 of 6 launched: 1 offered; 2 queued; 3 queued
        claim w1 s-1.1
            tell leased s-1.1 by w1
            grant s-1.1 for 2m 53s 714ms (budget)
        claim w1 s-2.1
            no: s-2 is not paid for: sweep s has 0.0000 USD left that no other trial has reserved, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop
        get s-2
            queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: sweep s has 0.0000 USD left that no other trial has reserved, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop
        live 60s w1=s-1.1@7
        ended w1 s-1.1@7 transient
            tell retrying s-1.1 at 70s, after transient: it went wrong
            offer s-1.2 to t4 at 70s
        wait 1
            offer s-2.1 to t4 at 60.25s
        claim w1 s-2.1
            tell leased s-2.1 by w1
            grant s-2.1 for 1m 53s 714ms (budget)
        live 114s w1=s-2.1@9
        beat w1 s-2.1@9
            known, budget
        restart
        ended w1 s-2.1@9 budget
            tell retrying s-2.1 at 175s, after budget: it went wrong
        wait 1
            bury s-1 with 1 attempts
            tell dead s-1: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
            bury s-2 with 1 attempts
            tell dead s-2: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
            bury s-3 with 0 attempts
            tell dead s-3: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
        show-sweep s
            stopped (0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd), 3 of 6 launched: 1 dead; 2 dead; 3 dead
        resume-sweep s
            tell queued s-1
            tell queued s-2
            tell queued s-3
            running, 3 of 6 launched: 1 queued; 2 queued; 3 queued
        wait 1
            bury s-1 with 1 attempts
            tell dead s-1: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
            bury s-2 with 1 attempts
            tell dead s-2: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
            bury s-3 with 0 attempts
            tell dead s-3: budget: 0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd
        show-sweep s
            stopped (0.0031 of the sweep's 0.02 USD are left, which pay for no further attempt; resume it with a larger max_usd), 3 of 6 launched: 1 dead; 2 dead; 3 dead
        resume-sweep s max_usd=1
            tell queued s-1
            tell queued s-2
            tell queued s-3
            offer s-1.2 to t4 at 177s
            offer s-2.2 to t4 at 177s
            running, 3 of 6 launched: 1 offered; 2 offered; 3 queued
    "#]]);
}

#[test]
fn a_sweep_that_cannot_be_is_refused_and_says_why() {
    check(expect![[r#"
        submit s-2
            tell queued s-2
            accepted
        sweep s
            refused: job s-2 exists, or existed, and is no trial of sweep s; choose another sweep_id
        sweep r early_stop={"resource":"steps","first":10}
            refused: early_stop needs an objective to compare trials by
        sweep r search.params={"epochs":[]}
            refused: search has no trials; name at least one value for each parameter
        sweep r search.params={"epochs":[1,-5]}
            refused: trial 2: params: invalid value: integer `-5`, expected u32
        sweep r job.workload=unknown
            refused: trial 1: workload unknown is not known; the workloads are classifier and dit
        sweep r concurrency=0
            refused: concurrency is 0; at least one trial has to run
        show-sweep r
            refused: there is no sweep r
        cancel-sweep r
            refused: there is no sweep r
        resume-sweep r
            refused: there is no sweep r
    "#]]);
}
