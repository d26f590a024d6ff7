//! Start, find, kill, restart, replace.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use local_broker::{LocalBroker, LocalBrokerError, Management, testing::eventually};
use tempfile::TempDir;

#[tokio::test]
async fn two_side_by_side_live_and_go_without_a_trace() -> anyhow::Result<()> {
    let (mine, yours) = (TempDir::new()?, TempDir::new()?);
    assert_eq!(LocalBroker::find(mine.path()), None);

    let (my_broker, your_broker) =
        tokio::try_join!(LocalBroker::start(mine.path()), LocalBroker::start(yours.path()))?;
    assert_ne!(my_broker.amqp_url(), your_broker.amqp_url());
    assert_eq!(LocalBroker::find(mine.path()).as_ref(), Some(my_broker.address()));
    assert_eq!(LocalBroker::find(yours.path()).as_ref(), Some(your_broker.address()));
    assert_secret(&mine.path().join("password"));
    assert_secret(&mine.path().join("address.json"));
    assert_secret(&mine.path().join("rabbitmq.conf"));

    let management = Management::new(my_broker.management_url());
    management.create_vhost("mine").await?;
    assert!(Management::new(your_broker.management_url()).queues("mine").await.is_err());

    let taken = LocalBroker::start(mine.path()).await.expect_err("somebody owns the folder");
    assert!(matches!(taken, LocalBrokerError::InUse { .. }), "{taken}");

    my_broker.stop().await;
    drop(your_broker);
    assert_eq!(LocalBroker::find(mine.path()), None);
    assert_eq!(LocalBroker::find(yours.path()), None);
    eventually("nothing runs in the folders any more", async || {
        running_in(mine.path()) + running_in(yours.path()) == 0
    })
    .await
}

#[tokio::test]
async fn a_killed_node_comes_back_with_its_data_and_its_ports() -> anyhow::Result<()> {
    let folder = TempDir::with_prefix("with a space ")?;
    let mut broker = LocalBroker::start(folder.path()).await?;
    let address = broker.address().clone();
    Management::new(broker.management_url()).create_vhost("kept").await?;

    broker.kill().await;
    assert_eq!(LocalBroker::find(folder.path()), None);
    broker.restart().await?;
    assert_eq!(LocalBroker::find(folder.path()), Some(address.clone()));
    assert_eq!(Management::new(broker.management_url()).queues("kept").await?, []);

    // An owner that is killed leaves its node behind; the next owner replaces it. Forgetting does the same, but for
    // the lock, which the system takes back with the process.
    std::mem::forget(broker);
    fs::remove_file(folder.path().join("owner.lock"))?;
    let broker = LocalBroker::start(folder.path()).await?;
    assert_eq!(Management::new(broker.management_url()).queues("kept").await?, []);
    assert_eq!(broker.amqp_url(), address.amqp_url);
    Ok(())
}

#[tokio::test]
async fn a_node_that_cannot_start_says_why() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    fs::create_dir_all(folder.path().join("log"))?;
    // The node's data folder cannot be made where a file is.
    fs::write(folder.path().join("mnesia"), "")?;

    let error = LocalBroker::start(folder.path()).await.expect_err("it cannot start");
    let LocalBrokerError::Ended { words, .. } = error else { panic!("{error}") };
    assert!(words.contains("failed_to_create"), "{words}");
    Ok(())
}

#[tokio::test]
async fn only_this_machine_reaches_it() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let broker = LocalBroker::start(folder.path()).await?;

    let listening = listening_ports(broker.amqp_url());
    assert!(listening.iter().all(|address| address.ip().is_loopback()), "{listening:?}");
    assert!(TcpStream::connect(listening[0]).is_ok());
    Ok(())
}

fn assert_secret(file: &Path) {
    let mode = fs::metadata(file).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{} is readable by others", file.display());
}

/// How many processes have their working folder there.
fn running_in(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    processes
        .filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
        .count()
}

/// The addresses on which something listens at the port of `url`.
fn listening_ports(url: &str) -> Vec<SocketAddr> {
    let port = url::Url::parse(url).expect("an address").port().expect("a port");
    let any = local_addresses().into_iter().map(|address| SocketAddr::new(address, port));
    any.filter(|address| TcpStream::connect(address).is_ok()).collect()
}

/// This machine's own addresses.
fn local_addresses() -> Vec<std::net::IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().expect("there are interfaces");
    let addresses = interfaces.filter_map(|interface| interface.address);
    addresses
        .filter_map(|address| address.as_sockaddr_in().map(|address| std::net::IpAddr::V4(address.ip())))
        .collect()
}
