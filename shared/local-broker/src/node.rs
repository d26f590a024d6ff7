//! A private node: start, stop, kill, start again.

use std::{fs::File, io, path::Path, process::Child, time::Duration};

use tokio::time::{Instant, interval};

use crate::{
    Address, LocalBrokerError, Management,
    folder::Folder,
    installation::Installation,
    ports::Ports,
    process::{control, end, end_orphans, is_running, kill_group, kill_now, start_epmd, start_server},
};

/// How long a node may take until it answers. It takes five seconds, and much longer on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How often a node is started that does not get its ports.
const STARTS: usize = 3;
/// How often a starting node is asked.
const ASK: Duration = Duration::from_millis(100);
/// How long it can take until the names of queues are on disk.
const NAMES_LIMIT: Duration = Duration::from_secs(10);
/// How often the file with the names is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A RabbitMQ node of one's own, in a folder. Dropping it kills it; [`LocalBroker::stop`] ends it in order.
#[derive(Debug)]
pub struct LocalBroker {
    folder: Folder,
    installation: Installation,
    address: Address,
    epmd: Child,
    server: Child,
    /// Nobody else starts a node in the folder while this is held.
    _owner: File,
}

impl LocalBroker {
    /// Starts a node in `folder`, with the data that is there, and waits until it answers. A node whose owner died
    /// without stopping it is replaced.
    ///
    /// # Errors
    /// When RabbitMQ is not installed, somebody else owns the folder, or the node does not start; its last words are in
    /// the error.
    pub async fn start(folder: &Path) -> Result<Self, LocalBrokerError> {
        for _ in 1..STARTS {
            match Self::start_once(folder).await {
                Err(LocalBrokerError::Ended { .. }) if has_lost_a_port(folder) => {}
                done => return done,
            }
        }
        Self::start_once(folder).await
    }

    async fn start_once(folder: &Path) -> Result<Self, LocalBrokerError> {
        let installation = Installation::find()?;
        let folder = Folder::at(folder)?;
        folder.create()?;
        let owner = folder.own()?;
        let former = folder.address();
        if let Some(former) = &former {
            end_orphans(folder.path(), former.process_group).await;
        }
        // Clients of the former node come back by themselves if the ports are the same.
        let ports = match former.map(|former| former.ports).filter(Ports::are_free) {
            Some(ports) => ports,
            None => Ports::free()?,
        };
        let password = folder.password()?;
        folder.write_configuration(ports, &password)?;

        let epmd = start_epmd(&installation, &folder, ports)?;
        let process_group = i32::try_from(epmd.id()).expect("process numbers are small");
        let address = Address::new(ports, &password, process_group);
        let server = start_server(&installation, &folder, ports, process_group)
            .inspect_err(|_| kill_group(process_group))?;
        let mut broker = Self { folder, installation, address, epmd, server, _owner: owner };
        broker.folder.write_address(&broker.address)?;
        broker.answers().await?;
        Ok(broker)
    }

    /// Where the broker of `folder` answers, if one runs there.
    pub fn find(folder: &Path) -> Option<Address> {
        let folder = Folder::at(folder).ok()?;
        folder.address().filter(Address::answers)
    }

    /// Where the broker of `folder` answers whenever it runs, whether or not it does now.
    pub fn last_known(folder: &Path) -> Option<Address> {
        Folder::at(folder).ok()?.address()
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// AMQP, password included.
    pub fn amqp_url(&self) -> &str {
        &self.address.amqp_url
    }

    /// The management interface, password included.
    pub fn management_url(&self) -> &str {
        &self.address.management_url
    }

    /// Whether its process lives. It may have been killed from outside.
    pub fn is_running(&mut self) -> bool {
        is_running(&mut self.server)
    }

    /// Ends it in order, which takes some seconds.
    pub async fn stop(mut self) {
        end(&mut self.server).await;
    }

    /// Kills the node with SIGKILL. [`restart`](Self::restart) brings it back.
    ///
    /// First it waits, for three seconds at most, until the node has written down which quorum queues it has: RabbitMQ
    /// 3.10 keeps a new name in memory for so long, and a node that is killed meanwhile comes back with a queue that has
    /// neither its messages nor a leader.
    pub async fn kill(&mut self) {
        self.names_are_on_disk().await;
        kill_now(&mut self.server).await;
    }

    /// Starts the node again on the same ports and the same data, after ending it in order if it still runs.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), LocalBrokerError> {
        end(&mut self.server).await;
        let Address { ports, process_group, .. } = self.address;
        self.server = start_server(&self.installation, &self.folder, ports, process_group)?;
        self.answers().await
    }

    /// Whether it holds back everybody who publishes, as it does by itself when its memory or disk runs out. It takes
    /// a second or two.
    ///
    /// # Errors
    /// When its own tool fails; its words are in the error.
    pub async fn hold_back(&self, held: bool) -> Result<(), LocalBrokerError> {
        let mut command = control(&self.installation, &self.folder, self.address.ports);
        command.args(["set_vm_memory_high_watermark", if held { "0" } else { "0.4" }]);
        let program = self.installation.server.clone();
        let ran = tokio::task::spawn_blocking(move || command.output()).await;
        let output = ran
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| LocalBrokerError::Spawn { program, error })?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(LocalBrokerError::Ended { log: self.folder.log(), words })
    }

    /// Lets the node go on without its owner.
    pub(crate) fn detach(self) -> Address {
        let address = self.address.clone();
        std::mem::forget(self);
        address
    }

    async fn names_are_on_disk(&self) {
        let management = Management::new(&self.address.management_url);
        let deadline = Instant::now() + NAMES_LIMIT;
        let mut look = interval(LOOK);
        // A node that does not answer has nothing to be waited for.
        let queues = management.quorum_queues().await.unwrap_or_default();
        while !self.folder.has_names(&queues) && Instant::now() < deadline {
            look.tick().await;
        }
    }

    /// Waits until it takes connections and its management interface answers.
    async fn answers(&mut self) -> Result<(), LocalBrokerError> {
        let management = Management::new(&self.address.management_url);
        let deadline = Instant::now() + START_LIMIT;
        let mut ask = interval(ASK);
        while !(self.address.answers() && management.answers().await) {
            if !self.is_running() {
                return Err(LocalBrokerError::Ended {
                    log: self.folder.log(),
                    words: self.folder.last_words(),
                });
            }
            if deadline < Instant::now() {
                return Err(LocalBrokerError::Silent { waited: START_LIMIT, log: self.folder.log() });
            }
            ask.tick().await;
        }
        Ok(())
    }
}

/// Whether somebody else has a port of the node that was to run in `folder`: ports are chosen before they are used.
fn has_lost_a_port(folder: &Path) -> bool {
    LocalBroker::last_known(folder).is_some_and(|address| !address.ports.are_free())
}

impl Drop for LocalBroker {
    fn drop(&mut self) {
        kill_group(self.address.process_group);
        // Both are dead, so this does not block; it keeps them from staying zombies.
        for child in [&mut self.server, &mut self.epmd] {
            if let Err(error) = child.wait() {
                tracing::debug!(%error, "a process of the private broker cannot be waited for");
            }
        }
    }
}
