//! Owners that never run out of jobs share a workload by their weights, whatever ends when.
//!
//! With `w` for an owner's weight, `W` for the sum of all and `C` for the workload's concurrency, this can be promised:
//!
//! - **An owner has at most `1 + w × (C − 1) / W` jobs at once**: one more than its share. The owner whose turn it is has
//!   the fewest jobs for its weight, so no more for it than all have together for theirs: `(C − 1) / W`, because a place
//!   was free. Its next job makes one more, and every other moment has fewer. The others' bounds leave it
//!   what is left of `C`.
//! - **Where one job runs at a time, and all take as long, an owner has at most one of `w' / w` turns**, `w'` being the
//!   greatest weight: whoever has that has waited for one turn at least, and the wait times the weight decides.
//! - **There, an owner has at least one of `2 × (n − 2 + W / w) + 1` turns**, with `n` owners. Say it has waited `k` turns.
//!   In the later half of them, another one that had its turn had waited `k / 2 × w / w'` turns or more, so it had at most
//!   `1 + w' / w` turns there; all others together had `k / 2`.

use std::collections::VecDeque;

use policy::{OwnerPolicy, Owners};
use proptest::prelude::*;

use super::{Scene, rules};
use crate::core::{Command, Rules};

/// Owners, by number, who have more jobs than there are places for.
struct Owned {
    scene: Scene,
    waiting: Vec<VecDeque<String>>,
    /// Who owns what runs, and what that is.
    running: Vec<(usize, String)>,
    submitted: usize,
    concurrency: usize,
}

impl Owned {
    fn new(concurrency: u32, weights: &[u32]) -> Self {
        let weight = |weight: &u32| OwnerPolicy { weight: Some(*weight), ..OwnerPolicy::default() };
        let owners = (0..).zip(weights).map(|(number, heavy)| (format!("owner-{number}"), weight(heavy)));
        // Nobody waits long enough to rise.
        let priority_worth = std::time::Duration::from_secs(30 * 24 * 3600).into();
        let mut rules = Rules { owners: Owners(owners.collect()), priority_worth, ..rules() };
        rules.workloads.values_mut().for_each(|workload| workload.concurrency = concurrency);
        let mut this = Self {
            scene: Scene::new(rules),
            waiting: vec![VecDeque::new(); weights.len()],
            running: Vec::new(),
            submitted: 0,
            concurrency: concurrency as usize,
        };
        this.submit();
        this.act("hello w1 t4 slots=9");
        this
    }

    /// Gives everyone more jobs than could be offered at once.
    fn submit(&mut self) {
        for owner in 0..self.waiting.len() {
            while self.waiting[owner].len() <= self.concurrency {
                self.submitted += 1;
                let id = format!("job-{}", self.submitted);
                self.waiting[owner].push_back(id.clone());
                self.act(&format!("submit {id} owner=owner-{owner}"));
            }
        }
    }

    /// Does what a line says, and begins what is offered thereupon.
    fn act(&mut self, line: &str) {
        for command in self.scene.act(line) {
            let Command::Offer(offer) = command else { continue };
            let id = offer.job_id.as_str();
            let owner = self.waiting.iter().position(|jobs| jobs.iter().any(|job| job == id)).unwrap();
            self.waiting[owner].retain(|job| job != id);
            let run = format!("{id}.{}", offer.attempt);
            self.scene.act(&format!("claim w1 {run}"));
            self.running.push((owner, run));
        }
    }

    /// Ends one of the running jobs a while later; another one begins.
    fn end(&mut self, number: usize) {
        self.act("wait 4");
        let held: Vec<&str> = self.running.iter().map(|(_, run)| run.as_str()).collect();
        self.scene.act(&format!("beat w1 {}", held.join(" ")));
        let (_, run) = self.running.remove(number % self.running.len());
        self.act(&format!("ended w1 {run} ok"));
        self.submit();
    }

    /// Whether everyone has at most one job more than its share, and no place is free.
    fn is_shared(&self, weights: &[u32]) -> Result<(), String> {
        if self.running.len() != self.concurrency {
            return Err(format!("{} of {} places are used", self.running.len(), self.concurrency));
        }
        let all: usize = weights.iter().sum::<u32>() as usize;
        for (owner, weight) in weights.iter().map(|weight| *weight as usize).enumerate() {
            let busy = self.running.iter().filter(|(other, _)| *other == owner).count();
            if all + weight * (self.concurrency - 1) < all * busy {
                return Err(format!("owner {owner} has {busy} of {} places: {weights:?}", self.concurrency));
            }
        }
        Ok(())
    }
}

/// Plays by some weights, with jobs that end in some order, and holds what comes of it against others.
fn shares(concurrency: u32, played: &[u32], promised: &[u32], ends: &[usize]) -> Result<(), String> {
    let mut owned = Owned::new(concurrency, played);
    owned.is_shared(promised)?;
    for number in ends {
        owned.end(*number);
        if number.is_multiple_of(5) {
            owned.scene.restart();
        }
        owned.is_shared(promised)?;
    }
    Ok(())
}

/// Plays jobs one at a time by some weights, and holds the turns against others. The first turn of each owner begins what
/// is counted.
fn turns(played: &[u32], promised: &[u32]) -> Result<(), String> {
    let mut owned = Owned::new(1, played);
    let (all, greatest) = (promised.iter().sum::<u32>(), promised.iter().max().unwrap());
    let mut last = vec![None; promised.len()];
    for turn in 0..80u32 {
        let owner = owned.running[0].0;
        for (other, weight) in promised.iter().enumerate() {
            let Some(waited) = last[other].map(|last: u32| turn - last) else { continue };
            let most = 2 * (promised.len() as u32 - 2) + 2 * all / weight + 1;
            if most < waited {
                return Err(format!(
                    "owner {other} has waited for {waited} turns, {most} at most: {promised:?}"
                ));
            }
            if other == owner && waited * weight < *greatest {
                return Err(format!("owner {other} has another turn after {waited}: {promised:?}"));
            }
        }
        last[owner] = Some(turn);
        owned.end(0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn nobody_has_more_than_one_job_beyond_its_share(
        concurrency in 1..8u32,
        weights in prop::collection::vec(1..6u32, 2..5),
        ends in prop::collection::vec(0..40usize, 40),
    ) {
        prop_assert_eq!(shares(concurrency, &weights, &weights, &ends), Ok(()));
    }

    #[test]
    fn where_one_job_runs_at_a_time_turns_are_by_weight(weights in prop::collection::vec(1..6u32, 2..5)) {
        prop_assert_eq!(turns(&weights, &weights), Ok(()));
    }
}

#[test]
fn weights_that_nobody_heeds_would_be_noticed() {
    let promised = [1, 4];
    assert_eq!(shares(5, &promised, &promised, &[0; 40]), Ok(()));
    let broken = shares(5, &[1, 1], &promised, &[0; 40]).unwrap_err();
    assert!(broken.contains("owner 0 has"), "{broken}");

    assert_eq!(turns(&promised, &promised), Ok(()));
    let broken = turns(&[1, 1], &promised).unwrap_err();
    assert!(broken.contains("owner 0 has another turn"), "{broken}");
}
