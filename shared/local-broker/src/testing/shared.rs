//! One node for all tests of a run, whichever processes they run in.
//!
//! Every process that uses the node holds a shared lock. The first one starts it; a watchdog, outside the test
//! processes, ends it when nobody has held the lock for a while.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{Address, LocalBroker, folder::Folder, process::end_orphans, testing::watchdog};

/// How long the node waits for more tests, in seconds.
const IDLE_SECONDS: u32 = 30;

/// The broker that all tests of a run share. It may go when this is dropped.
#[derive(Debug)]
pub struct SharedBroker {
    /// AMQP, password included.
    pub amqp_url: String,
    /// The management interface, password included.
    pub management_url: String,
    /// Says that somebody uses the node.
    _user: Option<File>,
}

impl SharedBroker {
    /// The broker at `REKINDLE_TEST_AMQP_URL` and `REKINDLE_TEST_MANAGEMENT_URL` if these are set, else a private one
    /// below the build folder, which is started if it does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn get() -> anyhow::Result<Self> {
        match (env::var("REKINDLE_TEST_AMQP_URL"), env::var("REKINDLE_TEST_MANAGEMENT_URL")) {
            (Ok(amqp_url), Ok(management_url)) => Ok(Self { amqp_url, management_url, _user: None }),
            (Err(_), Err(_)) => Self::private().await,
            _ => bail!("set both REKINDLE_TEST_AMQP_URL and REKINDLE_TEST_MANAGEMENT_URL, or neither"),
        }
    }

    async fn private() -> anyhow::Result<Self> {
        let home = build_folder()?.join("test-broker");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let users = home.join("users.lock");
        let user = lock(&users, File::lock_shared).await?;
        let starting = lock(&home.join("start.lock"), File::lock).await?;
        let node = home.join("node");
        let Address { amqp_url, management_url, .. } = match LocalBroker::find(&node) {
            Some(address) => address,
            None => start(&node, &users).await?,
        };
        drop(starting);
        Ok(Self { amqp_url, management_url, _user: Some(user) })
    }
}

/// Starts a node without data, and the watchdog that ends it.
async fn start(node: &Path, users: &Path) -> anyhow::Result<Address> {
    if let Some(former) = Folder::at(node)?.address() {
        end_orphans(node, former.process_group).await;
    }
    if node.exists() {
        fs::remove_dir_all(node).with_context(|| format!("cannot empty {}", node.display()))?;
    }
    let address = LocalBroker::start(node).await?.detach();
    watchdog::start(users, address.process_group, IDLE_SECONDS)?;
    Ok(address)
}

/// Opens a file and waits for a lock on it, on a thread that may block.
async fn lock(path: &Path, lock: fn(&File) -> std::io::Result<()>) -> anyhow::Result<File> {
    let path = path.to_owned();
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        lock(&file).with_context(|| format!("cannot lock {}", path.display()))?;
        anyhow::Ok(file)
    });
    locked.await?
}

/// The build folder that this program was built into: cargo marks it.
fn build_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    Ok(marked.map_or_else(|| env::temp_dir().join("rekindle-tests"), Path::to_path_buf))
}
