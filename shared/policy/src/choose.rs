//! Where an attempt runs.

use std::fmt;

use contract::{ClassVerdict, ConsideredClass, GpuClass, Preference, SpotUse, Tier};
use serde::{Deserialize, Serialize};

use crate::{Candidate, Terms, terms::listed, types::is_cpu};

/// A kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// Its class.
    pub gpu: GpuClass,
    /// Its tier.
    pub tier: Tier,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tier {
            Tier::OnDemand => self.gpu.fmt(f),
            Tier::Spot => write!(f, "{} (spot)", self.gpu),
        }
    }
}

/// Where the next attempt runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The machine.
    pub placement: Placement,
    /// Its price, in US dollars.
    pub usd_per_hour: f64,
    /// Whether a worker offers it at present.
    pub offered: bool,
    /// Why, for people.
    pub reason: String,
    /// Every class the job could run on, and what came of it.
    pub considered: Vec<ConsideredClass>,
}

/// Where a job may run, best first. After it ran out of memory, classes with more than `outgrown_mib` come before the
/// rest; those stay, because a small machine is better than none.
pub fn placements(terms: &Terms, outgrown_mib: Option<u64>) -> Vec<Placement> {
    let tiers = terms.tiers();
    let mut candidates: Vec<&Candidate> = terms.candidates.iter().collect();
    candidates.sort_by_key(|candidate| outgrown_mib.is_some_and(|mib| candidate.price.memory_mib <= mib));
    let mut machines: Vec<(&Candidate, Tier)> = candidates
        .into_iter()
        .flat_map(|candidate| tiers.iter().map(move |&tier| (candidate, tier)))
        .collect();
    if terms.prefer == Preference::Cheapest {
        machines.sort_by(|(a, a_tier), (b, b_tier)| {
            let outgrown =
                |candidate: &Candidate| outgrown_mib.is_some_and(|mib| candidate.price.memory_mib <= mib);
            // An hour of a CPU costs least and does least, so that its price says nothing beside a GPU's.
            let by_kind = (outgrown(a), is_cpu(&a.gpu)).cmp(&(outgrown(b), is_cpu(&b.gpu)));
            by_kind.then(a.price.in_tier(*a_tier).total_cmp(&b.price.in_tier(*b_tier)))
        });
    }
    machines.into_iter().map(|(candidate, tier)| Placement { gpu: candidate.gpu.clone(), tier }).collect()
}

/// Chooses the first placement that a worker offers, else the first of all.
pub fn choose(terms: &Terms, outgrown_mib: Option<u64>, is_offered: impl Fn(&Placement) -> bool) -> Choice {
    let placements = placements(terms, outgrown_mib);
    let found = placements.iter().find(|placement| is_offered(placement));
    let placement = found.unwrap_or(&placements[0]).clone();
    let first = match terms.prefer {
        Preference::Order => "first",
        Preference::Cheapest => "cheapest",
    };
    let reason = match found {
        Some(placement) if placements.len() == 1 => {
            format!("{placement} is the only one of the {}", terms.source)
        }
        Some(placement) if *placement == placements[0] => {
            format!("{placement} is the {first} of the {}", terms.source)
        }
        Some(placement) => {
            format!(
                "{placement} is the {first} of {} that a worker offers ({})",
                listed(&placements, "and"),
                terms.source
            )
        }
        None => format!("{}; {placement} is the {first} of the {}", unoffered(&placements), terms.source),
    };
    let usd_per_hour = terms.usd_per_hour(&placement);
    let circumstances = Circumstances { outgrown_mib, taken: found, unclaimed: &[] };
    let considered = considered(terms, circumstances, is_offered);
    Choice { offered: found.is_some(), placement, usd_per_hour, reason, considered }
}

/// What is known when a choice is explained.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// The memory of the class on which the job ran out of memory.
    pub outgrown_mib: Option<u64>,
    /// Where the job is sent, if anywhere.
    pub taken: Option<&'a Placement>,
    /// Where the present attempt was not claimed in time.
    pub unclaimed: &'a [Placement],
}

