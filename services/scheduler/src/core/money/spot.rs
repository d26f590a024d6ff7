//! Whether a job that spot machines get no further can pay for one on demand.

use std::time::Duration;

use contract::{Seconds, SpotUse, StopCause, Tier};
use policy::{Placement, placements};

use crate::core::{desk::Desk, job::Job};

/// What becomes of a job that allows spot machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) enum OffSpot {
    /// They get it further.
    NotNeeded,
    /// They do not, and it can pay for a machine on demand.
    OnDemand,
    /// They do not, and it cannot: what its owner should know.
    TooDear(String),
}

impl Desk {
    /// What becomes of a job that allows spot machines. When three in a row come to nothing it is to go on demand, if its
    /// money, its sweep's and its owner's pay there for as long as the longest of them lasted: with less it would come to
    /// nothing there as well.
    pub(in crate::core) fn way_off_spot(&self, job: &Job) -> OffSpot {
        if job.terms.spot != SpotUse::Allow || job.phase.is_end() {
            return OffSpot::NotNeeded;
        }
        let Some(lasted) = job.stuck_on_spot() else { return OffSpot::NotNeeded };
        let mut places = placements(&job.terms, job.outgrown_mib);
        places.retain(|place| place.tier == Tier::OnDemand);
        match self.cheapest(job, &places) {
            None => OffSpot::NotNeeded,
            Some(place) => match self.too_short(job, place, lasted) {
                None => OffSpot::OnDemand,
                Some(why) => OffSpot::TooDear(format!(
                    "spot machines are taken away before the job gets any further, the last ones after {} at most, and {why}; \
                     it stays on spot",
                    Seconds::from(lasted)
                )),
            },
        }
    }

    /// Why there is not the money for so long on a machine.
    fn too_short(&self, job: &Job, place: &Placement, lasted: Duration) -> Option<String> {
        match self.next_allowance(job, place) {
            Ok(allowance) if allowance.cause == StopCause::Budget && allowance.time < lasted => {
                Some(format!("the money pays for no more than {} on {place}", Seconds::from(allowance.time)))
            }
            Ok(_) => None,
            Err(shortage) => Some(self.lacks(job, &shortage)),
        }
    }
}
