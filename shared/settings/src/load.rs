//! Reading `rekindle.toml` and the environment.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use crate::Settings;

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No such file, or not readable.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A value is missing, misspelt or of the wrong kind.
    #[error("the settings in {} are not valid", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        #[source]
        error: config::ConfigError,
    },
}

/// Reads `file`, lets `variables` named `REKINDLE__SECTION__KEY` override it, and resolves relative paths.
///
/// # Errors
/// [`SettingsError`] names the file, and the key with what is wrong.
pub fn load(
    file: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, SettingsError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| SettingsError::Read { path: file.into(), error })?;
    let environment = Environment::with_prefix("REKINDLE")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .source(Some(variables.into_iter().collect()));
    let mut settings: Settings = Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| SettingsError::Invalid { path: file.into(), error })?;
    settings.resolve(file.parent().unwrap_or(Path::new("")));
    Ok(settings)
}

impl Settings {
    fn resolve(&mut self, base: &Path) {
        let absolute = std::path::absolute(base).unwrap_or_else(|_| base.into());
        self.data.dir = absolute.join(&self.data.dir);
        for root in &mut self.data.roots {
            *root = absolute.join(&*root);
        }
        self.scheduler.database = absolute.join(&self.scheduler.database);
        if !self.checkpoints.url.contains("://") {
            self.checkpoints.url = absolute.join(&self.checkpoints.url).display().to_string();
        }
    }
}
