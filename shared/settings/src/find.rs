//! Which `rekindle.toml` counts, and what follows from it where nothing is said.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    Settings, SettingsError,
    load::{BUILT_IN, load, parse},
};

const FILE_NAME: &str = "rekindle.toml";
const SYSTEM_FILE: &str = "/etc/rekindle/rekindle.toml";

impl Settings {
    /// The settings of this process: from the file that is `given`, else the one that `REKINDLE_CONFIG` names, else
    /// `rekindle.toml` in the working folder or the nearest one above, else `/etc/rekindle/rekindle.toml`, else those
    /// built in, whose relative paths are below the working folder.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, and the key with what is wrong.
    pub fn find(given: Option<&Path>) -> Result<Self, SettingsError> {
        let folder =
            env::current_dir().map_err(|error| SettingsError::Read { path: FILE_NAME.into(), error })?;
        let named = given
            .map(Path::to_owned)
            .or_else(|| env::var_os("REKINDLE_CONFIG").filter(|name| !name.is_empty()).map(Into::into));
        let variables = env::vars_os().filter_map(|(name, value)| {
            // What is not Unicode cannot be one of ours.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        match named.or_else(|| nearest(&folder, Path::new(SYSTEM_FILE))) {
            Some(file) => load(&file, variables),
            None => parse(BUILT_IN, "the built-in rekindle.toml", &folder, variables),
        }
    }

    /// [`find`](Self::find) for a service, whose command line is `--config FILE` or nothing.
    ///
    /// # Errors
    /// As `find`, and for any other argument.
    pub fn of_service(arguments: impl IntoIterator<Item = String>) -> Result<Self, SettingsError> {
        Self::find(config_argument(arguments)?.as_deref())
    }
}

/// `rekindle.toml` in `folder` or the nearest one above, else the system's own.
fn nearest(folder: &Path, system: &Path) -> Option<PathBuf> {
    let above = folder.ancestors().map(|ancestor| ancestor.join(FILE_NAME));
    above.chain([system.to_owned()]).find(|file| file.is_file())
}

/// FILE of `--config FILE` or `--config=FILE` in a command line without the program's name.
fn config_argument(arguments: impl IntoIterator<Item = String>) -> Result<Option<PathBuf>, SettingsError> {
    let mut arguments = arguments.into_iter();
    let mut file = None;
    while let Some(argument) = arguments.next() {
        file = match argument.strip_prefix("--config") {
            Some("") => arguments.next().map(PathBuf::from),
            Some(rest) => rest.strip_prefix('=').map(PathBuf::from),
            None => None,
        };
        if file.is_none() {
            return Err(SettingsError::Argument(argument));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Option<PathBuf>, String> {
        config_argument(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_service_takes_its_file_and_nothing_else() {
        assert_eq!(arguments(""), Ok(None));
        assert_eq!(arguments("--config a.toml"), Ok(Some("a.toml".into())));
        assert_eq!(arguments("--config=a.toml"), Ok(Some("a.toml".into())));
        for wrong in ["--config", "--confi=a", "--configure", "a.toml", "--config a.toml -v"] {
            let refused = arguments(wrong).unwrap_err();
            assert!(refused.contains("a service takes --config FILE"), "{wrong}: {refused}");
        }
    }

    #[test]
    fn the_nearest_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let system = folder.path().join("system.toml");
        assert_eq!(nearest(&deep, &system), None);

        std::fs::write(&system, "").unwrap();
        assert_eq!(nearest(&deep, &system), Some(system.clone()));

        let above = folder.path().join(FILE_NAME);
        std::fs::write(&above, "").unwrap();
        assert_eq!(nearest(&deep, &system), Some(above));

        let near = deep.join(FILE_NAME);
        std::fs::write(&near, "").unwrap();
        assert_eq!(nearest(&deep, &system), Some(near));
    }
}