/// Every class that a job could run on, and what came of it.
pub fn considered(
    terms: &Terms,
    circumstances: Circumstances<'_>,
    is_offered: impl Fn(&Placement) -> bool,
) -> Vec<ConsideredClass> {
    let placements = placements(terms, circumstances.outgrown_mib);
    let fitting = placements.iter().filter_map(|placement| {
        let candidate = terms.candidates.iter().find(|candidate| candidate.gpu == placement.gpu)?;
        let (verdict, reason) = verdict(terms, placement, candidate, circumstances, is_offered(placement));
        Some(entry(candidate, placement.tier, verdict, reason))
    });
    let too_small = terms.left_out.iter().map(|candidate| {
        let needed = terms.memory.as_ref().map_or(0, |need| need.mib);
        let reason = format!("has {} MiB; the job needs {needed} MiB", candidate.price.memory_mib);
        entry(candidate, terms.tiers()[0], ClassVerdict::TooSmall, reason)
    });
    fitting.chain(too_small).collect()
}

fn verdict(
    terms: &Terms,
    placement: &Placement,
    candidate: &Candidate,
    circumstances: Circumstances<'_>,
    is_offered: bool,
) -> (ClassVerdict, String) {
    let Circumstances { outgrown_mib, taken, unclaimed } = circumstances;
    if taken == Some(placement) {
        let what = match terms.prefer {
            Preference::Order => "the first that a worker offers",
            Preference::Cheapest => "the cheapest that a worker offers",
        };
        return (ClassVerdict::Taken, what.into());
    }
    if unclaimed.contains(placement) {
        return (ClassVerdict::Unclaimed, "its workers did not claim the attempt in time".into());
    }
    let Some(taken) = taken.filter(|_| is_offered) else {
        return (ClassVerdict::NoWorker, "no worker offers it".into());
    };
    let price = candidate.price.in_tier(placement.tier);
    let taken_price = terms.usd_per_hour(taken);
    if outgrown_mib.is_some_and(|mib| candidate.price.memory_mib <= mib) {
        (ClassVerdict::Later, "the job ran out of memory on as much".into())
    } else if terms.prefer == Preference::Cheapest && taken_price < price {
        (ClassVerdict::Dearer, format!("costs {price} USD an hour, {taken} {taken_price}"))
    } else {
        (ClassVerdict::Later, format!("comes after {taken}"))
    }
}

fn entry(candidate: &Candidate, tier: Tier, verdict: ClassVerdict, reason: String) -> ConsideredClass {
    let Candidate { gpu, price } = candidate;
    ConsideredClass {
        gpu: gpu.clone(),
        tier,
        usd_per_hour: price.in_tier(tier),
        memory_mib: price.memory_mib,
        verdict,
        reason,
    }
}

/// What a job waits for when no worker offers any of these: `no worker offers t4, l4 or cpu`.
fn unoffered(placements: &[Placement]) -> String {
    format!("no worker offers {}", listed(placements, "or"))
}

impl Terms {
    /// The tiers it may run on, the cheaper one first.
    fn tiers(&self) -> &'static [Tier] {
        match self.spot {
            SpotUse::Never => &[Tier::OnDemand],
            SpotUse::Allow => &[Tier::Spot, Tier::OnDemand],
            SpotUse::Only => &[Tier::Spot],
        }
    }

    /// The price in US dollars of a machine, as accepted; of the dearest candidate when it is none of them.
    pub fn usd_per_hour(&self, placement: &Placement) -> f64 {
        let candidate = self.candidates.iter().find(|candidate| candidate.gpu == placement.gpu);
        candidate.map_or_else(|| self.dearest(), |candidate| candidate.price.in_tier(placement.tier))
    }

    /// What the same class costs on demand, in US dollars an hour: what a spot machine's price is held against.
    pub fn on_demand_usd_per_hour(&self, placement: &Placement) -> f64 {
        let candidate = self.candidates.iter().find(|candidate| candidate.gpu == placement.gpu);
        candidate.map_or_else(|| self.usd_per_hour(placement), |candidate| candidate.price.usd_per_hour)
    }

    /// The highest price per hour that an attempt can come to.
    pub(crate) fn dearest(&self) -> f64 {
        let tier = match self.spot {
            SpotUse::Only => Tier::Spot,
            SpotUse::Never | SpotUse::Allow => Tier::OnDemand,
        };
        self.candidates.iter().map(|candidate| candidate.price.in_tier(tier)).fold(0.0, f64::max)
    }

    /// What the job waits for when no worker offers any of its classes: `no worker offers t4, l4 or cpu`.
    pub fn unoffered(&self, outgrown_mib: Option<u64>) -> String {
        unoffered(&placements(self, outgrown_mib))
    }
}
