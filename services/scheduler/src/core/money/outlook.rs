//! What an owner's money of the month lets expect of a job, before it costs anything.

use contract::{JobId, Month};
use policy::Terms;

use crate::core::desk::Desk;

impl Desk {
    /// What whoever asks for a job should know, if its owner has less left this month than the job may cost at worst: what
    /// is spent and what attempts of others have reserved is not to be had.
    pub(in crate::core) fn owner_is_short(
        &self,
        owner: &str,
        terms: &Terms,
        worst_usd: f64,
        job: Option<&JobId>,
    ) -> Option<String> {
        let cap = self.rules.owners.monthly_usd(owner)?;
        let month = Month::of(self.now);
        let reserved = self.purses.reserved(owner, month, self.now, job);
        let left = (cap - self.purses.spent(owner, month) - reserved).max(0.0);
        let has_left = format!("owner {owner} has {left:.4} of {cap} USD left for {month}");
        let (needed, placement) = self.rules.cheapest_attempt(terms)?;
        if left < needed {
            return Some(format!(
                "{has_left}, and the shortest attempt costs {needed:.4} USD on {placement}; the job waits for the next \
                 month, or until the cap is raised"
            ));
        }
        (left < worst_usd).then(|| {
            format!(
                "{has_left}, and the job may cost {worst_usd:.4} USD at worst; if that is spent, it checkpoints and waits \
                 for the next month, or until the cap is raised"
            )
        })
    }
}
