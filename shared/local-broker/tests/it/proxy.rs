//! The line that can be cut.

use std::time::Duration;

use local_broker::testing::Proxy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

#[tokio::test]
async fn bytes_pass_stall_and_are_cut() -> anyhow::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = Proxy::start(&format!("amqp://{}/%2f", server.local_addr()?)).await?;
    let address = url::Url::parse(proxy.url())?.socket_addrs(|| None)?[0];

    let mut client = TcpStream::connect(address).await?;
    let (mut served, _) = server.accept().await?;
    client.write_all(b"ping").await?;
    let mut heard = [0; 4];
    served.read_exact(&mut heard).await?;
    served.write_all(b"pong").await?;
    client.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"pong");

    proxy.stall();
    client.write_all(b"late").await?;
    assert!(timeout(Duration::from_millis(50), served.read(&mut heard)).await.is_err(), "it went through");
    proxy.restore();
    served.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"late");

    proxy.cut();
    assert_eq!(client.read(&mut heard).await.unwrap_or(0), 0, "the client still hears something");
    assert_eq!(served.read(&mut heard).await.unwrap_or(0), 0, "the server still hears something");
    let mut refused = TcpStream::connect(address).await?;
    assert_eq!(refused.read(&mut heard).await.unwrap_or(0), 0);

    proxy.restore();
    let (client, served) = tokio::join!(TcpStream::connect(address), server.accept());
    client?;
    served?;
    Ok(())
}
