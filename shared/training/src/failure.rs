//! From errors to failures with a class.

use contract::Failure;
use torch::TensorFileError;

/// A file that cannot be read may be read another time; one that is not what it should be stays so.
pub fn of_tensor_file(error: TensorFileError) -> Failure {
    match error {
        TensorFileError::Io { .. } => transient(error),
        TensorFileError::Form { .. } | TensorFileError::Dtype { .. } => {
            Failure::permanent(format!("{:#}", anyhow::Error::from(error)))
        }
    }
}

/// An error that another attempt may not meet, with its causes.
pub fn transient(error: impl Into<anyhow::Error>) -> Failure {
    Failure::transient(format!("{:#}", error.into()))
}

/// A run whose loss is no number any more at `step`, where the learning rate is `lr`, after it went on from step `from`.
pub fn diverged(step: u64, from: u64, lr: f64) -> Failure {
    Failure::diverged(
        from,
        format!(
            "the loss is not a number any more at step {step}, with a learning rate of {lr:.3e} and gone on from step \
             {from}; a smaller lr, a longer warm-up or clipping may help"
        ),
    )
}
