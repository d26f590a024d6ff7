//! The whole scheduler, in a world that does everything that can go wrong: random histories of jobs, workers, a broker,
//! people, and a clock that only moves from one happening to the next.
//!
//! | file | what it plays |
//! |---|---|
//! | `world` | one history, from its first job to its last message |
//! | `clock` | time |
//! | `broker` | queues, lines that are cut, messages that are late, lost or doubled |
//! | `scheduler` | the real core, in a shell that saves, sends, answers and is killed in between |
//! | `saved` | what a killed scheduler leaves behind |
//! | `worker` | processes that claim, report, freeze and die |
//! | `run` | what they run, step by step |
//! | `checkpoints` | the checkpoint-store, which fences |
//! | `client` | those who submit, cancel and redrive |
//! | `sweeps` | those who submit sweeps, cancel them and let them go on |
//! | `faults` | what goes wrong, and how often |
//! | `checks` | the promises |
//! | `checks_sweeps` | the promises of sweeps |
//! | `sabotage` | broken rules, which the checks must catch |
//!
//! A history is a function of its seed. `REKINDLE_SIMULATION_HISTORIES` says how many are played, and
//! `REKINDLE_SIMULATION_SEED` plays one, with all that was said in it. What the scheduler learns to do is added as a
//! [`client::Wish`] of a person, a [`worker::Deed`] of a worker or a [`faults::Fault`] of the world, each with its
//! place in one `match`.

mod broker;
mod checkpoints;
mod checks;
mod checks_sweeps;
mod client;
mod clock;
mod env;
mod faults;
mod run;
mod sabotage;
mod saved;
mod scheduler;
mod sweeps;
mod worker;
mod world;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use self::{sabotage::Sabotage, world::World};

const HISTORIES: u64 = 10_000;
/// Histories within which a broken rule must show.
const TRIES: u64 = 20_000;
/// Lines of a failed history that are printed; the last ones.
const LINES: usize = 80;

/// Plays one history; what broke, if a promise did.
fn play(seed: u64, sabotage: Option<Sabotage>) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| World::new(seed, sabotage, None).play()));
    played.map_err(|panic| words(&*panic))
}

/// Plays one history and keeps what was said in it.
fn tell(seed: u64, sabotage: Option<Sabotage>) -> (Vec<String>, Result<(), String>) {
    let mut world = World::new(seed, sabotage, Some(Vec::new()));
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    (world.journal(), played.map_err(|panic| words(&*panic)))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value:?} is not a number")))
}

#[test]
fn every_history_keeps_the_promises() {
    if let Some(seed) = number("REKINDLE_SIMULATION_SEED") {
        let (journal, played) = tell(seed, None);
        println!("{}", journal.join("\n"));
        return played.unwrap_or_else(|broken| panic!("history {seed}: {broken}"));
    }
    let histories = number("REKINDLE_SIMULATION_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if histories <= seed {
                        break;
                    }
                    if play(seed, None).is_err() {
                        // The first one that anybody finds; the others stop.
                        next.store(histories, Ordering::Relaxed);
                        failed.lock().unwrap().get_or_insert(seed);
                    }
                }
            });
        }
    });
    if let Some(seed) = failed.into_inner().unwrap() {
        let (journal, played) = tell(seed, None);
        let last = &journal[journal.len().saturating_sub(LINES)..];
        println!("{}", last.join("\n"));
        panic!(
            "history {seed}: {}\nplay it again with: REKINDLE_SIMULATION_SEED={seed} cargo test -p scheduler --lib \
             every_history_keeps_the_promises -- --nocapture",
            played.err().unwrap_or_else(|| "it does not fail again".into())
        );
    }
}

#[test]
fn a_history_is_a_function_of_its_seed() {
    for seed in 0..20 {
        let (first, again) = (tell(seed, None).0, tell(seed, None).0);
        assert!(100 < first.len(), "something happens in history {seed}");
        assert_eq!(first, again, "history {seed}");
    }
}

#[test]
fn every_broken_rule_is_caught() {
    for (sabotage, promise) in sabotage::ALL {
        let broken = (0..TRIES).find_map(|seed| play(seed, Some(sabotage)).err());
        let broken = broken.unwrap_or_else(|| panic!("{sabotage:?} broke nothing in {TRIES} histories"));
        assert!(broken.contains(promise), "{sabotage:?} broke another promise: {broken}");
    }
}
