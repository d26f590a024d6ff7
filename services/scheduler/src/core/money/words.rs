//! What is missing, for people.

use contract::Seconds;

use super::{Purse, Shortage};
use crate::core::{desk::Desk, job::Job};

impl Desk {
    /// What a job waits for that waits for money, in words.
    pub(in crate::core) fn waits_for(&self, job: &Job) -> String {
        match self.within_means(job, self.choose(job).placement) {
            Err(shortage) => self.lacks(job, &shortage),
            Ok(_) => "its turn".into(),
        }
    }

    /// What a job lacks for an attempt, in words, and what would help.
    pub(in crate::core) fn lacks(&self, job: &Job, shortage: &Shortage) -> String {
        let Shortage { purse, placement, left, needed } = shortage;
        let short_of = needed - left;
        let left = format!("{:.4}", left.max(0.0));
        let least_run = self.rules.least_run.to_duration().min(job.terms.timeout.to_duration());
        let costs = format!(
            "the shortest attempt on {placement} costs {needed:.4} USD: {} of work, and {} in which it may have to stop",
            Seconds::from(least_run),
            Seconds::from(self.rules.margin()),
        );
        match purse {
            Purse::Job => {
                let total = job.terms.total.usd.unwrap_or(0.0);
                let raised = ((total + short_of) * 1e4).ceil() / 1e4;
                format!(
                    "{left} USD are left of the job's total of {total} USD, and {costs}; redrive it with a total.usd of \
                     {raised:.4} or more"
                )
            }
            Purse::Sweep { sweep } => {
                format!("sweep {sweep} has {left} USD left that no other trial has reserved, and {costs}")
            }
            Purse::Owner { owner, month } => {
                let cap = self.rules.owners.monthly_usd(owner).unwrap_or(0.0);
                let reserved = self.purses.reserved(owner, *month, self.now, Some(&job.id));
                let reserved = match 0.0 < reserved {
                    true => format!(", {reserved:.4} reserved for attempts under way"),
                    false => String::new(),
                };
                format!(
                    "owner {owner} has {left} of {cap} USD left for {month}{reserved}, and {costs}; it goes on with the \
                     next month, or when the cap is raised"
                )
            }
        }
    }
}
