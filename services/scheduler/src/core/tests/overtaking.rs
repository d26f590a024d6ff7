//! Nobody is overtaken for ever: a job of the lowest priority, beside owners who never run out of jobs of the highest.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use contract::{GpuClass, Seconds, Timestamp};
use policy::{OwnerPolicy, Owners};
use proptest::prelude::*;

use super::{Scene, rules, stories_shares::shared};
use crate::core::{Command, Offer, Rules};

/// How long every attempt runs.
const RUN: Duration = Duration::from_secs(20);
const WORTH: Duration = Duration::from_secs(30);
const CLASSES: [&str; 2] = ["t4", "l4"];
/// Jobs of each owner and class that wait at any time.
const BACKLOG: usize = 3;

/// Who is in the way of the one job.
#[derive(Debug, Clone)]
struct Crowd {
    concurrency: u32,
    /// The weight and the priority of each other owner.
    owners: Vec<(u32, u8)>,
    /// The class that the one job needs.
    class: usize,
    /// Whether the other owners' jobs run on either class.
    is_flexible: bool,
    restarts: bool,
}

fn crowd() -> impl Strategy<Value = Crowd> {
    let owners = prop::collection::vec((1..5u32, 0..10u8), 1..5);
    (1..4u32, owners, 0..2usize, any::<bool>(), any::<bool>()).prop_map(
        |(concurrency, owners, class, is_flexible, restarts)| Crowd {
            concurrency,
            owners,
            class,
            is_flexible,
            restarts,
        },
    )
}

impl Crowd {
    fn rules(&self, priority_worth: Seconds) -> Rules {
        let weight = |weight| OwnerPolicy { weight: Some(weight), ..OwnerPolicy::default() };
        let owners = self.owners.iter().zip(0..);
        let owners = owners.map(|((heavy, _), number)| (format!("owner-{number}"), weight(*heavy)));
        let mut rules = Rules { owners: Owners(owners.collect()), priority_worth, ..rules() };
        rules.workloads.values_mut().for_each(|workload| workload.concurrency = self.concurrency);
        rules
    }

    /// The latest moment at which the one job may begin: it has risen, and every lane has had a turn. A scheduler that
    /// starts again forgets who had turns: then whatever had waited before the one job may come first.
    fn bound(&self) -> Duration {
        let lanes = u32::try_from(self.owners.len() * CLASSES.len()).unwrap();
        let before = if self.restarts { lanes * u32::try_from(BACKLOG).unwrap() } else { lanes };
        WORTH * 10 + (RUN + Duration::from_secs(5)) * (before + 2)
    }
}

/// Plays until the one job begins, which is submitted when the others have filled the limit, and says how long it waited;
/// `None` when it has not begun after `most`.
fn begins_after(crowd: &Crowd, priority_worth: Seconds, most: Duration) -> Option<Duration> {
    let mut scene = Scene::new(crowd.rules(priority_worth));
    scene.act("hello w-t4 t4 slots=4");
    scene.act("hello w-l4 l4 slots=4");
    let mut waiting: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
    let mut running: Vec<(Timestamp, String, String)> = Vec::new();
    let mut offers = Vec::new();
    let mut submitted = 0;
    let mut since: Option<Timestamp> = None;
    while since.is_none_or(|since| scene.now.since(since) < most) {
        if since.is_none() && crowd.concurrency as usize <= running.len() {
            since = Some(scene.now);
            let class = CLASSES[crowd.class];
            let line = format!("submit last owner=last priority=0 resources.gpu=[\"{class}\"]");
            offers.extend(offered(scene.act(&line)));
        }
        for (owner, class) in (0..crowd.owners.len()).flat_map(|owner| [(owner, 0), (owner, 1)]) {
            let queue = waiting.entry((owner, class)).or_default();
            while queue.len() < BACKLOG {
                submitted += 1;
                let (id, priority) = (format!("job-{submitted}"), crowd.owners[owner].1);
                let mut gpu = vec![CLASSES[class]];
                gpu.extend(crowd.is_flexible.then_some(CLASSES[1 - class]));
                queue.insert(id.clone());
                let line =
                    format!("submit {id} owner=owner-{owner} priority={priority} resources.gpu={gpu:?}");
                offers.extend(offered(scene.act(&line.replace(", ", ","))));
            }
        }
        for Offer { job_id, attempt, placement, .. } in std::mem::take(&mut offers) {
            if job_id.as_str() == "last" {
                return since.map(|since| scene.now.since(since));
            }
            for queue in waiting.values_mut() {
                queue.remove(job_id.as_str());
            }
            let (worker, run) = (worker(&placement.gpu), format!("{job_id}.{attempt}"));
            scene.act(&format!("claim {worker} {run}"));
            running.push((scene.now.plus(RUN), worker, run));
        }
        offers.extend(offered(scene.act("wait 5")));
        for worker in CLASSES.map(|class| format!("w-{class}")) {
            let held = running.iter().filter(|(_, holder, _)| *holder == worker);
            let held: Vec<&str> = held.map(|(_, _, run)| run.as_str()).collect();
            scene.act(&format!("beat {worker} {}", held.join(" ")));
        }
        let (over, on): (Vec<_>, Vec<_>) = running.into_iter().partition(|(at, ..)| *at <= scene.now);
        running = on;
        for (_, worker, run) in over {
            offers.extend(offered(scene.act(&format!("ended {worker} {run} ok"))));
        }
        if crowd.restarts && scene.now.0.is_multiple_of(7) {
            scene.restart();
        }
    }
    None
}

