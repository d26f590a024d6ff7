//! What was spent.

use contract::control::{CostGroup, CostLine, GetCost};

use super::*;

#[tokio::test]
async fn what_was_spent_is_summed_by_owner_and_month_and_outlives_the_job() {
    let file = File::new();
    let store = file.open().await;
    let mut scene = Scene::new(rules());
    scene.play(&[
        "hello w1 t4",
        "hello w2 t4 spot",
        "submit a owner=ann",
        "claim w1 a.1",
        "live 60s w1=a.1@9 w2",
        "submit b owner=bob resources.spot=only",
        "claim w2 b.1",
        "live 60s w1=a.1@19 w2=b.1@5",
    ]);
    let spent = async || {
        let months: Vec<Month> = vec![Month::of(START), Month::of(START).next()];
        let mut said = Vec::new();
        for month in months {
            for (owner, usd) in store.spent(month).await.unwrap() {
                // An hour of a T4 is 0.35 USD on demand and 0.14 USD spot: whole seconds come out.
                let seconds = usd / if owner == "ann" { 0.35 } else { 0.14 } * 3600.0;
                said.push(format!("{month} {owner} {seconds:.3} s"));
            }
        }
        said.join(", ")
    };
    let running = ["a", "b"].map(|name| row(&scene, name)).to_vec();
    commit(&store, Changes { jobs: running, ..Changes::default() }).await;
    assert_eq!(spent().await, "2001-09 ann 20.000 s, 2001-10 ann 100.000 s, 2001-10 bob 60.000 s");

    scene.play(&["ended w2 b.1@6 ok", "live 30s w1=a.1@29", "ended w1 a.1@30 ok"]);
    let ended =
        Arc::new(Changes { jobs: ["a", "b"].map(|name| row(&scene, name)).to_vec(), ..Changes::default() });
    let expected = "2001-09 ann 20.000 s, 2001-10 ann 130.000 s, 2001-10 bob 60.000 s";
    for _ in 0..2 {
        store.commit(ended.clone()).await.unwrap();
        assert_eq!(spent().await, expected, "a batch that is written again adds nothing");
    }

    commit(&store, Changes { removed: vec![id("a"), id("b")], ..Changes::default() }).await;
    assert_eq!(spent().await, expected, "money that is spent stays spent");

    scene.play(&["submit c owner=ann", "claim w1 c.1", "live 10s w1=c.1@1", "ended w1 c.1@2 ok"]);
    let at_once = Changes { jobs: vec![row(&scene, "c")], removed: vec![id("c")], ..Changes::default() };
    commit(&store, at_once).await;
    assert_eq!(spent().await, expected.replace("130", "140"), "also what ended in the same moment");
    assert_eq!(store.list(ListJobs::default()).await.unwrap().0.len(), 0);
}

#[tokio::test]
async fn money_is_summed_by_whatever_is_asked_for() {
    let file = File::new();
    let store = file.open().await;
    let mut scene = Scene::new(rules());
    // Two trials of a sweep, and a job of somebody else; both cross the end of the month.
    scene.play(&[
        "hello w1 t4",
        "hello w2 t4 spot",
        "hello w3 l4",
        "submit b owner=bob resources.gpu=[\"t4\",\"l4\"] resources.spot=allow",
        "claim w2 b.1",
        "sweep s job.owner=ann job.resources.gpu=[\"t4\"] search.params={\"epochs\":[1,2]} concurrency=1",
        "claim w1 s-1.1",
        "live 30s w1=s-1.1@1 w2=b.1@1 w3",
        "ended w1 s-1.1 ok",
        "ended w2 b.1 ok",
        "claim w1 s-2.1",
        "live 60s w1=s-2.1@1",
    ]);
    let names = ["s-1", "s-2", "b"];
    let jobs = names.map(|name| row(&scene, name)).to_vec();
    commit(&store, Changes { jobs, ..Changes::default() }).await;

    let cost = async |query: GetCost| {
        let mut said = Vec::new();
        for CostLine { group, gpu, tier, sum } in store.cost(query).await.unwrap() {
            let group = group.unwrap_or_else(|| "-".into());
            let cents = [sum.usd * 100.0, sum.saved_usd * 100.0];
            said.push(format!("{group} {gpu} {tier} {}: {:.4}, {:.4}", sum.running, cents[0], cents[1]));
        }
        said.join("; ")
    };
    let by = |by| GetCost { by, ..GetCost::default() };
    let september: Month = "2001-09".parse().unwrap();
    let of_ann = "t4 on-demand 1m 30s: 0.8750, 0.0000";
    let of_bob = "t4 spot 30s: 0.1167, 0.1750";
    assert_eq!(cost(by(CostGroup::Owner)).await, format!("ann {of_ann}; bob {of_bob}"));
    assert_eq!(cost(by(CostGroup::Sweep)).await, format!("s {of_ann}; - {of_bob}"));
    assert_eq!(cost(by(CostGroup::Class)).await, format!("- {of_ann}; - {of_bob}"));
    assert_eq!(
        cost(by(CostGroup::Workload)).await,
        format!("classifier {of_ann}; classifier {of_bob}"),
        "the dearest first"
    );
    let months = "2001-09 t4 on-demand 20s: 0.1944, 0.0000; 2001-09 t4 spot 20s: 0.0778, 0.1167; \
                  2001-10 t4 on-demand 1m 10s: 0.6806, 0.0000; 2001-10 t4 spot 10s: 0.0389, 0.0583";
    assert_eq!(cost(by(CostGroup::Month)).await, months);
    let only = GetCost { until: Some(september), owner: Some("bob".into()), ..by(CostGroup::Owner) };
    assert_eq!(cost(only).await, "bob t4 spot 20s: 0.0778, 0.1167");
    let later = GetCost { since: Some(september.next().next()), ..by(CostGroup::Owner) };
    assert_eq!(cost(later).await, "");
    let others = GetCost { workload: Some("dit".parse().unwrap()), ..by(CostGroup::Owner) };
    assert_eq!(cost(others).await, "");
}
