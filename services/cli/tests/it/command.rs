//! Running `rekindle` as a person or a script would.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use local_broker::testing::TestVhost;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// A folder with settings, and a virtual host.
pub(crate) struct World {
    pub(crate) vhost: TestVhost,
    pub(crate) folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) async fn create() -> Self {
        let vhost = TestVhost::create().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rekindle.toml"), settings::BUILT_IN).unwrap();
        Self { vhost, folder }
    }

    /// `rekindle` with `arguments`, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path(), arguments);
        command.env("REKINDLE__BROKER__URL", self.vhost.amqp_url());
        command
    }

    /// Runs `rekindle` with `arguments` to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        Finished::of(self.command(arguments).output().await.unwrap())
    }
}

/// `rekindle` in `folder`, hidden from whatever is set around the tests.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("REKINDLE_CONFIG")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Finished {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
