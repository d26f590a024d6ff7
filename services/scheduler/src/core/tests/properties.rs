//! Whatever happens, in whatever order, twice, late or never: the promises hold.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    JobId, Seconds, StopCause, Timestamp,
    control::JobState,
    lease::{ClaimAnswer, Verdict},
};
use proptest::prelude::*;

use super::{Scene, invariants, rules};
use crate::core::{Answer, Command, JobEvent, Rules};

const WORKERS: usize = 3;
const JOBS: usize = 4;
const ENDS: [&str; 9] =
    ["ok", "transient", "oom", "timeout", "preempted", "permanent", "cancelled", "paused", "superseded"];
const OPTIONS: [&str; 8] = [
    "",
    "retry.max_retries=0",
    "retry.max_losses=0 retry.max_retries=1",
    "total.time=90",
    "total.usd=0.008 priority=9",
    "resources.gpu=[\"l4\"]",
    "timeout=auto total.time=900",
    "timeout=40 resources.prefer=cheapest resources.gpu=[\"cpu\",\"t4\"]",
];

/// Something that the world does to the scheduler.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        job: usize,
        options: usize,
    },
    /// Somebody takes an offer; `keep` leaves a double in the queue.
    Take {
        offer: usize,
        worker: usize,
        redelivered: bool,
        keep: bool,
    },
    /// The broker loses an offer.
    Lose {
        offer: usize,
    },
    /// A claim out of the blue.
    Claim {
        worker: usize,
        job: usize,
        attempt: u32,
    },
    Beat {
        worker: usize,
    },
    Start {
        run: usize,
    },
    End {
        run: usize,
        how: usize,
    },
    /// An old report arrives once more.
    Echo {
        report: usize,
    },
    /// The worker's process starts again.
    Reborn {
        worker: usize,
    },
    /// A process that was replaced says hello.
    Ghost {
        worker: usize,
    },
    Bye {
        worker: usize,
    },
    Cancel {
        job: usize,
    },
    Pause {
        job: usize,
    },
    Resume {
        job: usize,
    },
    Redrive {
        job: usize,
    },
    Wait {
        seconds: u32,
    },
    Offline {
        seconds: u32,
    },
    Freeze {
        seconds: u32,
    },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let worker = 0..WORKERS;
    let job = 0..JOBS;
    prop_oneof![
        3 => (job.clone(), 0..OPTIONS.len()).prop_map(|(job, options)| Act::Submit { job, options }),
        8 => (0..9usize, worker.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(offer, worker, redelivered, keep)| Act::Take { offer, worker, redelivered, keep }
        ),
        1 => (0..9usize).prop_map(|offer| Act::Lose { offer }),
        1 => (worker.clone(), job.clone(), 0..9u32)
            .prop_map(|(worker, job, attempt)| Act::Claim { worker, job, attempt }),
        4 => worker.clone().prop_map(|worker| Act::Beat { worker }),
        3 => (0..9usize).prop_map(|run| Act::Start { run }),
        5 => (0..9usize, 0..ENDS.len()).prop_map(|(run, how)| Act::End { run, how }),
        1 => (0..9usize).prop_map(|report| Act::Echo { report }),
        2 => worker.clone().prop_map(|worker| Act::Reborn { worker }),
        1 => worker.clone().prop_map(|worker| Act::Ghost { worker }),
        1 => worker.prop_map(|worker| Act::Bye { worker }),
        1 => job.clone().prop_map(|job| Act::Cancel { job }),
        1 => job.clone().prop_map(|job| Act::Pause { job }),
        1 => job.clone().prop_map(|job| Act::Resume { job }),
        1 => job.prop_map(|job| Act::Redrive { job }),
        4 => (1..15u32).prop_map(|seconds| Act::Wait { seconds }),
        1 => (1..60u32).prop_map(|seconds| Act::Offline { seconds }),
        1 => (1..60u32).prop_map(|seconds| Act::Freeze { seconds }),
        1 => Just(Act::Restart),
    ]
}

