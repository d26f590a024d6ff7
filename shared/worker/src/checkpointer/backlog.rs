//! The states that wait to be written.

use std::collections::VecDeque;

use crate::Snapshot;

/// States in the order they were handed over, at most one of each role: they hold a copy of the model each.
#[derive(Default)]
pub(crate) struct Backlog(VecDeque<Snapshot>);

impl Backlog {
    /// Adds a state to the end. One of the same role that still waited is returned: the newer one is worth more, and of
    /// the periodic and of the best ones only the newest count.
    pub(crate) fn push(&mut self, snapshot: Snapshot) -> Option<Snapshot> {
        let same_role = self.0.iter().position(|waiting| waiting.role == snapshot.role);
        let replaced = same_role.and_then(|index| self.0.remove(index));
        self.0.push_back(snapshot);
        replaced
    }

    /// The next one to write.
    pub(crate) fn pop(&mut self) -> Option<Snapshot> {
        self.0.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use contract::checkpoints::CheckpointRole::{self, Best, Final, Periodic};
    use proptest::prelude::*;

    use super::*;

    fn snapshot(step: u64, role: CheckpointRole) -> Snapshot {
        let write = Box::new(|_: &std::path::Path| Ok(()));
        Snapshot { step, role, metrics: Default::default(), pause: Default::default(), write }
    }

    fn written(pushed: &[(u64, CheckpointRole)]) -> Vec<u64> {
        let mut backlog = Backlog::default();
        for (step, role) in pushed {
            backlog.push(snapshot(*step, *role));
        }
        std::iter::from_fn(|| backlog.pop()).map(|snapshot| snapshot.step).collect()
    }

    #[test]
    fn the_newest_periodic_one_replaces_one_that_waits() {
        assert_eq!(written(&[(1, Periodic), (2, Periodic), (3, Periodic)]), [3]);
        assert_eq!(written(&[(1, Periodic), (2, Best), (3, Periodic), (4, Final)]), [2, 3, 4]);
        assert_eq!(written(&[(1, Best), (2, Periodic), (3, Best)]), [2, 3]);
    }

    proptest! {
        #[test]
        fn nothing_new_is_lost_and_the_order_stays(
            roles in prop::collection::vec(prop_oneof![Just(Periodic), Just(Best), Just(Final)], 1..50)
        ) {
            let pushed: Vec<_> = roles.into_iter().enumerate().map(|(step, role)| (step as u64, role)).collect();
            let steps = written(&pushed);
            prop_assert!(steps.is_sorted());
            for role in [Periodic, Best, Final] {
                let newest = pushed.iter().rev().find(|(_, pushed)| *pushed == role);
                prop_assert!(newest.is_none_or(|(step, _)| steps.contains(step)));
            }
        }
    }
}
