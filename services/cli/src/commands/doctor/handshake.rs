//! What answers at an AMQP address: the first words of AMQP 0-9-1, in which a broker names itself before any password.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(3);
/// How a client greets.
const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";
/// The most that a broker says of itself.
const MOST_BYTES: u32 = 64 * 1024;

/// A broker's name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Product {
    /// Whether it is older than release `major`.
    pub(crate) fn is_before(&self, major: u32) -> bool {
        let own = self.version.split('.').next().and_then(|number| number.parse::<u32>().ok());
        own.is_some_and(|own| own < major)
    }
}

/// Asks who answers at `host:port`.
pub(crate) async fn ask(address: &str) -> io::Result<Product> {
    let asked = timeout(LIMIT, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(GREETING).await?;
        // A frame: type, channel and length, then what it holds.
        let mut head = [0; 7];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        if head[0] != 1 || MOST_BYTES < length {
            return Err(not_amqp());
        }
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await?;
        parse(&payload).ok_or_else(not_amqp)
    });
    asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn not_amqp() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what answers does not speak AMQP 0-9-1")
}

/// Reads `connection.start`: class 10, method 10, the protocol's version, and a table of what the server is.
fn parse(payload: &[u8]) -> Option<Product> {
    let mut rest = payload.strip_prefix(&[0, 10, 0, 10])?.get(2..)?;
    let mut table = take_long(&mut rest)?;
    let (mut name, mut version) = (None, None);
    while !table.is_empty() {
        let key_length = usize::from(take(&mut table, 1)?[0]);
        let key = take(&mut table, key_length)?;
        let value = match take(&mut table, 1)?[0] {
            b'S' | b'F' => take_long(&mut table)?,
            b't' => take(&mut table, 1)?,
            // No broker names itself in anything else, so what follows is of no use.
            _ => break,
        };
        match key {
            b"product" => name = Some(String::from_utf8_lossy(value).into_owned()),
            b"version" => version = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }
    Some(Product { name: name?, version: version? })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_long<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(bytes, 4)?;
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    take(bytes, length as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::TcpListener;

    use super::*;

    proptest! {
        #[test]
        fn whatever_answers_does_no_harm(mut table in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&table);
            table.splice(0..0, [0, 10, 0, 10, 0, 9, 0, 0, 0, table.len() as u8]);
            parse(&table);
        }
    }

    /// A `connection.start` with a table of capabilities before the names, as RabbitMQ's.
    fn start(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut table = b"\x0ccapabilitiesF\x00\x00\x00\x05\x02okt\x01\x02upt\x01".to_vec();
        table[14..18].copy_from_slice(&10_u32.to_be_bytes());
        for (key, value) in entries {
            table.push(key.len() as u8);
            table.extend_from_slice(key.as_bytes());
            table.push(b'S');
            table.extend_from_slice(&(value.len() as u32).to_be_bytes());
            table.extend_from_slice(value.as_bytes());
        }
        let mut payload = vec![0, 10, 0, 10, 0, 9];
        payload.extend_from_slice(&(table.len() as u32).to_be_bytes());
        payload.extend(table);
        payload
    }

    #[test]
    fn a_broker_names_itself() {
        let rabbit = parse(&start(&[("product", "RabbitMQ"), ("version", "3.10.8")])).unwrap();
        assert_eq!((rabbit.name.as_str(), rabbit.version.as_str()), ("RabbitMQ", "3.10.8"));
        assert!(rabbit.is_before(4));
        assert!(!Product { version: "4.3.6".into(), ..rabbit }.is_before(4));
    }

    #[test]
    fn nonsense_is_no_broker() {
        assert_eq!(parse(&start(&[("product", "RabbitMQ")])), None);
        let whole = start(&[("product", "RabbitMQ"), ("version", "3.10.8")]);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "cut after {length} bytes");
        }
    }

    #[tokio::test]
    async fn something_else_that_answers_is_not_taken_for_a_broker() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        };
        let (asked, ()) = tokio::join!(ask(&address), serve);
        assert_eq!(asked.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
