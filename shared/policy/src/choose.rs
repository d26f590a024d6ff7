//! Where an attempt runs.

use std::fmt;

use contract::{GpuClass, SpotUse, Tier};
use serde::{Deserialize, Serialize};

use crate::{Candidate, Terms, terms::listed};

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
}

/// Where a job may run, best first. After it ran out of memory, classes with more than `outgrown_mib` come before the
/// rest; those stay, because a small machine is better than none.
pub fn placements(terms: &Terms, outgrown_mib: Option<u64>) -> Vec<Placement> {
    let tiers: &[Tier] = match terms.spot {
        SpotUse::Never => &[Tier::OnDemand],
        SpotUse::Allow => &[Tier::Spot, Tier::OnDemand],
        SpotUse::Only => &[Tier::Spot],
    };
    let mut candidates: Vec<&Candidate> = terms.candidates.iter().collect();
    candidates.sort_by_key(|candidate| outgrown_mib.is_some_and(|mib| candidate.price.memory_mib <= mib));
    candidates
        .into_iter()
        .flat_map(|candidate| tiers.iter().map(|&tier| Placement { gpu: candidate.gpu.clone(), tier }))
        .collect()
}

/// Chooses the first placement that a worker offers, else the first of all.
pub fn choose(terms: &Terms, outgrown_mib: Option<u64>, is_offered: impl Fn(&Placement) -> bool) -> Choice {
    let placements = placements(terms, outgrown_mib);
    let found = placements.iter().find(|placement| is_offered(placement));
    let placement = found.unwrap_or(&placements[0]).clone();
    let reason = match found {
        Some(placement) if placements.len() == 1 => {
            format!("{placement} is the only one of the {}", terms.source)
        }
        Some(placement) if *placement == placements[0] => {
            format!("{placement} is the first of the {}", terms.source)
        }
        Some(placement) => {
            format!(
                "{placement} is the first of {} that a worker offers ({})",
                listed(&placements, "and"),
                terms.source
            )
        }
        None => format!("{}; {placement} is the first of the {}", unoffered(&placements), terms.source),
    };
    let usd_per_hour = terms.usd_per_hour(&placement);
    Choice { placement, usd_per_hour, offered: found.is_some(), reason }
}

/// What a job waits for when no worker offers any of these: `no worker offers t4, l4 or cpu`.
fn unoffered(placements: &[Placement]) -> String {
    format!("no worker offers {}", listed(placements, "or"))
}

impl Terms {
    /// The price in US dollars of a machine, as accepted; of the dearest candidate when it is none of them.
    pub fn usd_per_hour(&self, placement: &Placement) -> f64 {
        let candidate = self.candidates.iter().find(|candidate| candidate.gpu == placement.gpu);
        candidate.map_or_else(|| self.dearest(), |candidate| candidate.price.in_tier(placement.tier))
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
