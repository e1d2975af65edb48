//! A request as the octets that go over the wire, right or wrong.

use actix_web::http::Method;

/// A request, line by line.
#[derive(Clone, Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
    sized: bool,
}

impl Request {
    /// `POST`, `PUT` and so on.
    pub fn new(method: Method, target: &str) -> Self {
        Self {
            head: format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n"),
            body: Vec::new(),
            sized: true,
        }
    }

    /// The most common one.
    pub fn post(target: &str) -> Self {
        Self::new(Method::POST, target)
    }

    /// Adds a header line as it is.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Adds the key as a bare value.
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sets a body of declared length.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sets a chunked body.
    pub fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        self.sized = false;
        self.body.clear();
        for chunk in chunks {
            self.body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            self.body.extend_from_slice(chunk);
            self.body.extend(b"\r\n");
        }
        self.body.extend(b"0\r\n\r\n");
        self.header("Transfer-Encoding", "chunked")
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        if self.sized {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
