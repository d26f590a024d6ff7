//! Where RabbitMQ's programs are.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::LocalBrokerError;

/// Debian's own start script. What it puts on the path instead is a wrapper that changes to the service's user and
/// folders.
const DEBIAN_SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// The programs that make a broker.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// RabbitMQ's start script.
    pub(crate) server: PathBuf,
    /// Erlang's port mapper, which tells nodes where nodes are.
    pub(crate) epmd: PathBuf,
}

impl Installation {
    pub(crate) fn find() -> Result<Self, LocalBrokerError> {
        let debian = Path::new(DEBIAN_SERVER);
        let server = if debian.is_file() { Some(debian.into()) } else { on_path("rabbitmq-server") };
        let missing = |program| LocalBrokerError::NotInstalled { program };
        Ok(Self {
            server: server.ok_or(missing("rabbitmq-server"))?,
            epmd: on_path("epmd").ok_or(missing("epmd, Erlang's port mapper,"))?,
        })
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
