//! A line to the broker that can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, anyhow};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Stalled,
    Cut,
}

/// A TCP proxy before a broker. Dropping it cuts the line for good.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    mode: watch::Sender<Mode>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Starts one before the broker at `amqp_url`.
    ///
    /// # Errors
    /// When the address cannot be read, or no port is free.
    pub async fn start(amqp_url: &str) -> anyhow::Result<Self> {
        let mut url = Url::parse(amqp_url)?;
        let host = url.host_str().context("an AMQP address names a host")?;
        let target = format!("{host}:{}", url.port().unwrap_or(5672));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let SocketAddr::V4(address) = listener.local_addr()? else { return Err(anyhow!("bound to IPv4")) };
        url.set_host(Some("127.0.0.1"))?;
        url.set_port(Some(address.port())).map_err(|()| anyhow!("an AMQP address has a port"))?;

        let (mode, _) = watch::channel(Mode::Open);
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, target, mode.subscribe()));
        Ok(Self { url: url.into(), mode, _listening: listening })
    }

    /// The broker's address through this proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes every connection, and every new one until [`restore`](Self::restore).
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Lets nothing through, without a word to either side, until [`restore`](Self::restore).
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stalled);
    }

    /// Lets everything through again.
    pub fn restore(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

async fn listen(listener: TcpListener, target: String, mode: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                if *mode.borrow() != Mode::Cut {
                    connections.spawn(connect(client, target.clone(), mode.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, target: String, mode: watch::Receiver<Mode>) {
    let mut is_cut = mode.clone();
    let connected = async {
        let server = TcpStream::connect(target).await?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        tokio::try_join!(
            forward(client_in, server_out, mode.clone()),
            forward(server_in, client_out, mode.clone()),
        )
    };
    tokio::select! {
        _ = connected => {}
        _ = is_cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

/// Passes on bytes until one side closes. It is an error then, so that the other direction ends too.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if mode.wait_for(|mode| *mode != Mode::Stalled).await.is_err() || length == 0 {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        to.write_all(&buffer[..length]).await?;
    }
}
