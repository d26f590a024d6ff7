//! When the loss is no longer a number.

use std::{fs, path::Path};

use contract::Failure;

/// Remembers, in the run's folder, from which step the run that diverged had gone on.
const MARKER: &str = "diverged-from-step";

/// The failure of a run whose loss stopped being a number.
///
/// The first time, it is transient: a device may have erred. When the next attempt goes on from the same step and comes
/// to the same, it is permanent, because it would for ever.
pub(crate) fn failure(folder: &Path, resumed_from: u64, step: u64, lr: f64) -> Failure {
    let text = format!(
        "the loss is not a number any more at step {step}, with a learning rate of {lr:.3e} and gone on from step \
         {resumed_from}; a smaller lr, a longer warm-up or clipping may help"
    );
    let marker = folder.join(MARKER);
    let before = fs::read_to_string(&marker).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if before == Some(resumed_from) {
        return Failure::permanent(format!("{text} (for the second time)"));
    }
    if let Err(error) = fs::write(&marker, resumed_from.to_string()) {
        tracing::warn!(%error, marker = %marker.display(), "cannot remember that the run diverged");
    }
    Failure::transient(text)
}

#[cfg(test)]
mod tests {
    use contract::FailureClass;

    use super::*;

    #[test]
    fn only_the_same_start_twice_is_permanent() {
        let folder = tempfile::tempdir().unwrap();
        let classes = [10, 20, 20].map(|resumed_from| failure(folder.path(), resumed_from, 25, 0.1).class);
        assert_eq!(classes, [FailureClass::Transient, FailureClass::Transient, FailureClass::Permanent]);
        assert!(
            failure(folder.path(), 1, 25, 0.1)
                .message
                .contains("at step 25, with a learning rate of 1.000e-1")
        );
    }
}
