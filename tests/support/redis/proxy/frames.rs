//! Octets that come, cut into commands or replies.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::ReadHalf;

use crate::redis::reply::Reply;

/// Splits what comes into commands or replies, whole.
pub(super) struct Frames<'a> {
    stream: ReadHalf<'a>,
    buffer: Vec<u8>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(stream: ReadHalf<'a>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next one and its octets; `None` where the stream ends.
    pub(super) async fn next(&mut self) -> io::Result<Option<(Reply, Vec<u8>)>> {
        loop {
            if let Some((frame, size)) = Reply::parse(&self.buffer) {
                let rest = self.buffer.split_off(size);
                return Ok(Some((frame, std::mem::replace(&mut self.buffer, rest))));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
