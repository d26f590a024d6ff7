//! As much of HTTP/1.1 as an exporter speaks: posts of a known length, one after another on a connection.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
};

/// One post.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// Answers the posts of one connection until it is closed.
pub(crate) fn serve(mut stream: TcpStream, mut keep: impl FnMut(Post)) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(post) = read(&mut reader)? {
        keep(post);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Post>> {
    let mut request = String::new();
    if reader.read_line(&mut request)? == 0 {
        return Ok(None);
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Post { path, body }))
}
