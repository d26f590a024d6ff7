//! Sweeps.

use contract::sweep::ListSweeps;

use super::*;

#[tokio::test]
async fn sweeps_are_read_back_as_they_were_and_listed_newest_first() {
    let mut scene = Scene::new(rules());
    scene.play(&[
        "hello w1 t4 slots=9",
        "sweep done search.params={\"epochs\":[1]} job.owner=ann",
        "claim w1 done-1.1",
        "ended w1 done-1.1 ok",
        "sweep cancelled concurrency=1 job.owner=ben",
        "cancel-sweep cancelled",
        "sweep live concurrency=2 max_usd=3.5 job.owner=ann",
        "claim w1 live-1.1",
    ]);
    let sweep = |name: &str| scene.core.sweep(&name.parse().unwrap()).unwrap().clone();
    let names = ["done", "cancelled", "live"];
    let file = File::new();
    let sweeps = names.iter().map(|name| SweepRow::from(&sweep(name))).collect();
    commit(&file.open().await, Changes { sweeps, ..Changes::default() }).await;

    let store = file.open().await;
    assert_eq!(store.load().await.unwrap().sweeps, [sweep("live")], "those that have ended stay on disk");
    let ids = ["live", "unknown", "done", "cancelled"].map(|name| name.parse().unwrap());
    let recalled = store.recall_sweeps(ids.to_vec()).await.unwrap();
    assert_eq!(recalled, [sweep("live"), sweep("done"), sweep("cancelled")]);

    let listed = async |owner: Option<&str>, before: Option<&str>| {
        let before = before.map(|name| name.parse().unwrap());
        let query = ListSweeps { owner: owner.map(str::to_owned), before };
        let (sweeps, more) = store.sweeps(query).await.unwrap();
        let names: Vec<String> = sweeps.iter().map(|sweep| sweep.id.to_string()).collect();
        (names.join(" "), more)
    };
    assert_eq!(listed(None, None).await, ("live cancelled done".into(), false));
    assert_eq!(listed(Some("ann"), None).await, ("live done".into(), false));
    assert_eq!(listed(None, Some("cancelled")).await, ("done".into(), false));
    assert_eq!(listed(Some("nobody"), None).await, (String::new(), false));

    // What changes takes its own place, and no newer one.
    scene.play(&["claim w1 live-2.1", "ended w1 live-1.1@7 ok"]);
    let changed = scene.core.sweep(&"live".parse().unwrap()).unwrap().clone();
    let row = SweepRow::from(&changed);
    commit(&store, Changes { sweeps: vec![row], ..Changes::default() }).await;
    assert_eq!(store.load().await.unwrap().sweeps, [changed]);
    assert_eq!(listed(None, None).await, ("live cancelled done".into(), false));
}

#[tokio::test]
async fn a_page_of_sweeps_says_whether_there_are_older_ones() {
    let mut scene = Scene::new(rules());
    let most = ListSweeps::MOST;
    let names: Vec<String> = (0..=most).map(|number| format!("sweep{number}")).collect();
    for name in &names {
        scene.play(&[&format!("sweep {name}")]);
    }
    let rows = names.iter().map(|name| SweepRow::from(scene.core.sweep(&name.parse().unwrap()).unwrap()));
    let file = File::new();
    let store = file.open().await;
    commit(&store, Changes { sweeps: rows.collect(), ..Changes::default() }).await;
    let (sweeps, more) = store.sweeps(ListSweeps::default()).await.unwrap();
    assert_eq!((sweeps.len(), more), (most, true));
    let before = sweeps.last().map(|sweep| sweep.id.clone());
    let (rest, more) = store.sweeps(ListSweeps { owner: None, before }).await.unwrap();
    assert_eq!((rest.len(), rest[0].id.as_str(), more), (1, "sweep0", false));
}
