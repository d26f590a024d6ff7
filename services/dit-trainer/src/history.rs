//! What the validations came to, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The figures of one validation. None of them depends on the machine's speed, so equal runs have equal histories.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Steps finished.
    pub(crate) step: u64,
    /// The mean loss of the steps since the last validation.
    pub(crate) train_loss: f64,
    /// The mean loss of the averaged network on the images held out.
    pub(crate) val_loss: f64,
}

impl Figures {
    /// By name, as they are reported.
    pub(crate) fn by_name(&self) -> BTreeMap<String, f64> {
        [("train_loss", self.train_loss), ("val_loss", self.val_loss)]
            .map(|(name, figure)| (name.to_owned(), figure))
            .into()
    }
}

/// The first validation with the lowest loss.
pub(crate) fn best(history: &[Figures]) -> Option<usize> {
    (0..history.len()).min_by(|&a, &b| history[a].val_loss.total_cmp(&history[b].val_loss))
}

/// Whether so many validations have passed since the loss was last lowered that training ends; with a patience of 0, it
/// never does.
pub(crate) fn ends_early(history: &[Figures], patience: u32) -> bool {
    let since = best(history).map_or(0, |best| history.len() - 1 - best);
    0 < patience && patience as usize <= since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_validations_since_the_loss_fell() {
        let history = [0.9, 0.5, 0.5, 0.7].map(|val_loss| Figures { step: 1, train_loss: 1.0, val_loss });
        assert_eq!((best(&[]), best(&history)), (None, Some(1)));
        assert!(!ends_early(&[], 1) && !ends_early(&history, 0) && !ends_early(&history, 3));
        assert!(ends_early(&history, 2));
        assert!(!ends_early(&history[..3], 2));
    }
}
