//! `[owners]`: what each owner of jobs may have at once and spend, and how the owners share.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The entry that holds for every owner as far as its own entry says nothing else.
pub const DEFAULT_OWNER: &str = "default";

/// `[owners.NAME]`, as an operator writes it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerPolicy {
    /// How many of the owner's jobs run at once, over all workloads; as many as the workloads let when absent.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// The owner's part where several wait: one of weight 2 gets twice as much as one of weight 1.
    #[serde(default)]
    pub weight: Option<u32>,
    /// What the owner's jobs may cost in a calendar month, in US dollars; no limit when absent, or `inf`.
    #[serde(default)]
    pub monthly_usd: Option<f64>,
}

/// `[owners]`: every entry by name.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(transparent)]
pub struct Owners(pub BTreeMap<String, OwnerPolicy>);

impl Owners {
    /// How many jobs of an owner run at once; `None` when the workloads alone decide.
    pub fn concurrency(&self, owner: &str) -> Option<u32> {
        self.first_of(owner, |policy| policy.concurrency)
    }

    /// An owner's part, 1 or more.
    pub fn weight(&self, owner: &str) -> u32 {
        self.first_of(owner, |policy| policy.weight).unwrap_or(1).max(1)
    }

    /// What the owner's jobs may cost in a month, in US dollars, if there is a limit.
    pub fn monthly_usd(&self, owner: &str) -> Option<f64> {
        self.first_of(owner, |policy| policy.monthly_usd).filter(|usd| usd.is_finite())
    }

    /// What the owner's own entry says, or else the one for all.
    fn first_of<T>(&self, owner: &str, field: impl Fn(&OwnerPolicy) -> Option<T>) -> Option<T> {
        [owner, DEFAULT_OWNER].into_iter().find_map(|name| self.0.get(name).and_then(&field))
    }
}
