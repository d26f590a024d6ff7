//! Pictures for people.

mod charts;
mod grid;
mod style;

use std::path::Path;

use worker::{Control, RunError};

pub use charts::{Chart, draw_charts};
pub use grid::{Row, draw_grid};
pub use style::{GRID, INK, TRAIN, VAL, shortened, text};

/// Keeps a picture that was drawn. One that could not be is a pity, and no reason to train again.
///
/// # Errors
/// When it cannot be stored.
pub fn keep_picture(
    path: &Path,
    drawn: anyhow::Result<()>,
    control: &mut dyn Control,
) -> Result<(), RunError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match drawn {
        Ok(()) => control.artifact(&name, path),
        Err(error) => {
            control.note(format!("{name} could not be drawn: {error:#}"));
            Ok(())
        }
    }
}
