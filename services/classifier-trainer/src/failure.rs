//! From errors to failures with a class.

use contract::Failure;
use torch::TensorFileError;

/// A file that cannot be read may be read another time; one that is not what it should be stays so.
pub(crate) fn of_tensor_file(error: TensorFileError) -> Failure {
    match error {
        TensorFileError::Io { .. } => transient(error),
        TensorFileError::Form { .. } | TensorFileError::Dtype { .. } => {
            Failure::permanent(format!("{:#}", anyhow::Error::from(error)))
        }
    }
}

/// An error that another attempt may not meet, with its causes.
pub(crate) fn transient(error: impl Into<anyhow::Error>) -> Failure {
    Failure::transient(format!("{:#}", error.into()))
}
