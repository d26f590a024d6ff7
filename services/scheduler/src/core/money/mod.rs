//! Whether there is money for an attempt, and for how long.

mod fund;
mod outlook;
mod parked;
mod purses;
mod spot;
mod view;
mod words;

use std::time::Duration;

use contract::{JobId, Refusal, Refused, StopCause, SweepId, Timestamp};
use policy::{Left, Placement, Terms, affordable, least_usd, placements, run_limit};

pub(crate) use self::purses::{Purse, Purses, Reservation};
pub(super) use self::{
    parked::{Account, Parked},
    spot::OffSpot,
};
use super::{
    Rules,
    desk::{Desk, queue_of},
    job::{Job, Phase},
};

/// How long an attempt may run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Allowance {
    /// How long.
    pub(super) time: Duration,
    /// What it means when it has.
    pub(super) cause: StopCause,
    /// Which money is over then, if it is that.
    pub(super) purse: Option<Purse>,
}

/// Less money than an attempt costs that is worth its start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shortage {
    /// Which money is short.
    pub(super) purse: Purse,
    /// Where the attempt would run.
    placement: Placement,
    /// What is left, in US dollars: neither spent nor reserved.
    pub(super) left: f64,
    /// What the attempt costs at least.
    pub(super) needed: f64,
}

impl Rules {
    /// What an attempt is paid for beyond its limit, at most: it may take the grace time to stop, and counts as running up
    /// to the heartbeat after that.
    pub(super) fn margin(&self) -> Duration {
        self.grace.to_duration() + self.heartbeat.to_duration()
    }

    /// Turns a job away whose shortest attempt costs more than its owner may spend in a month.
    pub(super) fn refuse_what_no_month_pays_for(&self, owner: &str, terms: &Terms) -> Result<(), Refused> {
        let Some(cap) = self.owners.monthly_usd(owner) else { return Ok(()) };
        match self.cheapest_attempt(terms).filter(|(needed, _)| cap < *needed) {
            None => Ok(()),
            Some((needed, placement)) => {
                let message = format!(
                    "owner {owner} may spend {cap} USD a month, and the shortest attempt on {placement} costs {needed:.4} USD; \
                     an operator sets owners.{owner}.monthly_usd"
                );
                Err(Refused::new(Refusal::Limit, message))
            }
        }
    }

    /// What the shortest attempt costs where it costs least, and where that is.
    fn cheapest_attempt(&self, terms: &Terms) -> Option<(f64, Placement)> {
        let (timeout, least_run) = (terms.timeout.to_duration(), self.least_run.to_duration());
        let costs = |placement: &Placement| {
            least_usd(least_run, timeout, Left::default(), terms.usd_per_hour(placement), self.margin())
        };
        let places = placements(terms, None).into_iter().map(|placement| (costs(&placement), placement));
        places.min_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

impl Desk {
    /// How long an attempt of a job may run that begins at a moment: its `timeout`, or less where time or money is over
    /// before. What other attempts have reserved is not to be had; what this job has is, because the attempt replaces it.
    ///
    /// # Errors
    /// What is missing for an attempt that is worth its start.
    pub(super) fn allowance(
        &self,
        job: &Job,
        placement: &Placement,
        timeout: Duration,
        from: Timestamp,
    ) -> Result<Allowance, Shortage> {
        let (left, margin) = (job.left(from), self.rules.margin());
        let usd_per_hour = job.terms.usd_per_hour(placement);
        let time = Left { usd: None, ..left };
        let needed = least_usd(self.rules.least_run.to_duration(), timeout, time, usd_per_hour, margin);
        let shortest = affordable(needed, usd_per_hour);

        let purses = self.purses_of(job, left, usd_per_hour, from);
        let tightest = purses.into_iter().min_by_key(|(lasts, ..)| *lasts);
        if let Some((lasts, purse, left)) = &tightest
            && *lasts < shortest
        {
            let (purse, left) = (purse.clone(), *left);
            return Err(Shortage { purse, placement: placement.clone(), left, needed });
        }
        let limit = run_limit(timeout, time, usd_per_hour, margin);
        let paid_for = tightest.map(|(lasts, purse, _)| (lasts.saturating_sub(margin), purse));
        Ok(match paid_for {
            Some((lasts, purse)) if lasts < limit.time => {
                Allowance { time: lasts, cause: StopCause::Budget, purse: Some(purse) }
            }
            _ => Allowance { time: limit.time, cause: limit.cause, purse: None },
        })
    }

    /// Every purse that an attempt of a job is paid from, how long it lasts, and what is left in it.
    fn purses_of(
        &self,
        job: &Job,
        left: Left,
        usd_per_hour: f64,
        from: Timestamp,
    ) -> Vec<(Duration, Purse, f64)> {
        let own = left.usd.map(|left| (affordable(left, usd_per_hour), Purse::Job, left));
        let of_sweep = job.trial.as_ref().and_then(|trial| {
            let left = self.left_of_sweep(&trial.sweep, Some(&job.id))?;
            Some((affordable(left, usd_per_hour), Purse::Sweep { sweep: trial.sweep.clone() }, left))
        });
        let owner = &job.submission.owner;
        let of_owner = self.rules.owners.monthly_usd(owner).map(|cap| {
            let (lasts, month, left) = self.purses.affordable_by_owner(job, cap, usd_per_hour, from);
            (lasts, Purse::Owner { owner: owner.clone(), month }, left)
        });
        [own, of_sweep, of_owner].into_iter().flatten().collect()
    }

    /// What is left of a sweep's money, if that has a limit.
    pub(super) fn left_of_sweep(&self, sweep: &SweepId, without: Option<&JobId>) -> Option<f64> {
        let (max_usd, spent) = self.sweeps.get(sweep)?.money()?;
        Some(max_usd - spent - self.purses.reserved_by_sweep(sweep, self.now, without))
    }

    /// How long the next attempt may run on a machine.
    pub(super) fn next_allowance(&self, job: &Job, placement: &Placement) -> Result<Allowance, Shortage> {
        self.allowance(job, placement, job.terms.timeout.to_duration(), self.now)
    }

    /// What a job lacks of its own money for an attempt on the cheapest of the machines that workers offer; of all of its
    /// machines, if nobody offers any.
    pub(super) fn least_shortage(&self, job: &Job) -> Option<Shortage> {
        let places = placements(&job.terms, job.outgrown_mib);
        self.own_shortage(job, self.cheapest(job, &places)?)
    }

    /// The cheapest of some machines that workers offer; of all, if nobody offers any.
    fn cheapest<'a>(&self, job: &Job, places: &'a [Placement]) -> Option<&'a Placement> {
        let price = |placement: &Placement| job.terms.usd_per_hour(placement);
        let cheapest = |a: &&Placement, b: &&Placement| price(a).total_cmp(&price(b));
        let offered = places.iter().filter(|place| self.is_offered(job, place));
        offered.min_by(cheapest).or_else(|| places.iter().min_by(cheapest))
    }