/// What the world believes.
struct World {
    scene: Scene,
    /// Lives of each worker's process.
    lives: [u32; WORKERS],
    /// Offers on their way: `a.1`, and when they arrive.
    offers: Vec<(String, Timestamp)>,
    /// What processes think they run: who, and `a.1`.
    runs: Vec<(String, String)>,
    /// Every report that was ever sent.
    reports: Vec<String>,
    /// The highest attempt granted of each job.
    granted: BTreeMap<JobId, u32>,
    /// How often each job was taken in or redriven, and how often it ended.
    begun: BTreeMap<JobId, u32>,
    ended: BTreeMap<JobId, u32>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            // Short, so that offers move on in a few acts.
            scene: Scene::new(Rules { claim_timeout: Seconds::new(20.0).unwrap(), ..rules() }),
            lives: [0; WORKERS],
            offers: Vec::new(),
            runs: Vec::new(),
            reports: Vec::new(),
            granted: BTreeMap::new(),
            begun: BTreeMap::new(),
            ended: BTreeMap::new(),
        };
        (0..WORKERS).for_each(|worker| world.reborn(worker));
        world
    }

    fn who(&self, worker: usize) -> String {
        format!("w{worker}#{}", self.lives[worker])
    }

    fn reborn(&mut self, worker: usize) {
        self.lives[worker] += 1;
        let class = ["t4", "t4", "cpu"][worker];
        self.play(format!("hello {} {class} slots=2", self.who(worker)));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Submit { job, options } => self.play(format!("submit j{job} {}", OPTIONS[options])),
            Act::Take { offer, worker, redelivered, keep } => {
                let Some((run, due)) = pick(&self.offers, offer) else { return };
                if self.scene.now < due {
                    return;
                }
                if !keep {
                    self.offers.retain(|(other, _)| *other != run);
                }
                let redelivered = if redelivered { "redelivered" } else { "" };
                self.play(format!("claim {} {run} {redelivered}", self.who(worker)));
            }
            Act::Lose { offer } => {
                if let Some((run, _)) = pick(&self.offers, offer) {
                    self.offers.retain(|(other, _)| *other != run);
                }
            }
            Act::Claim { worker, job, attempt } => {
                self.play(format!("claim {} j{job}.{attempt}", self.who(worker)));
            }
            Act::Beat { worker } => self.beat(worker),
            Act::Start { run } => {
                if let Some((who, run)) = pick(&self.runs, run) {
                    self.play(format!("started {who} {run}@5"));
                }
            }
            Act::End { run, how } => self.end(run, ENDS[how]),
            Act::Echo { report } => {
                if let Some(report) = pick(&self.reports, report) {
                    self.play(report);
                }
            }
            Act::Reborn { worker } => self.reborn(worker),
            Act::Ghost { worker } => self.play(format!("hello w{worker}#1 t4")),
            Act::Bye { worker } => self.play(format!("bye {}", self.who(worker))),
            Act::Cancel { job } => self.play(format!("cancel j{job}")),
            Act::Pause { job } => self.play(format!("pause j{job}")),
            Act::Resume { job } => self.play(format!("resume j{job}")),
            Act::Redrive { job } => self.play(format!("redrive j{job} total.time=10000 total.usd=100")),
            Act::Wait { seconds } => self.play(format!("wait {seconds}")),
            Act::Offline { seconds } => self.play(format!("offline {seconds}")),
            Act::Freeze { seconds } => self.play(format!("freeze {seconds}")),
            Act::Restart => self.play("restart".into()),
        }
    }

    /// A worker's present life tells what it believes to run; only the newest attempt of a job may go on.
    fn beat(&mut self, worker: usize) {
        let who = self.who(worker);
        let runs: Vec<String> =
            self.runs.iter().filter(|(holder, _)| *holder == who).map(|(_, run)| run.clone()).collect();
        let told: Vec<String> =
            runs.iter().map(|run| format!("{run}@{}/400*2", self.scene.now.0 % 400)).collect();
        for command in self.scene.act(&format!("beat {who} {}", told.join(" "))) {
            let Command::Answer(Answer::Heartbeat(answer)) = command else {
                self.hear(command, None);
                continue;
            };
            for (run, verdict) in runs.iter().zip(answer.runs) {
                let (job, attempt) = run.split_once('.').unwrap();
                let is_newest = self.granted[&job.parse().unwrap()].to_string() == attempt;
                assert!(is_newest || verdict == Verdict::Stop { cause: StopCause::Superseded }, "{run}");
            }
        }
        self.check();
    }

    fn end(&mut self, run: usize, how: &str) {
        if let Some((who, run)) = pick(&self.runs, run) {
            self.runs.retain(|(_, other)| *other != run);
            let report = format!("ended {who} {run}@20 {how}");
            self.reports.push(report.clone());
            self.play(report);
        }
    }

    fn play(&mut self, line: String) {
        let holder = line.strip_prefix("claim ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
        for command in self.scene.act(&line) {
            self.hear(command, holder.as_deref());
        }
        self.check();
    }

    /// Takes note of what the core says; `holder` asked for an attempt.
    fn hear(&mut self, command: Command, holder: Option<&str>) {
        match command {
            Command::Offer(offer) => {
                self.offers.push((format!("{}.{}", offer.job_id, offer.attempt), offer.due));
            }
            Command::Tell(JobEvent::Queued(event)) => *self.begun.entry(event.job_id).or_default() += 1,
            Command::Tell(JobEvent::Ended(event)) => *self.ended.entry(event.job_id).or_default() += 1,
            Command::Tell(JobEvent::Leased(event)) => {
                let before = self.granted.insert(event.job_id.clone(), event.attempt).unwrap_or(0);
                assert_eq!(event.attempt, before + 1, "attempts of {} count up", event.job_id);
            }
            Command::Answer(Answer::Claim(answer)) => {
                if let (ClaimAnswer::Granted(grant), Some(who)) = (*answer, holder) {
                    assert_eq!(self.granted[&grant.job_id], grant.attempt, "the newest token is granted");
                    let run = (who.to_owned(), format!("{}.{}", grant.job_id, grant.attempt));
                    if !self.runs.contains(&run) {
                        self.runs.push(run);
                    }
                }
            }
            _ => {}
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        invariants::hold(&self.scene.core);
        for job in self.scene.core.jobs.values() {
            let ends = self.ended.get(&job.id).copied().unwrap_or(0);
            let is_live = !job.state().is_end();
            assert_eq!(ends + u32::from(is_live), self.begun[&job.id], "{} ends once", job.id);
        }
    }

    /// A world in which everybody does their duty: every job comes to its end.
    fn calm_down(&mut self) {
        (0..WORKERS).for_each(|worker| self.reborn(worker));
        self.play("hello w9 l4 slots=2".into());
        for _ in 0..600 {
            let live: BTreeSet<JobState> = self.scene.core.jobs.values().map(|job| job.state()).collect();
            if live.iter().all(|state| state.is_end()) {
                return;
            }
            let jobs = self.scene.core.jobs.values();
            let paused = jobs.filter(|job| job.state() == JobState::Paused).map(|job| job.id.clone());
            paused.collect::<Vec<_>>().into_iter().for_each(|id| self.play(format!("resume {id}")));
            while let Some(at) = self.offers.iter().position(|(_, due)| *due <= self.scene.now) {
                let (run, _) = self.offers.remove(at);
                self.play(format!("claim w9 {run}"));
                // What has no money for w9 was offered to the cheapest.
                self.play(format!("claim {} {run}", self.who(2)));
            }
            (0..WORKERS).for_each(|worker| self.beat(worker));
            self.play("beat w9".into());
            let cheapest = self.who(2);
            while let Some(at) = self.runs.iter().position(|(who, _)| who == "w9" || *who == cheapest) {
                self.end(at, "ok");
            }
            self.play("wait 2".into());
        }
        panic!("some job never ends: {:?}", self.scene.core.jobs);
    }
}

fn pick<T: Clone>(from: &[T], at: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[at % from.len()].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_accepted_job_ends_once(acts in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.calm_down();
    }
}
