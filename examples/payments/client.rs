//! A client of the service, which can hang up: HTTP/1.1 as far as a request on a connection of its own needs it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is sent.
pub(crate) struct Request<'a> {
    /// Method and path.
    pub(crate) line: &'static str,
    /// An idempotency key, where it has one.
    pub(crate) key: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Sends it; who drops the connection hangs up.
pub(crate) async fn send(address: SocketAddr, request: &Request<'_>) -> io::Result<TcpStream> {
    let Request { line, key, body } = request;
    let key = key.map(|key| format!("Idempotency-Key: {key}\r\n"));
    let key = key.unwrap_or_default();
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Api-Key: demo-key-1\r\n{key}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(text.as_bytes()).await?;
    Ok(connection)
}

/// Reads the answer, up to the end of the connection.
pub(crate) async fn receive(mut connection: TcpStream) -> io::Result<Answer> {
    let mut text = String::new();
    connection.read_to_string(&mut text).await?;
    let parts = text.split_once("\r\n\r\n");
    let (head, body) = parts.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head: head.into(),
        body: body.into(),
    })
}