fn worker(gpu: &GpuClass) -> String {
    format!("w-{gpu}")
}

fn offered(commands: Vec<Command>) -> Vec<Offer> {
    let offers = commands.into_iter().filter_map(|command| match command {
        Command::Offer(offer) => Some(offer),
        _ => None,
    });
    offers.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_overtaken_for_ever(crowd in crowd()) {
        let began = begins_after(&crowd, WORTH.into(), crowd.bound());
        prop_assert!(began.is_some(), "it has not begun after {:?}", crowd.bound());
    }
}

#[test]
fn a_scheduler_that_keeps_starting_again_lets_those_go_first_that_waited_longer() {
    let owners = vec![(4, 9), (1, 0), (1, 0), (1, 0)];
    let crowd = Crowd { concurrency: 1, owners, class: 0, is_flexible: false, restarts: true };
    let settled = Crowd { restarts: false, ..crowd.clone() };
    assert!(begins_after(&settled, WORTH.into(), settled.bound()).is_some());
    let waited = begins_after(&crowd, WORTH.into(), crowd.bound()).expect("it begins");
    assert!(settled.bound() < waited, "nobody went first who had had a turn: it waited {waited:?}");
}

#[test]
fn who_waited_ten_times_as_long_goes_first_whatever_its_owner_has() {
    let shares = shared(3, "ada = { weight = 1 }\nbob = { weight = 9 }");
    let mut scene = Scene::new(Rules { priority_worth: WORTH.into(), ..shares });
    // Two of ada's run on and on, so that bob, whose jobs are the most urgent, always has less for his weight.
    scene.play(&[
        "hello w1 t4 slots=9",
        "submit a1 owner=ada",
        "submit a2 owner=ada",
        "claim w1 a1.1",
        "claim w1 a2.1",
    ]);
    scene.play(&["submit b0 owner=bob priority=9", "claim w1 b0.1", "submit a3 owner=ada"]);
    let since = scene.now;
    for number in 0..100 {
        let next = format!("b{}", number + 1);
        scene.play(&[
            &format!("submit {next} owner=bob priority=9"),
            &format!("live 20s w1=a1.1 w1=a2.1 w1=b{number}.1"),
        ]);
        let offers = offered(scene.act(&format!("ended w1 b{number}.1 ok")));
        let [Offer { job_id, .. }] = offers.as_slice() else { panic!("one place was free: {offers:?}") };
        if job_id.as_str() == "a3" {
            let waited = scene.now.since(since);
            assert!((WORTH * 10..=WORTH * 10 + RUN).contains(&waited), "it waited {waited:?}");
            return;
        }
        assert_eq!(job_id.as_str(), next);
        scene.act(&format!("claim w1 {next}.1"));
    }
    panic!("it was overtaken a hundred times");
}

#[test]
fn without_ageing_somebody_would_be() {
    let crowd =
        Crowd { concurrency: 2, owners: vec![(1, 9), (1, 9)], class: 1, is_flexible: true, restarts: false };
    let never = Duration::from_secs(30 * 24 * 3600).into();
    let waited = begins_after(&crowd, WORTH.into(), crowd.bound()).expect("it begins");
    assert!(WORTH <= waited, "nobody was in its way: it waited {waited:?}");
    assert_eq!(begins_after(&crowd, never, crowd.bound() * 3), None);
}
