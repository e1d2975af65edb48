//! A raw client of a Redis server.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::reply::Reply;

/// A raw client's connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read past the end of the last reply.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects; a read that takes over 5 s fails.
    pub fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Lets a read fail after this time already.
    pub fn limit(self, limit: Duration) -> Result<Self> {
        self.stream.set_read_timeout(Some(limit))?;
        Ok(self)
    }

    /// Sends a command and reads its reply.
    pub fn command(&mut self, args: &[&str]) -> Result<Reply> {
        self.send(&[args])?;
        self.receive()
    }

    /// Sends commands in one write.
    pub fn send(&mut self, commands: &[&[&str]]) -> Result<()> {
        let mut bytes = Vec::new();
        for args in commands {
            bytes.extend(format!("*{}\r\n", args.len()).bytes());
            for arg in *args {
                bytes.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
            }
        }
        self.stream.write_all(&bytes)
    }

    /// Reads one reply.
    pub fn receive(&mut self) -> Result<Reply> {
        loop {
            if let Some((reply, size)) = Reply::parse(&self.buffer) {
                self.buffer.drain(..size);
                return Ok(reply);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }

    /// What came of a reply that is not all there.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }
}
