//! `rekindle doctor`: looks for what is wrong with this installation and says what to do.

mod check;
mod handshake;
mod machine;
mod services;

use std::path::Path;

use settings::Settings;

use self::check::{Check, Verdict};
use crate::{exit::Exit, output::Output};

pub(crate) async fn run(config: Option<&Path>, json: bool) -> anyhow::Result<Exit> {
    let mut checks = Vec::new();
    match Settings::find(config) {
        Ok(settings) => {
            checks.push(Check::ok("settings", settings_place(&settings)));
            checks.extend(machine::check(&settings).await);
            checks.extend(services::check(&settings).await);
        }
        // Nothing else can be looked at without them.
        Err(error) => checks.push(Check::fail(
            "settings",
            format!("{:#}", anyhow::Error::from(error)),
            "mend the file, or point --config or REKINDLE_CONFIG to another one",
        )),
    }
    Output { json }.answer(&checks, || checks.iter().map(ToString::to_string).collect())?;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failure } else { Exit::Success })
}

fn settings_place(settings: &Settings) -> String {
    match &settings.file {
        Some(file) => format!("{} is valid", file.display()),
        None => "no rekindle.toml here or above; the built-in one is used".into(),
    }
}
