//! What the epochs came to, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The figures of one epoch. None of them depends on the machine's speed, so equal runs have equal histories.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochFigures {
    /// The mean loss of its steps.
    pub(crate) train_loss: f64,
    /// The share of training images classified rightly, while learning from them.
    pub(crate) train_accuracy: f64,
    /// The mean loss of the images held out.
    pub(crate) val_loss: f64,
    /// The share of them classified rightly.
    pub(crate) val_accuracy: f64,
}

impl EpochFigures {
    /// By name, as they are reported.
    pub(crate) fn by_name(&self) -> BTreeMap<String, f64> {
        [
            ("train_loss", self.train_loss),
            ("train_accuracy", self.train_accuracy),
            ("val_loss", self.val_loss),
            ("val_accuracy", self.val_accuracy),
        ]
        .map(|(name, figure)| (name.to_owned(), figure))
        .into()
    }
}

/// The epoch, from 0, with the best accuracy on what was held out; of equal ones, that with the least loss.
pub(crate) fn best_epoch(history: &[EpochFigures]) -> Option<usize> {
    (0..history.len()).max_by(|&a, &b| {
        let (first, second) = (&history[a], &history[b]);
        // Of epochs equal in both, `max_by` would take the last; the index settles it for the first.
        (first.val_accuracy.total_cmp(&second.val_accuracy))
            .then(second.val_loss.total_cmp(&first.val_loss))
            .then(b.cmp(&a))
    })
}

/// Whether so many epochs have passed since the accuracy was last raised that training ends; with a patience of 0,
/// it never does.
pub(crate) fn ends_early(history: &[EpochFigures], patience: u32) -> bool {
    let mut best = f64::NEG_INFINITY;
    let mut since = 0;
    for figures in history {
        if best < figures.val_accuracy {
            (best, since) = (figures.val_accuracy, 0);
        } else {
            since += 1;
        }
    }
    0 < patience && patience <= since
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(figures: &[(f64, f64)]) -> Vec<EpochFigures> {
        let epoch = |&(val_accuracy, val_loss)| EpochFigures {
            train_loss: 1.0,
            train_accuracy: 0.5,
            val_loss,
            val_accuracy,
        };
        figures.iter().map(epoch).collect()
    }

    #[test]
    fn the_best_epoch_is_the_most_accurate_and_of_those_the_surest() {
        assert_eq!(best_epoch(&[]), None);
        assert_eq!(
            best_epoch(&history(&[(0.5, 1.0), (0.9, 0.8), (0.9, 0.6), (0.9, 0.6), (0.8, 0.1)])),
            Some(2)
        );
    }

    #[test]
    fn patience_counts_epochs_since_the_accuracy_rose() {
        let history = history(&[(0.5, 1.0), (0.6, 1.0), (0.6, 0.5), (0.4, 0.4)]);
        assert!(!ends_early(&history, 0));
        assert!(!ends_early(&history, 3));
        assert!(ends_early(&history, 2));
        assert!(!ends_early(&history[..3], 2));
    }
}
