//! A raw client: it sends exactly the bytes that it is told, and reads exactly the bytes that come.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::request::Request;
use crate::response::Response;

/// How long a read may take.
const LIMIT: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// What was read past the end of the last answer.
    buffer: Vec<u8>,
}

impl Client {
    /// Connects; a read that takes over 30 s fails the test.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).expect("a listening server")
    }

    /// The same, where the server may be away.
    pub fn try_connect(addr: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        let buffer = Vec::new();
        let client = Self { stream, buffer };
        client.limit(LIMIT);
        Ok(client)
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) {
        self.write(&request.bytes());
    }

    /// The same, where the server may have gone.
    pub fn try_send(&mut self, request: &Request) -> std::io::Result<()> {
        self.stream.write_all(&request.bytes())
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("an open connection");
    }

    /// The socket, to shut it down or to set options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Closes the connection by RST instead of FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket
            .set_linger(Some(Duration::ZERO))
            .expect("a TCP stream");
    }

    /// Reads one answer to its end.
    pub fn receive(&mut self) -> Response {
        self.try_receive().expect("a whole answer")
    }

    /// Reads one answer, or fails where the connection ended before it.
    pub fn try_receive(&mut self) -> std::io::Result<Response> {
        let mut response = self.receive_head()?;
        let length = response
            .header("content-length")
            .map(|n| n.parse::<usize>());
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.receive_chunk()? {
                response.body.extend(chunk);
            }
        } else if let (Some(Ok(length)), true) = (length, response.status != 304) {
            response.body = self.take(length)?;
        }
        Ok(response)
    }

    /// Reads status and header lines.
    pub fn receive_head(&mut self) -> std::io::Result<Response> {
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break self.take(end + 4)?;
            }
            self.fill()?;
        };
        let text: String = head.iter().map(|&b| char::from(b)).collect();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap_or_default();
        Ok(Response {
            status: status.split(' ').nth(1).unwrap_or("").parse().unwrap_or(0),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        })
    }

    /// Reads one chunk of a chunked answer; `None` is the terminator.
    pub fn receive_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let line = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break self.take(end + 2)?;
            }
            self.fill()?;
        };
        let digits = String::from_utf8_lossy(&line);
        let length = usize::from_str_radix(digits.trim(), 16).expect("a chunk's length");
        let mut chunk = self.take(length + 2)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// Reads that many bytes.
    pub fn take(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Fails the test if that many bytes come while it holds them back.
    pub fn assert_silent(&mut self, bytes: usize) {
        self.limit(Duration::from_millis(100));
        let error = self.take(bytes).expect_err("nothing yet");
        let silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(silent, "{error:?}");
        self.limit(LIMIT);
    }

    fn limit(&self, limit: Duration) {
        let limit = Some(limit);
        self.stream
            .set_read_timeout(limit)
            .expect("a valid timeout");
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(pattern.len());
    windows.position(|window| window == pattern)
}
