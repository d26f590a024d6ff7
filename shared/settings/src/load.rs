//! Reading `rekindle.toml` and the environment.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use crate::Settings;

/// The `rekindle.toml` of this release, for machines that have none.
pub const BUILT_IN: &str = include_str!("../../../rekindle.toml");

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
    #[error("the settings in {place} are not valid")]
    Invalid {
        /// Where they come from.
        place: String,
        /// Which, and why.
        #[source]
        error: config::ConfigError,
    },
    /// A value is of the right kind and still makes no sense.
    #[error("the settings in {place} are not valid: {key} is {given}; it takes {right}")]
    Value {
        /// Where they come from.
        place: String,
        /// The key.
        key: String,
        /// What it holds.
        given: String,
        /// What it may hold.
        right: String,
    },
    /// A trainer finds nothing about its workload.
    #[error("the settings have no [workloads.{0}]; a trainer needs its workload's policy")]
    NoWorkload(String),
    /// The command line of a service holds something else than `--config FILE`.
    #[error("unexpected argument {0:?}; a service takes --config FILE and nothing else")]
    Argument(String),
}

/// Reads `file`, lets `variables` named `REKINDLE__SECTION__KEY` override it, resolves relative paths and checks every
/// value.
///
/// # Errors
/// [`SettingsError`] names the file, and the key with what is wrong.
pub fn load(
    file: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, SettingsError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| SettingsError::Read { path: file.into(), error })?;
    let file = std::path::absolute(file).map_err(|error| SettingsError::Read { path: file.into(), error })?;
    let base = file.parent().unwrap_or(Path::new("/"));
    let settings = parse(&text, &file.display().to_string(), base, variables)?;
    Ok(Settings { file: Some(file), ..settings })
}

/// The same for text that comes from `place`; relative paths are below `base`.
pub(crate) fn parse(
    text: &str,
    place: &str,
    base: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, SettingsError> {
    let environment = Environment::with_prefix("REKINDLE")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .try_parsing(true)
        .list_separator(":")
        .with_list_parse_key("data.roots")
        .source(Some(variables.into_iter().collect()));
    let mut settings: Settings = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| SettingsError::Invalid { place: place.into(), error })?;
    settings.resolve(base);
    settings.validate().map_err(|wrong| wrong.at(place))?;
    Ok(settings)
}

impl Settings {
    fn resolve(&mut self, base: &Path) {
        self.data.dir = base.join(&self.data.dir);
        for root in &mut self.data.roots {
            *root = base.join(&*root);
        }
        self.scheduler.database = base.join(&self.scheduler.database);
        if !self.checkpoints.url.contains("://") {
            self.checkpoints.url = base.join(&self.checkpoints.url).display().to_string();
        }
    }
}

#[cfg(test)]
mod tests;
