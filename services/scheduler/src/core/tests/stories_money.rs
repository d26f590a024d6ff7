//! What owners may spend in a month.

use expect_test::expect;
use policy::Owners;

use super::{check_under, rules};
use crate::core::Rules;

/// The rules that ship, and little money.
pub(super) fn capped() -> Rules {
    let owners = "ada = { monthly_usd = 0.02 }\ndefault = { monthly_usd = 0.012 }";
    let mut rules = Rules { owners: toml::from_str::<Owners>(owners).unwrap(), ..rules() };
    rules.workloads.values_mut().for_each(|workload| workload.concurrency = 4);
    rules
}

#[test]
fn an_owner_whose_money_is_over_waits_for_the_next_month() {
    check_under(
        capped(),
        expect![[r#"
            freeze 1h
            hello w1 t4 slots=9
            submit a owner=ada
                tell queued a
                accepted
                offer a.1 to t4 at 3600s
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 2m 53s 714ms (budget)
            submit b owner=ada
                tell queued b
                accepted
            get b
                queued on t4; queued 0s, backing off 0s, running 0s, 0.000000 USD; waiting: owner ada has 0.0000 of 0.02 USD left for 2001-10, 0.0200 reserved for attempts under way, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; it goes on with the next month, or when the cap is raised
            owners
                2001-10: ada: 0.0000 spent and 0.0200 reserved of 0.0200, 0.0000 left, 1 wait
            submit c owner=bob
                tell queued c
                accepted
                offer c.1 to t4 at 3600s
            live 60s w1=a.1@5
                offer c.1 to t4 at 3615s
                offer c.1 to t4 at 3630s
                offer c.1 to t4 at 3645s
                offer c.1 to t4 at 3660s
            ended w1 a.1@9 ok
                tell succeeded a
            wait 1
                offer b.1 to t4 at 3660.25s
            claim w1 b.1
                tell leased b.1 by w1
                grant b.1 for 1m 53s 714ms (budget)
            live 115s w1=b.1@9
                offer c.1 to t4 at 3675s
                offer c.1 to t4 at 3690s
                offer c.1 to t4 at 3705s
                offer c.1 to t4 at 3720s
                offer c.1 to t4 at 3735s
                offer c.1 to t4 at 3750s
                offer c.1 to t4 at 3765s
            beat w1 b.1@9
                known, budget
            ended w1 b.1@20 budget
                tell retrying b.1 at 3776s, after budget: it went wrong
            get b
                queued on t4; queued 1m 1s, backing off 0s, running 1m 55s, 0.011181 USD; waiting: owner ada has 0.0030 of 0.02 USD left for 2001-10, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; it goes on with the next month, or when the cap is raised
            submit d owner=ada resources.gpu=["a100"]
                refused: owner ada may spend 0.02 USD a month, and the shortest attempt on a100 costs 0.0517 USD; an operator sets owners.ada.monthly_usd
            restart
            wait 1
            get b
                queued on t4; queued 1m 2s, backing off 0s, running 1m 55s, 0.011181 USD; waiting: owner ada has 0.0030 of 0.02 USD left for 2001-10, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; it goes on with the next month, or when the cap is raised
            freeze 31days
                offer c.1 to t4 at 2682177s
                offer b.2 to t4 at 2682177s
            get b
                offered on t4; queued 1month 13h 27m 26s, backing off 0s, running 1m 55s, 0.011181 USD; waiting: a worker that offers t4
        "#]],
    );
}

#[test]
fn an_attempt_across_the_end_of_a_month_is_paid_by_both() {
    check_under(
        capped(),
        expect![[r#"
            hello w1 t4
            submit a owner=ada
                tell queued a
                accepted
                offer a.1 to t4 at 0s
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 3m 13s 714ms (budget)
            live 90s w1=a.1@5
            ended w1 a.1@9 ok
                tell succeeded a
            submit b owner=ada
                tell queued b
                accepted
                offer b.1 to t4 at 90s
            claim w1 b.1
                tell leased b.1 by w1
                grant b.1 for 1m 43s 714ms (budget)
        "#]],
    );
}

#[test]
fn what_a_lost_attempt_may_yet_cost_stays_reserved() {
    check_under(
        capped(),
        expect![[r#"
            freeze 1h
            hello w1 t4
            hello w2 t4
            submit a owner=ada timeout=100
                tell queued a
                accepted
                offer a.1 to t4 at 3600s
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 1m 40s (timeout)
            beat w1 a.1@1
                known, continue
            submit b owner=ada
                tell queued b
                accepted
                offer b.1 to t4 at 3600s
            claim w2 b.1
                tell leased b.1 by w2
                grant b.1 for 41s 714ms (budget)
            live 11s w2=b.1@5
                tell retrying a.1 at 3620s, after lost: w1 was not heard for 10s
                offer a.2 to t4 at 3620s
            ended w2 b.1@9 ok
                tell succeeded b
            submit c owner=ada
                tell queued c
                accepted
                offer c.1 to t4 at 3611s
            wait 5s
            get c
                offered on t4; queued 5s, backing off 0s, running 0s, 0.000000 USD; waiting: a worker that offers t4
            beat w2
                known
            claim w2 a.2
                tell leased a.2 by w2
                grant a.2 for 1m 40s (timeout)
            claim w2 c.1
                no: c is not paid for: owner ada has 0.0022 of 0.02 USD left for 2001-10, 0.0167 reserved for attempts under way, and the shortest attempt on t4 costs 0.0060 USD: 30s of work, and 32s in which it may have to stop; it goes on with the next month, or when the cap is raised
        "#]],
    );
}

#[test]
fn a_limit_that_follows_the_prediction_stays_within_the_month() {
    check_under(
        capped(),
        expect![[r#"
            freeze 1h
            hello w1 t4
            submit a owner=ada timeout=auto
                tell queued a
                accepted
                offer a.1 to t4 at 3600s
            claim w1 a.1
                tell leased a.1 by w1
                grant a.1 for 2m 53s 714ms (budget)
            live 10s w1=a.1@20/40*2
            live 10s w1=a.1@40/400*2
        "#]],
    );
}
