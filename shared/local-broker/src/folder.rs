//! The folder of a private broker: its files, who owns it, and who still runs in it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{
    Address, LocalBrokerError,
    configuration::{self, ADVANCED, ENABLED_PLUGINS, NODE},
    ports::Ports,
};

/// How much of the log is told when the broker does not start.
const LAST_WORDS: usize = 2_000;

/// The files of one private broker.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, which may not exist yet.
    pub(crate) fn at(path: &Path) -> Result<Self, LocalBrokerError> {
        let absolute = std::path::absolute(path).map_err(|error| file_error(path, error))?;
        Ok(Self { path: absolute })
    }

    pub(crate) fn create(&self) -> Result<(), LocalBrokerError> {
        let parent = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).map_err(|error| file_error(parent, error))?;
        // What is in it belongs to its owner only.
        let log = self.file("log");
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&log);
        created.map_err(|error| file_error(&log, error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// RabbitMQ's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.file("log/rabbitmq.log")
    }

    /// What its programs say outside the log.
    pub(crate) fn output(&self) -> Result<File, LocalBrokerError> {
        let path = self.file("log/output.log");
        File::create(&path).map_err(|error| file_error(&path, error))
    }

    /// Becomes the folder's owner until the file is dropped.
    pub(crate) fn own(&self) -> Result<File, LocalBrokerError> {
        let path = self.file("owner.lock");
        let file = File::create(&path).map_err(|error| file_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LocalBrokerError::InUse { folder: self.path.clone() }),
            Err(TryLockError::Error(error)) => Err(file_error(&path, error)),
        }
    }

    /// The password, made up the first time.
    pub(crate) fn password(&self) -> Result<String, LocalBrokerError> {
        let path = self.file("password");
        match fs::read_to_string(&path) {
            Ok(password) => Ok(password),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let password = Uuid::new_v4().simple().to_string();
                self.write_secret("password", &password)?;
                Ok(password)
            }
            Err(error) => Err(file_error(&path, error)),
        }
    }

    /// Writes what RabbitMQ reads.
    pub(crate) fn write_configuration(&self, ports: Ports, password: &str) -> Result<(), LocalBrokerError> {
        self.write_secret("rabbitmq.conf", &configuration::main(ports, password))?;
        self.write_secret("advanced.config", ADVANCED)?;
        self.write_secret("enabled_plugins", ENABLED_PLUGINS)?;
        let cookie = self.file(".erlang.cookie");
        if !cookie.exists() {
            self.write_secret(".erlang.cookie", &Uuid::new_v4().simple().to_string())?;
        }
        Ok(())
    }

    pub(crate) fn write_address(&self, address: &Address) -> Result<(), LocalBrokerError> {
        let text = serde_json::to_string_pretty(address).expect("texts and numbers serialise");
        self.write_secret("address.json", &text)
    }

    /// The address last written; `None` when there is none, or nobody can read it.
    pub(crate) fn address(&self) -> Option<Address> {
        let text = fs::read(self.file("address.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Whether the names of all these quorum queues, given with their virtual hosts, are on disk.
    pub(crate) fn has_names(&self, queues: &[(String, String)]) -> bool {
        let path = self.file("mnesia").join(NODE).join("quorum").join(NODE).join("names.dets");
        let file = fs::read(path).unwrap_or_default();
        queues.iter().all(|(vhost, queue)| {
            let name = format!("{}_{queue}", vhost.replace('/', "%2F")).into_bytes();
            file.windows(name.len()).any(|bytes| bytes == name)
        })
    }

    /// The end of the log, or of what was said before there was one.
    pub(crate) fn last_words(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let log = read(self.log());
        let text = if log.trim().is_empty() { read(self.file("log/output.log")) } else { log };
        let start = text.len().saturating_sub(LAST_WORDS);
        let start = text.ceil_char_boundary(start);
        text[start..].trim().into()
    }

    /// Replaces a file that only its owner may read.
    fn write_secret(&self, name: &str, text: &str) -> Result<(), LocalBrokerError> {
        let (path, new) = (self.file(name), self.file(&format!("{name}.new")));
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&new, &path)
        };
        write().map_err(|error| file_error(&path, error))
    }
}

fn file_error(path: &Path, error: io::Error) -> LocalBrokerError {
    LocalBrokerError::File { path: path.into(), error }
}