    /// What a job lacks of its own money for an attempt on a machine.
    fn own_shortage(&self, job: &Job, placement: &Placement) -> Option<Shortage> {
        let left = job.left(self.now);
        let (timeout, least_run) = (job.terms.timeout.to_duration(), self.rules.least_run.to_duration());
        let price = job.terms.usd_per_hour(placement);
        let needed = least_usd(least_run, timeout, left, price, self.rules.margin());
        let shortage = |left| Shortage { purse: Purse::Job, placement: placement.clone(), left, needed };
        left.usd.filter(|left| *left < needed || *left <= 0.0).map(shortage)
    }

    /// Where a job goes that would go to `placement`, and for how long: there if it can be paid for, else to the next place
    /// that can be and that a worker offers.
    ///
    /// # Errors
    /// What is missing: money that will come again, rather than the job's own.
    pub(super) fn within_means(
        &self,
        job: &Job,
        placement: Placement,
    ) -> Result<(Placement, Allowance), Shortage> {
        let mut missing = match self.next_allowance(job, &placement) {
            Ok(allowance) => return Ok((placement, allowance)),
            Err(shortage) => shortage,
        };
        let places = placements(&job.terms, job.outgrown_mib).into_iter();
        for place in places.filter(|place| *place != placement && self.is_offered(job, place)) {
            match self.next_allowance(job, &place) {
                Ok(allowance) => return Ok((place, allowance)),
                Err(shortage) if missing.purse == Purse::Job && shortage.purse != Purse::Job => {
                    missing = shortage;
                }
                Err(_) => {}
            }
        }
        Err(missing)
    }

    fn is_offered(&self, job: &Job, place: &Placement) -> bool {
        0 < self.workers.slots(&queue_of(&job.submission.workload, place))
    }

    /// Has a job wait until there is money for its next attempt; or ends it, if its own money is over.
    pub(super) fn go_without(&mut self, job: &mut Job, shortage: &Shortage) {
        let account = Account::of(&shortage.purse);
        if account.is_none() && self.least_shortage(job).is_some() {
            self.run_dry(job, Some(shortage));
            return;
        }
        if job.phase != Phase::Queued {
            self.enter(job, Phase::Queued);
        }
        if let Some(account) = account {
            self.index.park(job, account, shortage.needed);
        }
    }

    /// Whether the attempt that runs was stopped because its owner's or its sweep's money is over: the job waits for more.
    pub(super) fn waits_for_money(&self, job: &Job) -> bool {
        let Phase::Running(lease) = &job.phase else { return false };
        let is_shared = matches!(lease.limited_by, Some(Purse::Sweep { .. } | Purse::Owner { .. }));
        // A trainer's clock may be a little ahead.
        is_shared && lease.limit_at() <= self.now.plus(self.rules.lease.to_duration())
    }

    /// Closes the last attempt, and enters what it has cost where its owner's money is counted.
    pub(super) fn close_attempt(&mut self, job: &mut Job, at: Timestamp) {
        let before = job.bill.clone();
        job.close_attempt(at);
        let owner = &job.submission.owner;
        for line in before.lines() {
            self.purses.spend(owner, line.month, -line.usd);
        }
        for line in job.bill.lines() {
            self.purses.spend(owner, line.month, line.usd);
        }
    }
}

impl Job {
    /// Notes what the last attempt may yet cost: it was lost, its machine may still run, and what it ends with may still
    /// count.
    pub(super) fn note_loss(&mut self, margin: Duration) {
        let Phase::Running(lease) = &self.phase else { return };
        let Some(from) = self.attempts.last().and_then(|attempt| attempt.ended_at) else { return };
        let until = lease.limit_at().plus(margin);
        let usd_per_hour = self.terms.usd_per_hour(&self.placement);
        self.lost.push(Reservation { from, until, usd_per_hour });
    }

    /// A newer attempt begins: what lost ones end with counts no more, and after some `patience` they are gone.
    pub(super) fn settle_losses(&mut self, now: Timestamp, patience: Duration) {
        for lost in &mut self.lost {
            lost.until = lost.until.min(lost.from.plus(patience));
        }
        self.lost.retain(|lost| now < lost.until);
    }
}
