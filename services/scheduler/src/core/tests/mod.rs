//! The core, driven by scripts.
//!
//! A transcript is a script, one event a line, and below each line, indented, what the core said. [`check`] plays the
//! script again and compares. `docs/scheduler.md` holds the table of transitions, and `transitions` plays every cell.

mod bills;
mod estimates;
mod fair_shares;
mod invariants;
mod overtaking;
mod properties;
pub(crate) mod scene;
mod simulation;
mod spell;
mod stories_commands;
mod stories_draining;
mod stories_endings;
mod stories_foresight;
mod stories_leases;
mod stories_memory;
mod stories_money;
mod stories_offers;
mod stories_pausing;
mod stories_profiles;
mod stories_redriving;
mod stories_retries;
mod stories_shares;
mod stories_sweeps;
mod stories_turns;
mod stories_waiting;
mod transitions;

use std::collections::BTreeMap;

use self::scene::Scene;
use contract::{GpuClass, Seconds, Workload};
use policy::{GpuPrice, Owners, WorkloadPolicy};
use serde::Deserialize;

use super::Rules;

/// The part of `rekindle.toml` that is policy.
#[derive(Deserialize)]
struct Shipped {
    gpu: BTreeMap<GpuClass, GpuPrice>,
    workloads: BTreeMap<Workload, WorkloadPolicy>,
    #[serde(default)]
    owners: Owners,
}

/// The settings that ship.
pub(crate) fn rules() -> Rules {
    let shipped: Shipped = toml::from_str(include_str!("../../../../../rekindle.toml")).unwrap();
    let seconds = |seconds| Seconds::new(seconds).unwrap();
    Rules {
        workloads: shipped.workloads,
        prices: shipped.gpu,
        owners: shipped.owners,
        priority_worth: seconds(1800.0),
        heartbeat: seconds(2.0),
        lease: seconds(10.0),
        grace: seconds(30.0),
        checkpoint_interval: seconds(60.0),
        hang_limit: seconds(300.0),
        claim_timeout: seconds(60.0),
        least_run: seconds(30.0),
    }
}

/// Plays the lines of a transcript that are not indented, and compares what the core says with those that are.
fn check(transcript: expect_test::Expect) {
    check_under(rules(), transcript);
}

/// The same under other rules.
fn check_under(rules: Rules, transcript: expect_test::Expect) {
    let lines = transcript.data().lines().filter(|line| !line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let margin = lines.clone().map(indent).min().unwrap_or(0);
    let script: Vec<&str> = lines.filter(|line| indent(line) == margin).map(str::trim).collect();
    transcript.assert_eq(&Scene::new(rules).play(&script));
}
