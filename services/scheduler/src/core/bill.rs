//! What a job was billed for, by month, class and tier.

use contract::{GpuClass, Month, Tier, Timestamp};
use policy::{Placement, Terms, usd};
use serde::{Deserialize, Serialize};

use super::job::{Job, Phase};

/// The lines of a job's bill. Attempts are forgotten one day; what they cost is not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bill {
    /// One for each month, class and tier, in the order in which they came up.
    lines: Vec<BillLine>,
}

/// What one kind of machine cost a job in one month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BillLine {
    /// The month, in UTC.
    pub(crate) month: Month,
    /// The class.
    pub(crate) gpu: GpuClass,
    /// The tier.
    pub(crate) tier: Tier,
    /// How long it ran there.
    pub(crate) ms: u64,
    /// What that cost, in US dollars.
    pub(crate) usd: f64,
    /// What it would have cost on demand.
    pub(crate) usd_on_demand: f64,
}

impl Bill {
    /// How much less it comes to than the same time on demand.
    pub(super) fn saved_usd(&self) -> f64 {
        self.lines.iter().map(|line| line.usd_on_demand - line.usd).sum()
    }

    /// The class that it ran on, if it was one all the time.
    pub(super) fn only_class(&self) -> Option<&GpuClass> {
        let first = &self.lines.first()?.gpu;
        self.lines.iter().all(|line| line.gpu == *first).then_some(first)
    }

    /// The lines.
    pub(crate) fn lines(&self) -> &[BillLine] {
        &self.lines
    }

    /// Adds time on a machine, which is split where months meet.
    pub(super) fn add(&mut self, from: Timestamp, to: Timestamp, machine: &Placement, terms: &Terms) {
        for (month, time) in Month::split(from, to) {
            let line = self.line(month, machine);
            line.ms += time.as_millis() as u64;
            line.usd += usd(time, terms.usd_per_hour(machine));
            line.usd_on_demand += usd(time, terms.on_demand_usd_per_hour(machine));
        }
    }

    fn line(&mut self, month: Month, machine: &Placement) -> &mut BillLine {
        let is_it =
            |line: &BillLine| line.month == month && line.gpu == machine.gpu && line.tier == machine.tier;
        let at = self.lines.iter().position(is_it).unwrap_or_else(|| {
            let Placement { gpu, tier } = machine.clone();
            self.lines.push(BillLine { month, gpu, tier, ms: 0, usd: 0.0, usd_on_demand: 0.0 });
            self.lines.len() - 1
        });
        &mut self.lines[at]
    }
}

impl Job {
    /// The bill, the attempt that runs included up to when its holder was last heard: what the job is sure to pay.
    pub(crate) fn bill_so_far(&self) -> Bill {
        match &self.phase {
            Phase::Running(lease) => self.bill_until(lease.heard_at),
            _ => self.bill.clone(),
        }
    }

    /// The bill, the attempt that runs included up to a moment.
    pub(super) fn bill_until(&self, moment: Timestamp) -> Bill {
        let mut bill = self.bill.clone();
        if let (Phase::Running(_), Some(attempt)) = (&self.phase, self.attempts.last())
            && attempt.ended_at.is_none()
        {
            bill.add(attempt.leased_at, moment, &self.placement, &self.terms);
        }
        bill
    }
}
