//! Jobs that wait for money get their turn when there is some.

use std::collections::BTreeMap;

use contract::{JobId, Month, SweepId};

use super::Account;
use crate::core::{BillLine, Core};

impl Core {
    /// Goes on from what owners have spent in a month, by jobs that there are and others.
    pub(crate) fn recall_spending(&mut self, month: Month, spent: BTreeMap<String, f64>) {
        for (owner, usd) in spent {
            self.desk.purses.spend(&owner, month, usd);
        }
        // An attempt that runs is counted up to its last heartbeat there, and as reserved here.
        for job in self.jobs.values() {
            let running = in_month(job.bill_so_far().lines(), month) - in_month(job.bill.lines(), month);
            self.desk.purses.spend(&job.submission.owner, month, -running);
        }
    }

    /// Puts the jobs back into their lanes that there is money for by now, and ends the sweeps whose money is over.
    pub(in crate::core) fn fund(&mut self) {
        self.desk.purses.forget_before(Month::of(self.desk.now));
        for account in self.desk.index.parked.accounts() {
            let funded = match &account {
                Account::Owner(owner) => self.fit(&account, self.left_of_owner(owner)),
                Account::Sweep(sweep) => self.fit(&account, self.desk.left_of_sweep(sweep, None)),
            };
            if let (Account::Sweep(sweep), []) = (&account, funded.as_slice()) {
                self.give_up_when_idle(sweep);
            }
            for job in funded.iter().filter_map(|job_id| self.jobs.get(job_id)) {
                self.desk.index.unpark(job);
            }
        }
    }

    /// Those whose turns come first, as far as the money goes.
    fn fit(&self, account: &Account, left: Option<f64>) -> Vec<JobId> {
        let mut left = left.unwrap_or(f64::INFINITY);
        let mut funded = Vec::new();
        for (job_id, needed) in self.desk.index.parked.turns(account) {
            if needed <= left {
                left -= needed;
                funded.push(job_id.clone());
            }
        }
        funded
    }

    /// What an owner has neither spent nor reserved this month, if there is a limit.
    fn left_of_owner(&self, owner: &str) -> Option<f64> {
        let (desk, month) = (&self.desk, Month::of(self.desk.now));
        let cap = desk.rules.owners.monthly_usd(owner)?;
        Some(cap - desk.purses.spent(owner, month) - desk.purses.reserved(owner, month, desk.now, None))
    }

    /// Stops a sweep for whose next attempt there is no money, once none is reserved that could come back.
    fn give_up_when_idle(&mut self, sweep: &SweepId) {
        if self.desk.purses.reserved_by_sweep(sweep, self.desk.now, None) <= 0.0 {
            self.halt_for_money(sweep);
        }
    }
}

fn in_month(lines: &[BillLine], month: Month) -> f64 {
    lines.iter().filter(|line| line.month == month).map(|line| line.usd).sum()
}
